"""The checkerboard of the flux form: colours, conservation, bits, and the probability of every single change."""

import numpy as np
import pytest
from scipy.special import gammaln

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.checkerboard import Checkerboard
from lattice_ml.systems.complex_scalar.checkerboard_updates import UNIT, lines, links, measure_f, plaquettes
from lattice_ml.systems.complex_scalar.colours import SPACE, TIME, link_colours, plaquette_colours
from lattice_ml.systems.complex_scalar.fluxes import divergence, site_sums
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.complex_scalar.weights import log_weights
from lattice_ml.systems.sampler import Lane

EXTENTS = [(2, 2), (2, 3), (3, 2), (3, 3), (4, 5), (5, 4), (2, 7), (6, 6)]
POINTS = ({"eta": 4.01, "mu": 0.7}, {"eta": 4.25, "mu": 1.5}, {"eta": 4.01, "mu": 0.7})


class ByLaunches(Cpu):
    """Launch by launch, as on a GPU, with the numba twins."""

    name = "launches"


def chains(extents, points=POINTS, first=0, device=None):
    system, device = ComplexScalar(extents), device or Cpu()
    lanes = [Lane(point, first + replica, ()) for replica, point in enumerate(points)]
    states = np.stack([start_state(system, lane.point, 5, lane.replica, "hot") for lane in lanes])
    return Checkerboard(system, lanes, 5, device.put(states), device)


def after(checkerboard, *targets):
    """The states after so many sweeps, in one or several calls."""
    done = np.zeros(len(checkerboard.states), dtype=np.uint64)
    for target in targets:
        checkerboard.advance(done, np.full(len(done), target, dtype=np.uint64))
        done = np.full(len(done), target, dtype=np.uint64)
    return checkerboard.states


# --- colours ---


@pytest.mark.parametrize("extents", [(a, b) for a in range(2, 8) for b in range(2, 8)])
def test_plaquettes_of_a_colour_share_no_site(extents):
    height, width = extents
    seen = []
    for t0, nt, x0, nx in plaquette_colours(extents):
        corners = []
        for t in range(t0, t0 + 2 * nt, 2):
            for x in range(x0, x0 + 2 * nx, 2):
                seen.append((t, x))
                corners += [((t + a) % height, (x + b) % width) for a in (0, 1) for b in (0, 1)]
        assert len(corners) == len(set(corners))
    assert sorted(seen) == list(np.ndindex(extents))


@pytest.mark.parametrize("direction", [TIME, SPACE])
@pytest.mark.parametrize("extents", [(a, b) for a in range(2, 8) for b in range(2, 8)])
def test_links_of_a_colour_share_no_site(extents, direction):
    seen = []
    for t0, nt, st, x0, nx, sx in link_colours(extents, direction):
        ends = []
        for t in range(t0, t0 + st * nt, st):
            for x in range(x0, x0 + sx * nx, sx):
                seen.append((t, x))
                there = ((t + 1) % extents[0], x) if direction == TIME else (t, (x + 1) % extents[1])
                ends += [(t, x), there]
        assert len(ends) == len(set(ends))
    assert sorted(seen) == list(np.ndindex(extents))


# --- sweeps ---


@pytest.mark.parametrize("extents", EXTENTS)
def test_sweeps_conserve_flux_and_keep_f(extents):
    checkerboard = chains(extents)
    start = checkerboard.states.copy()
    states = after(checkerboard, 20)
    assert not divergence(states).any()
    assert states[:, 2:].min() >= 0
    assert np.array_equal(checkerboard.f, site_sums(states))
    assert all((now != then).any() for now, then in zip(states, start, strict=True))


@pytest.mark.parametrize("extents", EXTENTS)
def test_one_call_is_all_launches(extents):
    fused, launched = chains(extents), chains(extents, device=ByLaunches())
    assert np.array_equal(after(fused, 7), after(launched, 7))
    assert np.array_equal(fused.line_acceptance(7), launched.line_acceptance(7))


def test_bits_depend_on_the_lane_alone():
    """Not on how its sweeps are cut into calls, on its neighbours, or on a neighbour's larger tables."""
    together = after(chains((5, 4)), 9).copy()
    assert np.array_equal(after(chains((5, 4)), 2, 3, 9), together)
    alone = [after(chains((5, 4), [point], n), 9)[0] for n, point in enumerate(POINTS)]
    assert np.array_equal(np.stack(alone), together)
    assert len({state.tobytes() for state in together}) == len(together)


def test_lanes_at_their_targets_stay():
    checkerboard = chains((4, 5))
    start = checkerboard.states.copy()
    checkerboard.advance(np.array([0, 3, 0], np.uint64), np.array([4, 3, 2], np.uint64))
    assert [bool((now != then).any()) for now, then in zip(checkerboard.states, start, strict=True)] == [
        True, False, True,
    ]  # fmt: skip


# --- every single change ---


def log_weight(system, point, state):
    """log of the weight of one configuration, from the definition."""
    k, free = np.abs(state[:2].astype(int)), state[2:].astype(int)
    f = site_sums(state)
    log_w = log_weights(point["eta"], system.lam, int(f.max()) + 2)
    bonds = gammaln(k + free + 1) + gammaln(free + 1)
    return point["mu"] * state[0].sum() - bonds.sum() + log_w[f].sum()


def changed(state, kind, place, sign):
    """A copy of a state after one change of ±1."""
    new, (height, width) = state.copy(), state.shape[1:]
    t, x = place
    later, right = (t + 1) % height, (x + 1) % width
    if kind == "plaquette":
        new[0, t, x] += sign
        new[1, later, x] += sign
        new[0, t, right] -= sign
        new[1, t, x] -= sign
    elif kind == "line in time":
        new[0, :, x] += sign
    elif kind == "line in space":
        new[1, t] += sign
    else:
        new[2 + (kind == "l in space"), t, x] += sign
    return new


COPIES = 3000


@pytest.mark.parametrize("kind", ["plaquette", "l in time", "l in space", "line in time", "line in space"])
@pytest.mark.parametrize("extents", [(2, 2), (4, 3)])
def test_probability_of_every_change(extents, kind):
    """A launch on 3,000 copies of a state: each change is made as often as half of min(1, ratio of weights) says.

    With that comes detailed balance. Some 500 changes are compared, each within 5 standard errors.
    """
    system, point = ComplexScalar(extents), {"eta": 4.01, "mu": 1.1}
    state = start_state(system, point, 2, 3, "hot")
    copies = chains(extents, [point] * COPIES)
    height, width = copies.sizes
    done, target = np.zeros(COPIES, np.uint64), np.ones(COPIES, np.uint64)
    common = (np.uint64(0), target)
    tables = (copies.which, copies.by_two, copies.levels, copies.factor)
    worst = 0.0

    def judge(places):
        nonlocal worst
        for place in places:
            for sign in (-1, 1):
                new = changed(state, kind, place, sign)
                allowed = new[2:].min() >= 0
                ratio = np.exp(log_weight(system, point, new) - log_weight(system, point, state)) if allowed else 0.0
                expected = min(1.0, ratio) / 2
                made = (copies.states == new)[:, species][(slice(None), *where(place))].all(axis=-1).mean()
                error = np.sqrt(max(expected * (1 - expected), 1e-9) / COPIES)
                worst = max(worst, abs(made - expected) / error)

    def where(place):
        t, x = place
        if kind == "line in time":
            return slice(None), x
        if kind == "line in space":
            return t, slice(None)
        return t, slice(x, x + 1)

    def reset():
        copies.states[...] = state
        measure_f(np.uint32(COPIES * height * width), height, width, done, *common, copies.states, copies.f)

    direction = int(kind.endswith("space"))
    species = 2 + direction if kind.startswith("l in") else direction
    if kind == "plaquette":
        for *place, groups, first in copies.site_rows:
            reset()
            plaquettes(
                np.uint32(COPIES * groups), groups, *place, height, width, first, copies.blocks[0], done, *common,
                copies.keys[0], *tables, copies.f, copies.states,
            )  # fmt: skip
            t0, nt, x0, nx = map(int, place)
            judge([(t0 + 2 * i, x0 + 2 * j) for i in range(nt) for j in range(nx)])
    elif kind.startswith("l in"):
        for way, *place, groups, first in copies.link_rows:
            if way != direction:
                continue
            reset()
            links(
                np.uint32(COPIES * groups), groups, way, *place, height, width, first, copies.blocks[1], done, *common,
                copies.keys[1], *tables, copies.f, copies.states,
            )  # fmt: skip
            t0, nt, st, x0, nx, sx = map(int, place)
            judge([(t0 + st * i, x0 + sx * j) for i in range(nt) for j in range(nx)])
    else:
        reset()
        across, first = (width, np.uint32(0)) if direction == TIME else (height, width)
        lines(
            np.uint32(COPIES * across), np.uint32(direction), height, width, first, copies.blocks[2], done, *common,
            copies.keys[2], *tables, copies.fugacity, copies.f, copies.states, copies.accepted,
        )  # fmt: skip
        judge([(0, n) if direction == TIME else (n, 0) for n in range(int(across))])
    assert np.array_equal(copies.f, site_sums(copies.states))
    assert 0 < worst < 5


@pytest.mark.parametrize("excess", [-1.0, -1e4, 1e4])
@pytest.mark.parametrize("half", [0, 1], ids=["up first", "down first"])
def test_lines_whose_product_leaves_the_range_of_floats(excess, half):
    """40,000 sites long: a half of the links holds l = 6, and mu is such that the ratio is exp(excess) in the end."""
    system, length = ComplexScalar((40000, 2)), 40000
    state = np.zeros((4, length, 2), np.int16)
    state[2, half * length // 2 : (half + 1) * length // 2] = 6
    copies = Checkerboard(system, [Lane({"eta": 4.01, "mu": 0.0}, 0, ())], 0, state[None], Cpu())
    words = np.empty((1, 4), np.uint32)
    rng.fill_words(copies.keys[2][0], 0, words)
    sign = 1 if words[0, 0] & 1 else -1
    point = {"eta": 4.01, "mu": 0.0}
    new = changed(state, "line in time", (0, 0), sign)
    rest = log_weight(system, point, new) - log_weight(system, point, state)
    between = length / 2 * (np.log(copies.factor[6, 1] * copies.by_two[0, 24, 1]) - rest / length)
    assert abs(between) > 750  # half way, at excess = 0, float64 ends at exp(709)
    copies.fugacity[...] = np.exp((excess - rest) / length)
    height, width = copies.sizes
    none, one = np.zeros(1, np.uint64), np.ones(1, np.uint64)
    measure_f(np.uint32(height * width), height, width, none, np.uint64(0), one, copies.states, copies.f)
    lines(
        np.uint32(2), np.uint32(TIME), height, width, np.uint32(0), copies.blocks[2], none, np.uint64(0), one,
        copies.keys[2], copies.which, copies.by_two, copies.levels, copies.factor, copies.fugacity, copies.f,
        copies.states, copies.accepted,
    )  # fmt: skip
    expected = np.exp(min(excess, 0.0))
    assert copies.accepted[0, 0] / UNIT == pytest.approx(expected, abs=1e-7)
    uniform = ((int(words[0, 1]) << 21 | int(words[0, 2]) >> 11) + 0.5) * 2.0**-53
    assert bool((copies.states[0] == new)[0, :, 0].all()) == (uniform < expected)
