"""What principal components and clusters are asked: what one section ``unsupervised`` of a configuration says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lattice_ml.ground.ranges import Count, Positive, Settings


class UnsupervisedSettings(Settings):
    """components: whose share of the variance is asked for. drawn: values of the control parameter of the typical
    configurations, one of each phase. resamplings: of replicas and images, each embedded and clustered anew. groups:
    how many a resampling must fall into, by phase: mirror images told apart, and nothing else.
    """

    components: Annotated[int, Field(ge=3, lt=1000, strict=True)] = 7
    drawn: Annotated[list[Positive], Field(min_length=1, max_length=6)] = Field(
        default_factory=lambda: [0.25, 0.55, 0.95]
    )
    resamplings: Annotated[int, Field(ge=0, lt=1000, strict=True)] = 10
    groups: dict[str, Count] = Field(default_factory=lambda: {"L": 2, "L+G": 2, "G": 1})
