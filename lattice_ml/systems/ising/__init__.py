"""The two-dimensional Ising model (Onsager, Phys. Rev. 65, 117 (1944)), the exactly solved yardstick."""
