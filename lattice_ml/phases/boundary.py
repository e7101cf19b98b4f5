"""Phase boundaries from class probabilities: where neighbouring phases are equally probable, with error bars.

Along the control parameter T the phases a, b, c, ... appear in a known order. With <P_a>(T) the probability of
phase a averaged over samples and replicas,

    T(a|b):  <P_a>(T) = <P_b>(T),

the difference being interpolated linearly between the grid temperatures (Casert et al., PRE 99, 023304, Fig. 5: "the
temperatures where the class probabilities cross").

Noise makes the difference change sign more than once, and far from its transition it is a difference of two numbers
near zero whose sign means nothing. So the grid interval is chosen from all classes at once: every grid temperature is
given a phase such that the phases come in order and the total probability sum_T <P_phase(T)>(T) is greatest. Between
neighbouring temperatures of different phases of that assignment <P_a> - <P_b> always changes sign, from positive to
negative: if it did not, moving one temperature over would raise the total. A phase that the assignment leaves out has
no window, and then a and c meet directly: the transition is named "a|c", those with b are reported as absent.

Error: the standard deviation of T(a|b) when the replicas of every temperature are resampled with replacement (all
samples of a replica move together, since they are one trajectory; trajectories at different temperatures are
independent), times sqrt(R / (R - 1)) because the bootstrap variance of a mean of R replicas is smaller than the true
one by (R - 1) / R; in quadrature with the grid, spacing / sqrt(12), the standard deviation of a point that is uniform
in its interval. With two replicas the error is itself uncertain: one error covers what it should, but three may not.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.ground import boundary_rows
from lattice_ml.phases.scan import place_of
from lattice_ml.systems.base import Point

RESAMPLES = 1000
CERTAINTY = 0.75  # share of the resampled scans that must have a crossing for it to be reported


def boundaries(
    control: Float[np.ndarray, " point"],
    probabilities: Float[np.ndarray, "point replica sample class"],
    phases: Sequence[str],
    name: str,
    method: str = "cnn",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Transitions between neighbouring phases along one scan of the control parameter.

    control: values of the control parameter (units of k_B for T), in any order, no value twice.
    probabilities: class probabilities of every configuration, classes in the order of ``phases``.
    phases: in the order in which the rising control parameter crosses them. name: of the control parameter; it and the
    method go into the entries. seed: of the bootstrap.

    Returns one entry per pair of neighbours, in order, ``{"transition": "L|L+G", "control": "T", "value": 0.41,
    "error": 0.01, "method": "cnn"}``. Where the scan does not cross, ``value`` and ``error`` are None and ``reason``
    says why; where phases in between have no window, the direct crossing follows as one more entry, ``"L|G"``. With a
    single replica ``error`` is None, with the ``reason``. Raises ``ValueError`` on shapes that do not fit or values
    that are not finite.
    """
    control = np.asarray(control, dtype=np.float64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 4 or len(control) != len(probabilities) or probabilities.shape[-1] != len(phases):
        raise ValueError(f"{probabilities.shape} is not [point, replica, sample, class] for {len(control)} × {phases}")
    if not np.isfinite(probabilities).all() or len(np.unique(control)) != len(control):
        raise ValueError("probabilities must be finite and the control parameter must not repeat")
    order = np.argsort(control)
    control, replicas = control[order], probabilities[order].mean(axis=2)

    assigned = ordered_assignment(replicas.mean(axis=1))
    found = crossings(control, replicas.mean(axis=1)[None])
    spread = crossings(control, _resampled(replicas, seed))

    def entry(a: int, b: int) -> dict[str, Any]:
        outcome = boundary_rows.entry(f"{phases[a]}|{phases[b]}", name, method)
        if (a, b) not in found:
            return outcome | {"reason": _absence(a, b, assigned, control, phases, name)}
        hits = spread[a, b][0] if (a, b) in spread else np.empty(0)
        share = len(hits) / RESAMPLES
        if replicas.shape[1] > 1 and share < CERTAINTY:
            return outcome | {"reason": f"only {share:.0%} of the resampled scans have this crossing"}
        value, spacing = found[a, b][:, 0]
        outcome["value"] = float(value)
        if replicas.shape[1] == 1:
            return outcome | {"reason": "no error: a single replica cannot be resampled"}
        correction = replicas.shape[1] / (replicas.shape[1] - 1)
        outcome["error"] = float(np.sqrt(np.var(hits) * correction + spacing**2 / 12))
        return outcome

    neighbours = [(k, k + 1) for k in range(len(phases) - 1)]
    direct = sorted(pair for pair in found if pair not in neighbours)
    return [entry(a, b) for a, b in neighbours + direct]


def boundary_table(
    points: Sequence[Point],
    probabilities: Float[np.ndarray, "point replica sample class"],
    phases: Sequence[str],
    control: str,
    method: str = "cnn",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The boundaries of every scan in an ensemble: points that differ in the control parameter alone form a scan.

    points: control parameters of each point, e.g. ``{"T": 0.3, "rho0": 3.0}``; probabilities as in ``boundaries``.
    Returns its entries, each headed by the scan's other parameters: ``{"rho0": 3.0, "transition": "L|L+G",
    "control": "T", "value": ..., "error": ..., "method": "cnn"}``, sorted by them.
    """
    scans: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for index, point in enumerate(points):
        scans.setdefault(place_of(point, control), []).append(index)
    table = []
    for place, members in sorted(scans.items()):
        values = np.array([points[i][control] for i in members])
        entries = boundaries(values, np.asarray(probabilities)[members], phases, control, method, seed)
        table += [dict(place) | entry for entry in entries]
    return table


def ordered_assignment(mean: Float[np.ndarray, "*scans point class"]) -> Int64[np.ndarray, "*scans point"]:
    """The non-decreasing sequence of classes k(T) that maximises sum_T mean[T, k(T)], for each scan.

    mean: class weights along the scans, points sorted by the control parameter. Dynamic programming over the points:
    the best total that ends in class k is mean[T, k] plus the best total that ended in any class <= k before.
    """
    total = np.empty_like(mean)
    total[..., 0, :] = mean[..., 0, :]
    for t in range(1, mean.shape[-2]):
        total[..., t, :] = np.maximum.accumulate(total[..., t - 1, :], axis=-1) + mean[..., t, :]
    assigned = np.empty(mean.shape[:-1], dtype=np.int64)
    assigned[..., -1] = total[..., -1, :].argmax(axis=-1)
    classes = np.arange(mean.shape[-1])
    for t in range(mean.shape[-2] - 1, 0, -1):
        reachable = np.where(classes <= assigned[..., t, None], total[..., t - 1, :], -np.inf)
        assigned[..., t - 1] = reachable.argmax(axis=-1)
    return assigned


def crossings(
    control: Float[np.ndarray, " point"], mean: Float[np.ndarray, "scan point class"]
) -> dict[tuple[int, int], Float[np.ndarray, "2 hit"]]:
    """(a, b) -> where <P_a> = <P_b> and the spacing of the grid there, for every scan that changes from a to b."""
    assigned = ordered_assignment(mean)
    found = {}
    for a, b in itertools.combinations(range(mean.shape[-1]), 2):
        scan, t = np.nonzero((assigned[:, :-1] == a) & (assigned[:, 1:] == b))
        if len(scan):
            difference = mean[..., a] - mean[..., b]
            before, after = difference[scan, t], difference[scan, t + 1]
            spacing = control[t + 1] - control[t]
            # before >= 0 >= after; both are zero only where the two phases are equally probable at both temperatures.
            change = before - after
            fraction = np.divide(before, change, out=np.full_like(change, 0.5), where=change > 0)
            found[a, b] = np.stack((control[t] + fraction * spacing, spacing))
    return found


def _resampled(replicas: Float[np.ndarray, "point replica class"], seed: int) -> Float[np.ndarray, "scan point class"]:
    """Bootstrap scans: at every temperature on its own, as many replicas drawn with replacement as there are."""
    points, count, _ = replicas.shape
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=(RESAMPLES, points))
    return np.einsum("spr,prc->spc", weights / count, replicas)


def _absence(
    a: int,
    b: int,
    assigned: np.ndarray,
    control: Float[np.ndarray, " point"],
    phases: Sequence[str],
    name: str,
) -> str:
    """Why the scan has no transition a|b, in words."""
    span = f"{name} = {control[0]:g} ... {control[-1]:g}"
    present = sorted(set(assigned.tolist()))
    if len(present) == 1:
        return f"the whole scan, {span}, is {phases[present[0]]}"
    missing = [phases[k] for k in (a, b) if k not in present]
    return f"{' and '.join(missing)} is nowhere the most probable phase in {span}"
