"""What samplers stand on: where arrays lie and kernels run, random numbers, domains and the geometry of a torus."""
