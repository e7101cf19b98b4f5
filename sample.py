"""Sample an ensemble into its store: ``python sample.py ensemble=aim_rho3 ensemble.seed=7``."""

import signal

from lattice_ml.cli.entry import entry
from lattice_ml.ground.errors import UserError


@entry("sample")
def main(config):
    """Generate what the store lacks; the same command goes on after any interruption and beside other workers."""
    from lattice_ml.ensembles.shard import parse_shard

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # a batch system's end gives claims back, as Ctrl-C does
    shard = parse_shard(config.shard)
    # Heavy: imported when a mistake would have been told.
    from lattice_ml.cli.runtime import build_ensemble, family, repair_ensemble, sample_shard

    from lattice_ml.ensembles.equilibration import verdict_in_words

    if config.repair and shard:
        raise UserError(f"repair=true goes through the whole store: leave out shard={config.shard}.")
    if config.movie:
        from lattice_ml.cli.film import shoot

        print(shoot(config))
        return
    for ensemble in family(config.ensemble):
        if config.repair:
            repair_ensemble(config.system, config.sampler, ensemble)
        if shard:
            there, chunks = sample_shard(config.system, config.sampler, ensemble, shard)
            print(f"{shard} is complete; the store has {there} of its {chunks} chunks")
        else:
            sizes = build_ensemble(config.system, config.sampler, ensemble).sizes
            print(f"{sizes['point']} points × {sizes['replica']} replicas × {sizes['sample']} samples")
        for line in filter(None, (verdict_in_words(ensemble.path), ensemble.path)):
            print(line)


if __name__ == "__main__":
    main()
