"""Pictures of phases, named or found without names, and of the boundaries between them."""
