"""Pictures of the physics of flocks, learned nothing."""
