"""A film of one trajectory of an ensemble: ``python sample.py ensemble=aim_rho3 movie=true``.

The trajectory is that of (seed, point, replica), waited for as long as the ensemble's protocol says, and then read out
often. Nothing goes into the ensemble's store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from lattice_ml.ensembles import progress
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.plan import DIGITS
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors
from lattice_ml.ground.ranges import Positive, Settings
from lattice_ml.systems.base import Lane, Point, Sampler, System
from lattice_ml.systems.channels import channels_of

SHOWN = 2
"""Channels that a film shows, the system's first."""


class FilmSettings(Settings):
    """point: its number in the ensemble's grid, from 0; None: a third of the way. replica: which trajectory there.
    frames, spacing: read-outs and the time between them, in the units of the system. seconds: that the film takes.
    """

    point: Annotated[int, Field(ge=0, strict=True)] | None = None
    replica: Annotated[int, Field(ge=0, strict=True)] = 0
    frames: Annotated[int, Field(ge=2, le=2000, strict=True)] = 60
    spacing: Positive = 1.0
    seconds: Positive = 6.0


def shoot(ensemble: Ensemble, settings: FilmSettings, home: Path) -> Path:
    """Sample, save ``<home>/movies/<name>.npz`` and draw the film from it; returns the path of the GIF.

    Raises ``UserError`` on a point that the grid does not have, several tori, or a sampler that cannot be read out so.
    """
    plan, point = ensemble.plan, chosen_point(ensemble, settings)
    system = ensemble.system
    # Heavy: imported when a mistake would have been told.
    from lattice_ml.figures.flocks import film

    times = [round(plan.protocol.waiting + k * settings.spacing, DIGITS) for k in range(settings.frames)]
    fields = trajectory(
        system, ensemble.sampler(), Lane(point, settings.replica, times), plan.seed, plan.protocol.start
    )
    where = ", ".join(f"{name} = {value:g}" for name, value in point.items())
    name = "-".join([plan.name, *(f"{key}{value:g}" for key, value in point.items()), f"replica{settings.replica}"])
    folder = home / "movies"
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
                "seconds": np.array(settings.seconds),
            },
        )


def chosen_point(ensemble: Ensemble, settings: FilmSettings) -> Point:
    """The point that is filmed; raises ``UserError`` if the grid does not have it."""
    points = ensemble.plan.points
    number = len(points) // 3 if settings.point is None else settings.point
    if number >= len(points):
        raise UserError(
            f"film.point = {number} is beyond the {len(points)} points of the ensemble {ensemble.name}: give 0 to "
            f"{len(points) - 1}, or another ensemble.grid."
        )
    return points[number]


def trajectory(system: System, sampler: Sampler, lane: Lane, seed: int, start: str) -> np.ndarray:
    """The first channels at every time of the lane, float32 ``[time, channel, x, y]``, with a progress bar."""

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
    return channels_of(system, states)[:, :SHOWN].numpy()
