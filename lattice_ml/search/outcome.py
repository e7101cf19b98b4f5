"""What one trial of a search hands back, and where the study keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from torch import nn

Objective = Literal["validation", "parameters"]
"""What a study may minimise."""

# What a study keeps of a trial beside Optuna's own fields, as user attributes that optuna-dashboard shows too.
OVERRIDES = "overrides"
"""The words that `python train.py` gets for this trial, without its place (name and run.id)."""
OUTCOME = "outcome"
"""``Outcome.record()`` of a trial that came to its end."""
SECONDS = "seconds"
"""Wall time of a finished trial, that of killed attempts not counted."""
REASON = "reason"
"""Why a trial failed, in one line."""
INFEASIBLE = "infeasible"
"""Why a drawn point was never trained, in one line; such a trial does not count towards n_trials."""


class Infeasible(UserError):
    """The drawn point is no net at all (its layers do not fit), or has too many parameters; raised before training."""


def trainable_numbers(build: Callable[[], nn.Module], limit: int | None) -> int:
    """Of the net that ``build`` makes; raises ``Infeasible`` where it cannot be made or has more than ``limit``."""
    try:
        net = build()
    except UserError as error:
        raise Infeasible(str(error)) from error
    parameters = sum(weight.numel() for weight in net.parameters())
    if limit is not None and parameters > limit:
        raise Infeasible(f"the net has {parameters:,} parameters where at most {limit:,} are allowed.")
    return parameters


@dataclass(frozen=True)
class Outcome:
    """What a trial found; everything the study stores about it.

    validation: the objective `validation`, lower is better.
    parameters: trainable numbers of one net, the objective `parameters`.
    test: the same score on the test ensembles of the training torus; None where a workflow has none.
    scores: anything else worth a column in the study's table, by name.
    """

    validation: float
    parameters: int
    test: float | None = None
    scores: dict[str, float] = field(default_factory=dict)

    def values(self, objectives: Sequence[str]) -> list[float]:
        """What the study minimises, in its order; each an ``Objective``."""
        return [float(getattr(self, name)) for name in objectives]

    def record(self) -> dict[str, Any]:
        """Plain values for JSON; ``Outcome(**record)`` gives it back."""
        return asdict(self)


def outcome_of(trial: FrozenTrial) -> Outcome | None:
    """What a finished trial of a study found; None if it was pruned, failed or never trained."""
    record = trial.user_attrs.get(OUTCOME)
    return None if record is None else Outcome(**record)
