"""Sample an ensemble into its store: ``python sample.py ensemble=aim_rho3 ensemble.seed=7``."""

from lattice_ml.cli.sample import main

if __name__ == "__main__":
    main()
