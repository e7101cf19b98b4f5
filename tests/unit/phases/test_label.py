"""Names for planted clusters and planted flocks."""

import json

import numpy as np
import pytest
import xarray as xr

from lattice_ml.ground.errors import UserError
from lattice_ml.phases.embed import Embedding
from lattice_ml.phases.label import find_clusters, join_noise, name_clusters
from lattice_ml.systems.active_ising.naming import flocking_phases
from lattice_ml.systems.active_ising.physics import ActiveIsing

SYSTEM = ActiveIsing(extents=(18, 9))
TEMPERATURES = np.round(np.linspace(0.2, 1.0, 9), 10)
REPLICAS, SAMPLES, RHO0 = 4, 6, 3


def planted_state(phase, sign, shift, rng):
    """One configuration [species, x, y] of Poisson counts: homogeneous and aligned, a band, or a gas."""
    density = np.full(18, float(RHO0))
    plus = np.full(18, 0.5 + 0.48 * sign)
    if phase == "L+G":
        density[:9], density[9:], plus[9:] = 5.0, 1.0, 0.5
    if phase == "G":
        plus[:] = 0.5
    density, plus = np.roll(density, shift), np.roll(plus, shift)
    rates = np.stack((density * plus, density * (1 - plus)))
    return rng.poisson(np.repeat(rates[:, :, None], 9, axis=2)).astype(np.uint16)


def planted_ensemble(lower=0.35, upper=0.75, seed=0):
    """An ensemble with phases by temperature, and what UMAP would make of it: one blob for each phase and sign."""
    rng = np.random.default_rng(seed)
    centres = {"L": (8.0, 4.0), "L+G": (8.0, -4.0), "G": (0.0, 0.0)}
    states, plane, images = [], [], []
    for temperature in TEMPERATURES:
        phase = "L" if temperature < lower else "L+G" if temperature < upper else "G"
        for _ in range(REPLICAS):
            sign = rng.choice([-1, 1])
            for _ in range(SAMPLES):
                states.append(planted_state(phase, sign, rng.integers(18), rng))
                x, y = centres[phase]
                plane.append((sign * x, y))
                images.append([(-sign * x, y), (sign * x, y)])
    shape = (len(TEMPERATURES), REPLICAS, SAMPLES)
    ensemble = xr.Dataset(
        {
            "configurations": (
                ("point", "replica", "sample", "species", "x", "y"),
                np.reshape(states, (*shape, 2, 18, 9)),
            )
        },
        coords={"T": ("point", TEMPERATURES), "rho0": ("point", np.full(len(TEMPERATURES), float(RHO0)))},
    )
    blank = np.zeros((1, 1, 18, 9), dtype=np.float32)
    embedding = Embedding(
        ratios=np.ones(1),
        components=blank,
        mean=blank[0],
        principal=np.zeros((len(states), 1), dtype=np.float32),
        plane=(np.array(plane) + rng.normal(0, 0.3, (len(states), 2))).astype(np.float32),
        images=(np.array(images) + rng.normal(0, 0.3, (len(states), 2, 2))).astype(np.float32),
        symmetry=np.tile([1, 0], (len(states), 1)),
    )
    return ensemble, embedding


def test_planted_phases_are_named_and_located():
    ensemble, embedding = planted_ensemble()
    labels = name_clusters(embedding, ensemble, SYSTEM)
    assert labels.phases == ("L", "L+G", "G")
    expected = np.digitize(TEMPERATURES, [0.35, 0.75])
    assert np.array_equal(labels.labels, np.broadcast_to(expected[:, None, None], labels.labels.shape))
    assert labels.labels.dtype == np.int64
    assert np.array_equal(labels.phase, labels.labels)
    lower, upper = labels.transitions
    assert (lower["rho0"], lower["transition"], lower["method"]) == (3.0, "L|L+G", "umap")
    # All replicas agree: the crossing is the middle of the grid interval, the error the grid's.
    assert lower["value"] == pytest.approx(0.35)
    assert upper["value"] == pytest.approx(0.75)
    assert upper["error"] == pytest.approx(0.1 / np.sqrt(12))


def test_summary_is_plain_json():
    ensemble, embedding = planted_ensemble()
    summary = json.loads(json.dumps(name_clusters(embedding, ensemble, SYSTEM).summary()))
    assert summary["clusters"] == summary["groups"] == 5
    assert summary["moved"] == 0
    assert summary["counts"] == {"L": 48, "L+G": 96, "G": 72}
    assert summary["observables"]["L"]["order"] == pytest.approx(0.96, abs=0.02)


def test_points_may_come_in_any_order():
    ensemble, embedding = planted_ensemble()
    shuffle = np.random.default_rng(1).permutation(len(TEMPERATURES))

    def rows(array):
        return array.reshape(len(TEMPERATURES), -1, *array.shape[1:])[shuffle].reshape(array.shape)

    shuffled = Embedding(**{**vars(embedding), "plane": rows(embedding.plane), "images": rows(embedding.images)})
    labels = name_clusters(shuffled, ensemble.isel(point=shuffle), SYSTEM)
    assert np.array_equal(labels.labels[:, 0, 0], np.digitize(TEMPERATURES[shuffle], [0.35, 0.75]))


def test_a_scan_without_liquid_ends_in_a_sentence():
    ensemble, embedding = planted_ensemble(lower=0.1)
    with pytest.raises(UserError, match=r"shows 2 groups .* phases L, L\+G, G: see figures/embedding.png"):
        name_clusters(embedding, ensemble, SYSTEM)


def test_several_scans_are_refused():
    ensemble, embedding = planted_ensemble()
    doubled = ensemble.assign_coords(T=("point", np.repeat(TEMPERATURES[:5], 2)[:9]))
    with pytest.raises(UserError, match="single scan"):
        name_clusters(embedding, doubled, SYSTEM)


def test_clusters_of_the_plane():
    rng = np.random.default_rng(0)
    centres = np.array([(0, 0), (10, 0), (0, 10)])
    truth = np.repeat(np.arange(3), 60)
    raw = find_clusters((centres[truth] + rng.normal(0, 0.4, (180, 2))).astype(np.float32), 20)
    assert raw.max() == 2
    cluster = [np.unique(raw[(truth == k) & (raw >= 0)]) for k in range(3)]
    assert sorted(np.concatenate(cluster)) == [0, 1, 2]
    assert (raw >= 0).mean() > 0.9


def test_noise_joins_its_nearest_cluster():
    plane = np.array([(0, 0), (10, 0), (0, 10), (9, 1), (1, 8), (0, 1)], dtype=np.float32)
    cluster = np.array([0, 1, 2, -1, -1, -1])
    assert join_noise(plane, cluster).tolist() == [0, 1, 2, 1, 2, 0]
    assert join_noise(plane[:3], cluster[:3]).tolist() == [0, 1, 2]


def flock(order, modulation, each=20):
    group = np.repeat(np.arange(len(order)), each)
    return {"order": np.array(order)[group], "density_band": np.array(modulation)[group]}, group


@pytest.mark.parametrize(
    ("order", "modulation", "names"),
    [
        ((0.03, 0.6, 0.95), (0.02, 0.35, 0.01), ["G", "L+G", "L"]),
        # Fragments: the liquid by temperature, the band by temperature.
        ((0.99, 0.91, 0.83, 0.42, 0.04), (0.01, 0.02, 0.22, 0.32, 0.05), ["L", "L", "L+G", "L+G", "G"]),
        ((0.03, 0.6), (0.02, 0.35), None),  # no liquid
        ((0.03, 0.02, 0.95), (0.02, 0.03, 0.01), None),  # no band
        ((0.5, 0.6, 0.95), (0.02, 0.35, 0.01), None),  # a gas more ordered than half the band's order
    ],
)
def test_flocking_phases(order, modulation, names):
    assert flocking_phases(*flock(order, modulation)) == names


def test_groups_that_mix_phases_are_not_named():
    observables, group = flock((0.03, 0.8, 0.95), (0.02, 0.3, 0.01))
    observables["density_band"][20:23] = 0.01  # 15 % of the band's group has no band
    assert flocking_phases(observables, group) is None
