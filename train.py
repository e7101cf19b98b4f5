"""Train a net on a lattice system and say what it found: ``python train.py experiment=aim_rho3``."""

from lattice_ml.cli.entry import entry


@entry("train")
def main(config):
    """Run the experiment's workflow from an empty folder, or from where it was interrupted."""
    from lattice_ml.cli.targets import find_workflow

    find_workflow(config.workflow._target_)(config)


if __name__ == "__main__":
    main()
