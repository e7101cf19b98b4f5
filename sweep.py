"""Search over architectures and hyperparameters: ``python sweep.py search=flux_eq``."""

from lattice_ml.cli.sweep import main

if __name__ == "__main__":
    main()
