"""How many nets are trained, and how strongly they are held back: what one section ``committee`` of a configuration
says."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lattice_ml.ground.ranges import Count, NonNegative, Settings, Text


class CommitteeSettings(Settings):
    """members: nets of one committee, which differ by their first weights. compare: folder of a finished run whose
    boundaries are drawn beside (``LabelFree``). l2: a committee for each strength lambda of lambda sum w²; the first
    one's answer is the run's.
    """

    members: Count = 10
    compare: Text | None = None
    l2: Annotated[list[NonNegative], Field(min_length=1)] = Field(default_factory=lambda: [0.01])
