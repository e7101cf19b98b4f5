"""What every workflow stands on: the folder of a run, training in it, loggers, lineage, and several processes."""
