"""What everybody stands on and that knows nobody: errors, files, processes, secrets, checkpoints."""
