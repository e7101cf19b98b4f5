"""Which white boxes are fitted and to what: what one section ``white_boxes`` of a configuration says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lattice_ml.explain.white_box import KINDS, Kind
from lattice_ml.ground.ranges import Count, Settings, Text
from lattice_ml.workflows.explanations.finished_run import Reopened


class WhiteBoxSettings(Settings):
    """kinds: see ``explain/white_box.py``. targets: observables to regress; None: the phases, named without labels.
    compare: a finished run, whose net is put beside the white boxes. configurations: trained on at most, spread evenly
    over the points and replicas. forests: resampled ones, for the error bars of the importances.
    """

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    targets: Annotated[list[Text], Field(min_length=1)] | None = None
    compare: Reopened | None = None
    configurations: Count = 6000
    forests: Annotated[int, Field(ge=0, lt=1000, strict=True)] = 20
