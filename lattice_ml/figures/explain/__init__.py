"""Pictures of what a net looked at and of models that can be read."""
