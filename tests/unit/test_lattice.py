"""Geometry of the torus."""

import numpy as np
import pytest

from lattice_ml.kernels import lattice

EXTENTS = [(3, 3), (9, 27), (5, 4)]


@pytest.mark.parametrize("extents", EXTENTS)
def test_neighbours_step_in_the_named_direction(extents):
    table = lattice.neighbours(extents)
    for site, (x, y) in enumerate(np.ndindex(*extents)):
        for direction, (dx, dy) in (
            (lattice.RIGHT, (1, 0)),
            (lattice.LEFT, (-1, 0)),
            (lattice.UP, (0, 1)),
            (lattice.DOWN, (0, -1)),
        ):
            assert table[site, direction] == (x + dx) % extents[0] * extents[1] + (y + dy) % extents[1]


@pytest.mark.parametrize("extents", EXTENTS)
def test_steps_by_edge_is_the_neighbour_table(extents):
    edge, step = lattice.steps_by_edge(extents)
    assert np.array_equal(np.arange(edge.size)[:, None] + step[edge], lattice.neighbours(extents))


def test_translate_and_mirror():
    states = np.zeros((2, 5, 4), dtype=np.uint16)
    states[1, 4, 3] = 7
    assert lattice.translate(states, 2, 3)[1, 1, 2] == 7
    assert lattice.mirror(states)[1, 0, 3] == 7
    assert np.array_equal(lattice.mirror(lattice.mirror(states)), states)
