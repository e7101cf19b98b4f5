"""A film of one trajectory of an ensemble: ``python sample.py ensemble=aim_rho3 movie=true``.

The trajectory is that of (seed, point, replica), waited for as long as the ensemble's protocol says, and then read out
often. Nothing goes into the ensemble's store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from lattice_ml.cli.runtime import build, build_system
from lattice_ml.ensembles import progress
from lattice_ml.ensembles.plan import DIGITS, build_plan
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors
from lattice_ml.systems.base import Lane, Sampler, System

SHOWN = 2
"""Channels that a film shows, the system's first."""


def shoot(config: DictConfig) -> Path:
    """Sample, save ``<paths.runs>/movies/<name>.npz`` and draw the film from it; returns the path of the GIF.

    Raises ``UserError`` on a point that the grid does not have, several tori, or a sampler that cannot be read out so.
    """
    from lattice_ml.figures.flocks import film

    if config.shard is not None or config.repair:
        raise UserError("movie=true samples a trajectory and no store: leave out shard and repair.")
    plan = build_plan(_plain(config.ensemble))
    number = len(plan.points) // 3 if config.film.point is None else config.film.point
    if number >= len(plan.points):
        raise UserError(
            f"film.point = {number} is beyond the {len(plan.points)} points of the ensemble {plan.name}: give 0 to "
            f"{len(plan.points) - 1}, or another ensemble.grid."
        )
    point = plan.points[number]
    times = [round(plan.protocol.waiting + k * config.film.spacing, DIGITS) for k in range(config.film.frames)]
    system = build_system(config.system, config.ensemble)
    fields = trajectory(
        system, build(config.sampler), Lane(point, config.film.replica, times), plan.seed, plan.protocol.start
    )
    where = ", ".join(f"{name} = {value:g}" for name, value in point.items())
    name = "-".join([plan.name, *(f"{key}{value:g}" for key, value in point.items()), f"replica{config.film.replica}"])
    folder = Path(config.paths.runs) / "movies"
    with disk_errors(folder, "paths.runs"):
        return film.save(
            folder,
            name,
            {
                "fields": fields,
                "time": np.array(times) - times[0],
                "channels": np.array(system.channels[: fields.shape[1]]),
                "title": np.array(where),
                "time_unit": np.array(system.time_unit),
                "seconds": np.array(config.film.seconds),
            },
        )


def trajectory(system: System, sampler: Sampler, lane: Lane, seed: int, start: str) -> np.ndarray:
    """The first channels at every time of the lane, float32 ``[time, channel, x, y]``, with a progress bar."""
    import torch

    system.validate(lane.point)
    sampler.validate(system, lane.point, lane.times)
    total, done = system.work(lane.point) * lane.times[-1], 0.0
    with progress.show("sampling the trajectory", total) as report:

        def tick(work: float) -> None:
            nonlocal done
            done += work
            report(min(done, total))

        states = sampler.device.get(sampler.sample(system, [lane], seed, start, tick))[0]
    system.check(states, lane.point)
    return system.to_channels(torch.from_numpy(states.astype(np.int32)))[:, :SHOWN].numpy()


def _plain(section: DictConfig) -> Any:
    return OmegaConf.to_container(section, resolve=True)
