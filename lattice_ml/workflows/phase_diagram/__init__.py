"""From an empty folder to a phase diagram with its reasons."""
