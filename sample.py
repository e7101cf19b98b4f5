"""Sample an ensemble into its store: ``python sample.py ensemble=aim_rho3 ensemble.seed=7``."""

from lattice_ml.entry import entry


@entry("sample")
def main(config):
    """Generate what the store lacks; the same command goes on after any interruption."""
    from lattice_ml.runtime import build_ensemble

    ensemble = build_ensemble(config.system, config.sampler, config.ensemble)
    print(
        f"{ensemble.sizes['point']} points × {ensemble.sizes['replica']} replicas × {ensemble.sizes['sample']} samples"
    )
    print(config.ensemble.path)


if __name__ == "__main__":
    main()
