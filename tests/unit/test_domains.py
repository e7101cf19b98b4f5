"""Domains: a partition of the torus, coloured so that neighbours differ, with the fewest colours."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.domains import NOBODY, colouring, cut

SIZES = list(itertools.product(range(1, 13), repeat=2))


@pytest.mark.parametrize("numbers", SIZES)
def test_neighbours_differ(numbers):
    colour = colouring(numbers)
    assert colour.shape == numbers
    for axis, number in enumerate(numbers):
        if number > 1:  # a single domain round a ring is its own neighbour, and that is no one else
            assert np.all(colour != np.roll(colour, 1, axis=axis))


@pytest.mark.parametrize("numbers", SIZES)
def test_fewest_colours(numbers):
    """One for a single domain, two where no ring is odd, three else: a ring of odd length needs them."""
    odd = any(number % 2 and number > 1 for number in numbers)
    fewest = 1 if numbers == (1, 1) else 3 if odd else 2
    assert np.array_equal(np.unique(colouring(numbers)), np.arange(fewest))


extents = st.tuples(st.integers(3, 100), st.integers(3, 100))
sizes = st.tuples(st.integers(1, 120), st.integers(1, 120))


@given(extents=extents, size=sizes)
def test_domains_cover_the_torus_once(extents, size):
    domains = cut(extents, size)
    owner = np.full(extents, -1)
    y_domains = len(domains.y_edges) - 1
    for domain in range(domains.count):
        (x, y), edges = divmod(domain, y_domains), (domains.x_edges, domains.y_edges)
        (x0, x1), (y0, y1) = (edge[n : n + 2] for edge, n in zip(edges, (x, y), strict=True))
        assert np.all(owner[x0:x1, y0:y1] == -1)
        owner[x0:x1, y0:y1] = domain
    assert owner.min() == 0
    # What matters in the end: of two neighbouring sites, either both are of one domain or their colours differ.
    colour_of = np.full(domains.count, -1)
    for colour, row in enumerate(domains.members):
        colour_of[row[row != NOBODY]] = colour
    assert colour_of.min() == 0
    for axis in (0, 1):
        beside = np.roll(owner, 1, axis=axis)
        assert np.all((owner == beside) | (colour_of[owner] != colour_of[beside]))


@given(extents=extents, size=sizes)
def test_sizes(extents, size):
    """At least as asked, as many as fit, as equal as they can be."""
    domains = cut(extents, size)
    for extent, least, edges in zip(extents, size, (domains.x_edges, domains.y_edges), strict=True):
        assert edges.dtype == np.uint32
        assert edges[0] == 0
        assert edges[-1] == extent
        widths = np.diff(edges.astype(np.int64))
        assert widths.min() >= min(least, extent)
        assert len(widths) == max(1, extent // least)
        assert widths.max() - widths.min() <= 1


@given(extents=extents, size=sizes)
def test_members(extents, size):
    domains = cut(extents, size)
    assert domains.members.dtype == np.uint32
    assert domains.members.flags.c_contiguous
    listed = domains.members[domains.members != NOBODY]
    assert np.array_equal(np.sort(listed), np.arange(domains.count))
    for row in domains.members:
        count = np.count_nonzero(row != NOBODY)
        assert count > 0
        assert np.all(np.diff(row[:count].astype(np.int64)) > 0)
        assert np.all(row[count:] == NOBODY)


def test_whole_lattice():
    domains = cut((81, 27), (81, 100))
    assert domains.count == 1
    assert domains.members.tolist() == [[0]]
    assert domains.x_edges.tolist() == [0, 81]


def test_odd_lattice():
    """The paper's L = 81 in domains of 9: nine each way, an odd ring."""
    domains = cut((81, 81), (9, 9))
    assert domains.count == 81
    assert sorted(np.count_nonzero(domains.members != NOBODY, axis=1)) == [24, 24, 33]


@pytest.mark.parametrize("size", [(0, 9), (9, -1), (9,), (9, 9, 9), (2.0, 2), ("9", 9), (True, 9)])
def test_no_domain(size):
    with pytest.raises(UserError, match=r"is no domain: give two whole numbers of at least 1, e\.g\. \[9,9\]\.$"):
        cut((27, 27), size)
