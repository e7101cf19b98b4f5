"""Pictures of an architecture search."""
