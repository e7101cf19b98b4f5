"""What is asked of a flock: what the sections ``physics`` and ``activity`` of a configuration say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lattice_ml.ground.ranges import Count, Number, Positive, Settings


class PhysicsSettings(Settings):
    """densities: whose transition temperatures the binodals give. temperatures: of density histograms and number
    fluctuations, the nearest of the ensemble's. cell: sites along x and y of the cells of the histograms.
    """

    densities: Annotated[list[Positive], Field(min_length=1)]
    temperatures: Annotated[list[Positive], Field(min_length=1)]
    cell: Count


class ActivitySettings(Settings):
    """rules: parameters of the system that are varied, by name, one set after the other; the others are its own."""

    rules: Annotated[list[dict[str, Number]], Field(min_length=2)]
