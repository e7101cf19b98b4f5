"""Names of the laws that a number on a site may have, which a system states and ``nets/likelihoods.py`` computes."""

from __future__ import annotations

import re

from lattice_ml.ground.errors import UserError

NUMBERS: dict[str, int] = {"bernoulli": 1, "poisson": 1, "logistic": 2, "normal": 2}
"""What a decoder must say of every site; of ``categorical:q``, q numbers."""
CATEGORICAL = re.compile(r"categorical:([1-9][0-9]*)")


def width(family: str) -> int:
    """What a decoder must say of every site of a family; raises ``UserError`` if there is none of this name."""
    several = CATEGORICAL.fullmatch(family)
    if family not in NUMBERS and not several:
        raise UserError(
            f"there is no likelihood {family!r}: give {', '.join(NUMBERS)} or categorical:<number of values> for every "
            "species."
        )
    return int(several[1]) if several else NUMBERS[family]
