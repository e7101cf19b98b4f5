"""The Active Ising Model (Solon & Tailleur, PRL 111, 078101 (2013); PRE 92, 042119 (2015))."""
