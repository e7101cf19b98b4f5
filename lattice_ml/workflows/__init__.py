"""What ``train.py`` runs: one folder for each question, each with its workflow, its steps and what it draws."""
