"""What a trained net looked at."""
