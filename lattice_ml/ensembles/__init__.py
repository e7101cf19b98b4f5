"""Ensembles: which configurations to sample (plan), sampling them (generate), keeping them (store)."""
