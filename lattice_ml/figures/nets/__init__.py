"""Pictures of nets, their training and how they compare."""
