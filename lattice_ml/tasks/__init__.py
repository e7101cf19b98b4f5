"""The questions put to a net: one LightningModule per question."""
