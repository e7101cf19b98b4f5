"""Train a net on a lattice system and say what it found: ``python train.py experiment=aim_rho3``."""

from lattice_ml.cli.train import main

if __name__ == "__main__":
    main()
