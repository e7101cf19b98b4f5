"""Pictures of latents and of what they know."""
