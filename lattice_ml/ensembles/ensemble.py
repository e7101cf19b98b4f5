"""An ensemble as one object: rules, sampler, plan, and where its stores lie, one for each torus.

``sample`` is all that most callers need: what a store lacks is made, its equilibration is told, and it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lattice_ml.ensembles.family import torus_name
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.ensembles.shard import Shard
    from lattice_ml.systems.base import System
    from lattice_ml.systems.sampler import Sampler


@dataclass(frozen=True)
class Ensemble:
    """rules: makes the system on a torus, ``rules(extents=(81, 81))``. sampler: makes the algorithm, ``sampler(
    trajectories=n)``. plan: points, replicas, samples, seed, protocol. tori, paths: the extents of each torus and its
    store, in the same order; most ensembles have one.
    """

    rules: Recipe[System]
    sampler: Recipe[Sampler]
    plan: Plan
    tori: tuple[tuple[int, int], ...]
    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def single(self) -> Ensemble:
        """Itself. Raises ``UserError`` if it has several tori."""
        if len(self.tori) > 1:
            raise UserError(
                f"extents = {[list(torus) for torus in self.tori]} are several tori, and one is wanted here: give the "
                "extents of one."
            )
        return self

    @property
    def system(self) -> System:
        """The rules on its torus; raises ``UserError`` if it has several."""
        return self.on(self.single.tori[0])

    @property
    def path(self) -> Path:
        """Its store; raises ``UserError`` if it has several tori."""
        return self.single.paths[0]

    @property
    def members(self) -> list[Ensemble]:
        """The ensembles of a single torus each."""
        return [
            Ensemble(self.rules, self.sampler, self.plan, (torus,), (path,))
            for torus, path in zip(self.tori, self.paths, strict=True)
        ]

    @property
    def torus_names(self) -> list[str]:
        """``["60x4", …]``."""
        return [torus_name(torus) for torus in self.tori]

    def on(self, extents: tuple[int, int]) -> System:
        """The rules on a torus of other extents."""
        return self.rules(extents=tuple(extents))

    def prepare(self) -> None:
        """Make its stores; raises ``UserError`` on what would stop the campaign, before its work begins."""
        from lattice_ml.ensembles.generate import prepare

        for member in self.members:
            prepare(member.system, member.algorithm, self.plan, member.path)

    def sample(self) -> list[xr.Dataset]:
        """Its datasets, one for each torus, each sampled as far as its store lacks it.

        The attribute ``taken`` has the algorithms that a sampler with a choice took, each with the number of its
        points.
        """
        from lattice_ml.ensembles.equilibration import assess, taken
        from lattice_ml.ensembles.generate import generate
        from lattice_ml.ensembles.store import open_ensemble

        found = []
        for member in self.members:
            system, algorithm = member.system, member.algorithm
            generate(system, algorithm, self.plan, member.path)
            verdict = assess(system, algorithm, member.path)
            found.append(open_ensemble(member.path).assign_attrs(taken=taken(verdict) if verdict else {}))
        return found

    def sample_one(self) -> xr.Dataset:
        """The dataset of its only torus; raises ``UserError`` if it has several."""
        (dataset,) = self.single.sample()
        return dataset

    def open(self) -> xr.Dataset:
        """The dataset of its only torus as it lies there, nothing sampled."""
        from lattice_ml.ensembles.store import open_ensemble

        return open_ensemble(self.path)

    def sample_shard(self, shard: Shard) -> tuple[int, int]:
        """Sample one shard; returns how many chunks of the whole are there, and how many there are.

        The shard that finds the ensemble complete tells its equilibration: it is the last one, or one of the last.
        """
        from lattice_ml.ensembles.equilibration import assess
        from lattice_ml.ensembles.generate import generate
        from lattice_ml.ensembles.layout import all_chunks
        from lattice_ml.ensembles.store import done_chunks

        system, algorithm = self.system, self.algorithm
        generate(system, algorithm, self.plan, self.path, shard=shard)
        there, chunks = len(done_chunks(self.path)), len(all_chunks(system, self.plan))
        if there == chunks:
            assess(system, algorithm, self.path)
        return there, chunks

    def repair(self) -> None:
        """Make anew what is broken in its stores, and nothing else."""
        from lattice_ml.ensembles.repair import repair

        for member in self.members:
            repair(member.system, member.algorithm, self.plan, member.path)

    @property
    def algorithm(self) -> Sampler:
        """The sampler for as many trajectories as the plan has."""
        return self.sampler(trajectories=len(self.plan.points) * self.plan.replicas)


@contextmanager
def speaking_of(section: str) -> Iterator[None]:
    """Let a ``UserError`` about an ensemble name the section that the user must change, e.g. ``survey``."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"\bensemble\.(?=\w)", f"{section}.", str(error))) from None
