"""The pictures of committees beside the truth: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption, tell
from lattice_ml.phases.scan import Scan, scans_of
from lattice_ml.workflows import phase_figures

if TYPE_CHECKING:
    from lattice_ml.phases.label import Labels
    from lattice_ml.workflows.committee_results import Compared
    from lattice_ml.workflows.phase_committee import Judged, Part

STORY = (
    "boundary_check",
    "sizes",
    "probabilities",
    "physical_share",
    "embedding",
    "order_parameter",
    "pca",
    "training",
)
INSET = 5.0
"""The place whose class probabilities stand in the inset: the paper's density, or the nearest that there is."""


def draw(folder: Path, parts: Sequence[Part], compared: Sequence[Compared], labels: Labels) -> None:
    """All of them, in the order of the report; the first committee's come first."""
    first, system = compared[0], parts[0].system
    here = [part for part in parts if part.system.extents == system.extents]
    for one in compared:
        draw_check(folder, system.phases, one, mean_scans(here, one.judged), "" if one is first else one.judged.l2)
    scans = mean_scans(here, first.judged)
    phase_figures.draw_probabilities(folder, system.phases, scans, first.boundaries)
    if first.sizes:
        draw_sizes(folder, first, max(system.extents))
    if len(compared) > 1:
        draw_shares(folder, compared)
    predicted = first.judged.found[parts[0].name].mean(axis=0).argmax(-1)
    counts = np.zeros((len(system.phases),) * 2, dtype=np.int64)
    truth = np.broadcast_to(labels.labels[:, :1, :1], predicted.shape)
    np.add.at(counts, (truth.ravel(), predicted.ravel()), 1)
    phase_figures.draw_training(folder, first.judged.history, counts, system.phases)
    tell(folder, STORY)


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


def draw_check(folder: Path, phases: Sequence[str], one: Compared, scans: list[Scan], l2: float | str) -> None:
    """The phase diagram with nets over the truth; l2: "" for the committee that the report is about."""
    from lattice_ml.figures import boundary_check

    if not scans[0].place:
        return
    (name,) = scans[0].place
    inset = min(scans, key=lambda scan: abs(scan.place[name] - INSET))
    save(
        folder,
        "boundary_check" if l2 == "" else f"boundary_check_l2={l2:g}",
        {
            "place": column(one.rows, name),
            "place_name": name,
            "transition": [row["transition"] for row in one.rows],
            "T": column(one.rows, "found"),
            "error": column(one.rows, "found_error"),
            "true_T": column(one.rows, "truth"),
            "true_error": column(one.rows, "truth_error"),
            "phases": phases,
            "trained": sorted({row[name] for row in one.rows if row["trained"]}),
            "inset_T": inset.T,
            "inset_P": inset.mean,
            "inset_error": inset.error,
            "inset_place": inset.place[name],
        },
        boundary_check.draw,
    )
    caption(
        folder,
        "boundary_check" if l2 == "" else f"boundary_check_l2={l2:g}",
        f"Boundaries of {len(one.T)} nets over the truth (lambda = {one.judged.l2:g})",
        "Crosses: mean over nets trained at one density alone, with the error that one net, trained from another seed "
        "and shown other configurations, would have. Circles: what the configurations themselves show on the same "
        "torus, nothing learned. Inset: class probabilities at one density.",
        "Phase diagram: crosses of the nets over circles of the truth.",
    )


def draw_sizes(folder: Path, one: Compared, home: int) -> None:
    """Boundaries against 1/L at the place of the training, nets beside the truth."""
    from lattice_ml.figures import sizes

    own = [{"L": home, **row} for row in one.rows if row["trained"]]
    rows = own + [row for row in one.sizes if any(_same_place(row, other) for other in own)]
    save(
        folder,
        "sizes",
        {
            "L": [row["L"] for row in rows],
            "transition": [row["transition"] for row in rows],
            **{key: column(rows, name) for key, name in
               (("T", "found"), ("error", "found_error"), ("true_T", "truth"), ("true_error", "truth_error"))},
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
    from lattice_ml.figures import physical_share
    from lattice_ml.workflows.committee_results import share

    told = [[share(which) for which in (one.physical, one.near)] for one in compared]
    save(
        folder,
        "physical_share",
        {
            "l2": [one.judged.l2 for one in compared],
            "criteria": ["physical", "within 0.03 everywhere"],
            "share": [[row[k]["value"] for row in told] for k in range(2)],
            "error": [[row[k]["error"] for row in told] for k in range(2)],
        },
        physical_share.draw,
    )
    caption(
        folder,
        "physical_share",
        "Which nets extrapolate",
        "Physical: the net finds both boundaries at every density, in order and rising with the density. Within 0.03: "
        "no boundary is further from the truth. Errors are binomial.",
        "Share of nets that extrapolate against the strength of the L2 term.",
    )
