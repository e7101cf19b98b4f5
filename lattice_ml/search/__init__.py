"""Search over architectures and hyperparameters: studies that many processes work on and that survive their deaths."""
