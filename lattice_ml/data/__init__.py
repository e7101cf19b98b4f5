"""From a stored ensemble to the batches that a task trains on."""
