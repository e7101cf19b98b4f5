"""What ``train.py`` runs: one file per kind of experiment, each a sequence of named steps."""
