"""The pictures of committees beside the truth: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.phases.scan import Scan, scans_of
from lattice_ml.workflows.phase_diagram import figures as phase_figures

if TYPE_CHECKING:
    from lattice_ml.phases.binodal import Binodals
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.workflows.committee.parts import Judged, Part
    from lattice_ml.workflows.committee.results import Compared

STORY = (
    "boundary_check",
    "sizes",
    "probabilities",
    "physical_share",
    "saliency_nets",
    "kernels",
    "architecture",
    "embedding",
    "order_parameter",
    "training",
)
INSET = 5.0
"""The place whose class probabilities stand in the inset: the paper's density, or the nearest that there is."""


def draw(
    folder: Path, parts: Sequence[Part], compared: Sequence[Compared], labels: Labels, binodals: Binodals | None
) -> None:
    """Those of boundaries and training; the first committee's come first."""
    first, system = compared[0], parts[0].system
    here = [part for part in parts if part.system.extents == system.extents]
    for one in compared:
        name = "boundary_check" if one is first else f"boundary_check_l2={one.judged.l2:g}"
        draw_check(folder, name, system, one, mean_scans(here, one.judged), binodals)
    scans = mean_scans(here, first.judged)
    phase_figures.draw_probabilities(folder, system, scans, first.boundaries)
    if first.sizes:
        draw_sizes(folder, first, system, binodals)
    if len(compared) > 1:
        draw_shares(folder, compared)
    predicted = first.judged.found[parts[0].name].mean(axis=0).argmax(-1)
    counts = np.zeros((len(system.phases),) * 2, dtype=np.int64)
    truth = np.broadcast_to(labels.labels[:, :1, :1], predicted.shape)
    np.add.at(counts, (truth.ravel(), predicted.ravel()), 1)
    phase_figures.draw_training(folder, first.judged.history, counts, system.phases)


def mean_scans(parts: Sequence[Part], one: Judged) -> list[Scan]:
    """Class probabilities, averaged over the members, along every scan of the parts, in the order of their places."""
    found = [
        scan
        for part in parts
        for scan in scans_of(points_of(part.ensemble), one.found[part.name].mean(axis=0), part.system.control)
    ]
    return sorted(found, key=lambda scan: list(scan.place.values()))


def column(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    """Numbers of a table, nan where there is none."""
    return [np.nan if row[name] is None else row[name] for row in rows]


def draw_check(
    folder: Path, figure: str, system: System, one: Compared, scans: list[Scan], binodals: Binodals | None
) -> None:
    """The phase diagram with nets over the truth, and the lines of an infinite system where slabs were sampled."""
    from lattice_ml.figures.phases import boundary_check

    if not scans[0].place:
        return
    (name,) = scans[0].place
    inset = min(scans, key=lambda scan: abs(scan.place[name] - INSET))
    save(
        folder,
        figure,
        {
            "place": column(one.rows, name),
            "place_name": name,
            "transition": [row["transition"] for row in one.rows],
            "control_name": system.control,
            "value": column(one.rows, "found"),
            "error": column(one.rows, "found_error"),
            "true_value": column(one.rows, "truth"),
            "true_error": column(one.rows, "truth_error"),
            "phases": system.phases,
            "trained": sorted({row[name] for row in one.rows if row["trained"]}),
            "inset_control": inset.control,
            "inset_P": inset.mean,
            "inset_error": inset.error,
            "inset_place": inset.place[name],
            **lines(binodals, scans, name, system.phases),
        },
        boundary_check.draw,
    )
    caption(
        folder,
        figure,
        f"Boundaries of {len(one.T)} nets over the truth (lambda = {one.judged.l2:g})",
        "Crosses: mean over nets trained at one density alone, with the error that one net, begun with other "
        "weights and shown other configurations, would have. Circles: what the configurations themselves show on the "
        "same torus, nothing learned. Lines, where drawn: an infinite system, from the plateaus of bands on long tori. "
        "Inset: class probabilities at one density.",
        "Phase diagram: crosses of the nets over circles of the truth.",
    )


def lines(binodals: Binodals | None, scans: list[Scan], name: str, phases: Sequence[str]) -> dict[str, Any]:
    """The boundaries of an infinite system over the range of the places, nan where the slabs do not reach."""
    from lattice_ml.phases.binodal import T_of

    if binodals is None or name != "rho0":
        return {}
    place = np.linspace(scans[0].place[name], scans[-1].place[name], 61)
    T = np.array([column(T_of(binodals, float(rho0), phases), "value") for rho0 in place]).T
    return {"line_place": np.broadcast_to(place, T.shape), "line_value": T}


def draw_sizes(folder: Path, one: Compared, system: System, binodals: Binodals | None) -> None:
    """Boundaries against 1/L at the place of the training, nets beside the truth."""
    from lattice_ml.figures.phases import sizes
    from lattice_ml.phases.binodal import T_of

    own = [{"L": max(system.extents), **row} for row in one.rows if row["trained"]]
    rows = own + [row for row in one.sizes if any(_same_place(row, other) for other in own)]
    infinite = {}
    if binodals is not None:
        infinite = {"infinite_value": column(T_of(binodals, own[0]["rho0"], system.phases), "value")}
    save(
        folder,
        "sizes",
        {
            **infinite,
            "control_name": system.control,
            "L": [row["L"] for row in rows],
            "transition": [row["transition"] for row in rows],
            **{key: column(rows, name) for key, name in
               (("value", "found"), ("error", "found_error"), ("true_value", "truth"), ("true_error", "truth_error"))},
        },
        sizes.draw,
    )  # fmt: skip
    caption(
        folder,
        "sizes",
        "The boundaries on larger tori",
        "The same nets, trained on the smallest torus alone, beside the truth of each torus. Infinite systems are at "
        "the left.",
        "Boundaries against the inverse extent of the torus.",
    )


def _same_place(row: dict[str, Any], other: dict[str, Any]) -> bool:
    skip = {"L", "found", "found_error", "truth", "truth_error", "difference", "error", "trained", "transition"}
    return all(row[name] == value for name, value in other.items() if name not in skip)


def draw_shares(folder: Path, compared: Sequence[Compared]) -> None:
    """Which share of the nets extrapolates, against lambda."""
    from lattice_ml.figures.phases import physical_share
    from lattice_ml.workflows.committee.results import share

    told = [[share(which) for which in (one.physical, one.near)] for one in compared]
    save(
        folder,
        "physical_share",
        {
            "l2": [one.judged.l2 for one in compared],
            "criteria": ["physical", "within 0.03 everywhere"],
            "share": [column([row[k] for row in told], "value") for k in range(2)],
            "error": [column([row[k] for row in told], "error") for k in range(2)],
        },
        physical_share.draw,
    )
    caption(
        folder,
        "physical_share",
        "Which nets extrapolate",
        "Physical: the net finds both boundaries at every density, in order and each moving in one direction with the "
        "density. Within 0.03: no boundary is further from the truth. Errors are binomial.",
        "Share of nets that extrapolate against the strength of the L2 term.",
    )
