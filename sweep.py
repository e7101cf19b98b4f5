"""Search over architectures and hyperparameters: ``python sweep.py search=flux_eq``."""

from lattice_ml.cli.entry import entry
from lattice_ml.search.schema import check_sweep


@entry("sweep", check_sweep)
def main(config):
    """Be one worker of the study, from wherever it is; the same command again is one more."""
    from lattice_ml.search.sweep import sweep

    sweep(config)


if __name__ == "__main__":
    main()
