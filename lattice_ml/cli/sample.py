"""Sample an ensemble into its store: ``python sample.py ensemble=aim_rho3 ensemble.seed=7``."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from pydantic import BeforeValidator, StrictBool

from lattice_ml.cli.config import Paths, check_names, check_points, checked, open_run, plain_of
from lattice_ml.cli.door import Door
from lattice_ml.cli.entry import entry
from lattice_ml.cli.film import FilmSettings, shoot
from lattice_ml.cli.recipes import check_recipes
from lattice_ml.cli.targets import check_targets
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.shard import Shard, parse_shard
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Seed, Text


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What a configuration of sample.py stands for.

    ensemble: on one torus or several. shard: the part to sample; None: whatever is missing. repair: make anew what is
    broken. movie: no store, but a film of one trajectory, in ``paths.runs``; film: how.
    """

    ensemble: Ensemble
    paths: Paths
    shard: Annotated[Shard | None, BeforeValidator(parse_shard)] = None
    repair: StrictBool = False
    movie: StrictBool = False
    film: FilmSettings = field(default_factory=FilmSettings)

    def check(self) -> None:
        """Raise ``UserError`` on choices that do not go together."""
        if self.repair and self.shard:
            shard = f"{self.shard.number}/{self.shard.parts}"
            raise UserError(f"repair=true goes through the whole store: leave out shard={shard}.")
        if self.movie and (self.repair or self.shard):
            raise UserError("movie=true samples a trajectory and no store: leave out shard and repair.")

    def run(self) -> None:
        """Sample what the store lacks, or draw the film, and say where it is."""
        if self.movie:
            print(shoot(self.ensemble, self.film, Path(self.paths.runs)))
            return
        for member in self.ensemble.members:
            self.sample(member)

    def sample(self, member: Ensemble) -> None:
        """One torus."""
        from lattice_ml.ensembles.equilibration import verdict_in_words

        if self.repair:
            member.repair()
        if self.shard:
            there, chunks = member.sample_shard(self.shard)
            print(f"{self.shard} is complete; the store has {there} of its {chunks} chunks")
        else:
            sizes = member.sample_one().sizes
            print(f"{sizes['point']} points × {sizes['replica']} replicas × {sizes['sample']} samples")
        for line in filter(None, (verdict_in_words(member.path), str(member.path))):
            print(line)


def check_sampling(config: DictConfig) -> Sampling:
    """The sampling of a composed configuration of sample.py; raises ``UserError`` with one sentence on the first thing
    that is wrong with it. Nothing heavy is imported."""
    plain = plain_of(config)
    trusted = plain.get("trust") is True
    if not trusted:
        check_targets(plain)
    check_names(plain)
    checked("trust", StrictBool, plain.get("trust", False))
    for name, hint in (("seed", Seed), ("storage", Text)):  # known names that sampling does not use
        if plain.get(name) is not None:
            checked(name, hint, plain[name])
    door = Door(plain, trusted, open_run)
    check_points(door)
    sampling = door.build(Sampling)
    check_recipes({"system": sampling.ensemble.rules, "sampler": sampling.ensemble.sampler}, trusted)
    sampling.check()
    return sampling


@entry("sample", check_sampling)
def main(sampling: Sampling) -> None:
    """Generate what the store lacks; the same command goes on after any interruption and beside other workers."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # A batch system's end gives claims back, as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    sampling.run()
