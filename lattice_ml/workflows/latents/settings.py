"""What is asked of the latents of a trained encoder: what one section ``latents`` of a configuration says."""

from __future__ import annotations

from typing import Literal

from lattice_ml.ground.ranges import Count, Settings


class LatentSettings(Settings):
    """dimensions: numbers of latents to compare, each in a training of its own; None: none. information: estimator of
    mutual information, ``gmm``, beside which the results hold ``ksg`` as a check, or ``ksg`` alone. configurations:
    held-out ones whose latents are looked at, at most. prior_samples: configurations drawn from the prior and compared
    with held-out ones, at least one a trajectory. permutations: of the two-sample test.
    """

    dimensions: list[Count] | None = None
    information: Literal["gmm", "ksg"] = "gmm"
    configurations: Count = 1000
    prior_samples: Count = 150
    permutations: Count = 999
