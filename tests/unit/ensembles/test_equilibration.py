"""Ensembles that are equilibrated pass, stuck and correlated ones are refused, whoever asks, unless forced."""

import json
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import norm

from lattice_ml.ensembles.equilibration import SIGNIFICANCE, assess, judge, require_equilibrated, verdict_in_words
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.hot_and_cold import compare
from lattice_ml.ensembles.layout import VERDICT
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.ising.physics import Ising

SYSTEM = ComplexScalar((4, 3))


@dataclass
class Straight:
    """Closed states of Q straight lines in time and l on all links, drawn anew with a probability at every sample.

    fresh: 1 makes independent samples, 0 keeps those of the start. hot: Q of odd replicas is higher by this.
    """

    fresh: float = 1.0
    hot: int = 0
    device: Cpu = field(default_factory=Cpu)
    recorded: int = 0

    def validate(self, system, point, times):
        """Reaches every point."""

    def lanes_at_once(self, system, point, readouts):
        return 1

    def settings(self, point):
        return {"fresh": self.fresh, "hot": self.hot}

    def record(self, system, point):
        self.recorded += 1
        return {"algorithm": "straight"}

    def sample(self, system, lanes, seed, start, tick):
        out = np.zeros((len(lanes), len(lanes[0].times), 4, *system.extents), dtype=np.int16)
        for states, (point, replica, _) in zip(out, lanes, strict=True):
            random = np.random.default_rng(zlib.crc32(f"{seed} {sorted(point.items())} {replica}".encode()))
            for n, state in enumerate(states):
                if n and random.random() >= self.fresh:
                    state[...] = states[n - 1]
                    continue
                state[0, :, 0] = random.poisson(2) + self.hot * (replica % 2)
                state[2:] = random.poisson(0.3, size=(2, *system.extents))
        for states, (point, _, _) in zip(out, lanes, strict=True):
            states[:, 1, 0, 1] = point.get("worms", 0)
        return out


def sampled(path, sampler, grid=None, replicas=8, samples=50, start="hot_and_cold"):
    plan = plan_grid("flux", grid or {"eta": [4.01], "mu": [0.9, 1.0]}, replicas, samples, 3, Protocol(start=start))
    generate(SYSTEM, sampler, plan, path, threads=1)
    return path


def test_a_verdict_does_not_outlive_its_configurations(tmp_path):
    path = sampled(tmp_path / "a.zarr", Straight(fresh=0.0, hot=2))
    assert assess(SYSTEM, Straight(fresh=0.0, hot=2), path)["passed"] is False
    for chunk in (path / "configurations").glob("c.*"):
        chunk.unlink()
    sampled(path, Straight())
    assert not (path / VERDICT).exists()
    assert assess(SYSTEM, Straight(), path)["passed"] is True


def test_equilibrated(tmp_path):
    sampler = Straight()
    path = sampled(tmp_path / "good.zarr", sampler)
    verdict = assess(SYSTEM, sampler, path)
    assert verdict["passed"], verdict["reason"]
    require_equilibrated(path)
    apart = [abs(found["z"]) for point in verdict["points"] for found in point["observables"].values()]
    assert verdict_in_words(path) == (
        f"equilibrated: hot and cold starts are at most {max(apart):.1f} standard errors apart, "
        f"{norm.isf(verdict['threshold'] / 2):.1f} would be refused; sampled by straight at 2 points"
    )
    point = verdict["points"][0]
    assert point["record"] == {"algorithm": "straight"}
    assert sum(point["winding"]["hot"]) == sum(point["winding"]["cold"]) == 200
    assert np.average(point["winding"]["values"], weights=point["winding"]["cold"]) == pytest.approx(
        point["observables"]["Q"]["cold"]
    )
    assert point["observables"]["n"]["tau"] == pytest.approx(0.5, abs=4 * np.sqrt(3 / 400))


def test_a_verdict_is_made_once(tmp_path):
    sampler = Straight()
    path = sampled(tmp_path / "once.zarr", sampler)
    first = assess(SYSTEM, sampler, path)
    (path / VERDICT).touch()
    written = (path / VERDICT).stat()
    assert assess(SYSTEM, sampler, path) == first
    assert sampler.recorded == 2
    assert (path / VERDICT).stat().st_mtime_ns == written.st_mtime_ns


def test_stuck_in_the_sectors_of_the_start(tmp_path, refused):
    sampler = Straight(fresh=0.0)
    path = sampled(tmp_path / "stuck.zarr", sampler, {"eta": [4.01], "mu": [1.0]})
    assert not assess(SYSTEM, sampler, path)["passed"]
    assert "is not equilibrated: at eta = 4.01, mu = 1 " in refused(require_equilibrated, path)
    told = verdict_in_words(path)
    assert told.startswith("not equilibrated, and refused by training: at eta = 4.01, mu = 1 ")
    assert told.endswith("; sampled by straight at 1 point")
    require_equilibrated(path, force=True)


def test_starts_that_disagree(tmp_path, refused):
    """Every chain looks right for itself; the worst point is named, with both means."""
    path = sampled(tmp_path / "apart.zarr", Straight(hot=2))
    verdict = assess(SYSTEM, Straight(hot=2), path)
    assert [point["passed"] for point in verdict["points"]] == [False, False]
    found = verdict["points"][0]["observables"]["n"]
    assert found["hot"] - found["cold"] == pytest.approx(
        2 / 3, abs=5 * np.hypot(found["hot_error"], found["cold_error"])
    )
    assert "from hot and" in refused(require_equilibrated, path)


def test_too_close_together(tmp_path, refused):
    """A quarter of the configurations is new: hot and cold agree, and tau is 3.5 spacings."""
    path = sampled(tmp_path / "close.zarr", Straight(fresh=0.25), samples=100)
    verdict = assess(SYSTEM, Straight(fresh=0.25), path)
    assert all(found["p"] > verdict["threshold"] for found in verdict["points"][0]["observables"].values())
    assert "spacings" in refused(require_equilibrated, path)


def test_a_little_too_close_shows_in_the_mean_over_points(tmp_path, refused):
    """tau = 1 spacing, at no point beyond doubt."""
    random = np.random.default_rng(0)
    points = []
    for mu in range(60):
        chains = random.normal(size=(8, 25))
        for n in range(1, 25):
            chains[:, n] = chains[:, n - 1] / 3 + np.sqrt(8 / 9) * chains[:, n]
        points.append({"point": {"mu": float(mu)}, "record": {}, **compare({"n": chains}, ("n",))})
    verdict = judge(points)
    assert all(point["passed"] for point in verdict["points"])
    assert not verdict["passed"]
    assert "in the mean over all points" in verdict["reason"]


def test_thousands_of_right_points_pass():
    """Of 500 verdicts on independent numbers 0.5 may be wrong: four are with a probability of 0.002."""
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(500):
        point = {"point": {}, "record": {}, **compare({"n": random.normal(size=(8, 25))}, ("n",))}
        wrong += not judge([point])["passed"]
    assert wrong <= 3
    points = [
        {
            "point": {},
            "record": {},
            **compare({"n": random.normal(size=(4, 25)), "Q": random.poisson(2, (4, 25))}, ("n",)),
        }
        for _ in range(2000)
    ]
    verdict = judge(points)
    assert verdict["threshold"] == SIGNIFICANCE / verdict["comparisons"]
    assert verdict["passed"], verdict["reason"]


def test_blocked_errors_are_those_of_correlated_chains():
    """z of equal laws has a variance of about 1 at the correlation that is allowed (± 0.13 at 3 sigma)."""
    random, scores = np.random.default_rng(2), []
    for _ in range(1000):
        chains = random.normal(size=(8, 50))
        for n in range(1, 50):
            chains[:, n] = 0.2 * chains[:, n - 1] + np.sqrt(0.96) * chains[:, n]
        scores.append(compare({"n": chains}, ("n",))["observables"]["n"]["z"])
    assert 0.87 < np.var(scores) < 1.25


def test_a_rare_sector_is_no_correlation():
    """Two visits to Q = 1, each of three configurations on end."""
    chains = np.zeros((8, 25))
    chains[1, 3:6] = chains[4, 10:13] = 1.0
    found = compare({"n": chains, "Q": chains}, ("n",))
    assert judge([{"point": {"mu": 0.9}, "record": {}, **found}])["passed"]


def test_open_worms_are_compared_by_their_starts_alone(tmp_path):
    path = sampled(tmp_path / "worms.zarr", Straight(), {"eta": [4.01], "mu": [1.0], "worms": [0, 1]})
    closed, broken = assess(SYSTEM, Straight(), path)["points"]
    assert "winding" in closed
    assert "winding" not in broken
    assert set(broken["observables"]) == {"n", "phi2"}
    assert "tau" not in broken["observables"]["n"]
    require_equilibrated(path)


def test_one_kind_of_start_proves_nothing(tmp_path, refused):
    path = sampled(tmp_path / "cold.zarr", Straight(), start="cold")
    assert not assess(SYSTEM, Straight(), path)["passed"]
    assert "give ensemble.protocol.start=hot_and_cold" in refused(require_equilibrated, path)


def test_nobody_has_asked_yet(tmp_path, refused):
    path = sampled(tmp_path / "new.zarr", Straight())
    assert "was not checked for equilibrium" in refused(require_equilibrated, path)
    require_equilibrated(path, force=True)


def test_systems_with_nothing_watched(tmp_path, system, sampler, plan):
    generate(system, sampler, plan, tmp_path / "gas.zarr", threads=1)
    assert assess(system, sampler, tmp_path / "gas.zarr") is None
    assert not (tmp_path / "gas.zarr" / VERDICT).exists()
    assert verdict_in_words(tmp_path / "gas.zarr") == ""
    require_equilibrated(tmp_path / "gas.zarr")
    assert Ising.watched == ()


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"schema": "other/1", "passed": true}', "\xff"])
def test_a_damaged_verdict(tmp_path, refused, content):
    path = sampled(tmp_path / "damaged.zarr", Straight())
    (path / VERDICT).write_text(content, encoding="latin-1")
    assert "and it is made anew" in refused(require_equilibrated, path)
    assert "and it is made anew" in refused(assess, SYSTEM, Straight(), path)


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_too_few_to_tell_are_refused_before_they_are_sampled(tmp_path, refused, replicas):
    path = tmp_path / "few.zarr"
    assert "so few configurations" in refused(sampled, path, Straight(), replicas=replicas, samples=1)
    assert not path.exists()


def test_a_verdict_is_plain_json(tmp_path):
    """Also where nothing varies: no NaN, no infinity."""
    path = sampled(tmp_path / "frozen.zarr", Straight(fresh=0.0), replicas=2, samples=5)
    assess(SYSTEM, Straight(fresh=0.0), path)
    json.loads((path / VERDICT).read_text(), parse_constant=lambda name: pytest.fail(name))
