"""The shell's door: composing and checking configurations, what they may run, and one-sentence errors."""
