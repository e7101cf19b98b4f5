"""How configurations are dealt out to nets: what one section ``data`` of a configuration says."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool

from lattice_ml.ground.ranges import Count, NonNegative, Positive, Settings
from lattice_ml.ground.recipe import Recipe


class DataSettings(Settings):
    """batch_size: configurations; None: what the data chooses. memory: GiB held at once, None: all. split: shares of
    the replicas for training, validation and test. augment: changes training batches. members, sizes, steps,
    validation, force: of nets that are trained in several instances, see conf/data/members.yaml. pendula: drawn for
    training.
    """

    batch_size: Count | None = None
    memory: Positive | None = None
    split: Annotated[list[NonNegative], Field(min_length=3, max_length=3)] | None = None
    augment: Recipe[Any] | None = None
    members: Count | None = None
    steps: Count | Annotated[list[Count], Field(min_length=1)] | None = None
    sizes: Annotated[list[Count | None], Field(min_length=1)] | None = None
    validation: Positive = 0.1
    force: StrictBool = False
    pendula: Count | None = None

    def augmentation(self) -> Any:
        """The object that changes training batches, or None."""
        return None if self.augment is None else self.augment()
