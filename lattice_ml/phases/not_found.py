"""Why a plane shows no phases, in a sentence with the advice that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.systems.base import System

SHOWN = 6
"""Groups of which a sentence tells."""
FEW = 200
"""Configurations below which more of them are worth trying."""


class Attempt(NamedTuple):
    """One clustering of the plane. group: of each configuration. names: what the system called the groups."""

    group: Int64[np.ndarray, " n"]
    names: list[str] | None


def not_found(system: System, attempts: Sequence[Attempt], observables: Mapping[str, Float[np.ndarray, " n"]]) -> str:
    """What the clusterings of the plane showed, coarsest first, and what to do about it.

    observables: name -> ``[n]``, the control parameter among them.
    """
    wanted = f"the {len(system.phases)} phases {', '.join(system.phases)}"
    scan = f"let ensemble.grid.{system.control} reach into every phase"
    count = len(observables[system.control])
    more = f", or raise ensemble.samples: {count} configurations are few" if count < FEW else ""
    seen = sorted({int(one.group.max()) + 1 for one in attempts})
    head = f"the embedding shows {' or '.join(map(str, seen)) or 'no'} groups of configurations"
    if not seen:
        return f"{head}, for no two of them lie near each other: see figures/embedding.png{more or '; ' + scan}."
    if seen == [1]:
        return (
            f"the embedding shows 1 group of configurations where {wanted} were sought: see figures/embedding.png; "
            f"{scan}, and give {system.name} channels that look different in them (embedded: "
            f"{', '.join(system.embedded)}){more}."
        )
    named = [one for one in attempts if one.names is not None]
    if named:
        found = [name for name in system.phases if name in (named[-1].names or ())]
        missing = [name for name in system.phases if name not in found]
        if missing:
            return (
                f"{head} that look like {' and '.join(found)}, and none like {' and '.join(missing)}: see "
                f"figures/embedding.png; {scan}{more}."
            )
        return (
            f"{head} that look like {wanted}, but not one after the other with rising {system.control}: see "
            f"figures/embedding.png; {scan}, with more values of {system.control} in the narrowest{more}."
        )
    last = max(attempts, key=lambda one: one.group.max())
    return (
        f"{head} that do not look like {wanted}: see figures/embedding.png. The groups: "
        f"{described(last.group, observables, system)}. L{scan[1:]}; if these are the phases, "
        f"{system.name}.name_groups should know them; if groups that a symmetry of the rules joins stand apart, "
        f"{system.name}.symmetries lacks it{more}."
    )


def described(
    group: Int64[np.ndarray, " n"], observables: Mapping[str, Float[np.ndarray, " n"]], system: System
) -> str:
    """``400 configurations at T = 0.2 to 0.9 with order 0.95 ± 0.02``, group by group, the largest first."""
    control, parts = observables[system.control], []
    shown = "order" if "order" in observables else next((k for k in observables if k != system.control), None)
    size = np.bincount(group)
    for one in np.argsort(-size)[:SHOWN]:
        own = group == one
        text = f"{size[one]} configurations at {system.control} = {control[own].min():g} to {control[own].max():g}"
        if shown is not None:
            values = observables[shown][own]
            text += f" with {shown} {values.mean():.2g} ± {values.std():.2g}"
        parts.append(text)
    return "; ".join(parts) + ("; and more" if len(size) > SHOWN else "")
