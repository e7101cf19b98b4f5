"""How phases are named without labels: what one section ``phases`` of a configuration says."""

from __future__ import annotations

from lattice_ml.ground.ranges import Count, Seed, Settings


class Naming(Settings):
    """components: principal components that configurations are embedded by. neighbours: of UMAP. seed: of both and of
    the clusters."""

    components: Count = 25
    neighbours: Count = 15
    seed: Seed = 0
