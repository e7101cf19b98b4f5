"""Phases and transitions without labels."""
