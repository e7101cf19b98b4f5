"""What white boxes learn from and are tested on: tables of features with their answers, and the judges that answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.store import points_of
from lattice_ml.explain.features import Features, ensemble_features
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.scan import place_of
from lattice_ml.phases.settings import Naming
from lattice_ml.workflows.common.protocol import on_torus

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import Point, System
    from lattice_ml.workflows.explanations.explained import Explained


class Table(NamedTuple):
    """Configurations of one ensemble on one torus, n over (point, replica, sample): features, integer ids.

    part: ensemble, survey or extrapolation. trajectory: (point, replica number) of every row. answers: ``[n, 1]``
    numbers of phases, -1 where nothing is known, or ``[n, target]`` observables.
    """

    part: str
    dataset: xr.Dataset
    system: System
    points: list[dict[str, float]]
    features: Features
    trajectory: Int64[np.ndarray, "n 2"]
    answers: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        sizes = self.dataset.sizes
        return sizes["point"], sizes["replica"], sizes["sample"]

    @property
    def torus(self) -> str:
        return " × ".join(map(str, self.system.extents))

    def replicas(self, chosen: np.ndarray) -> Table:
        """The rows of some replicas alone, by their numbers along ``replica``."""
        rows = np.isin(self.trajectory[:, 1], chosen)
        return self._replace(
            dataset=self.dataset.isel(replica=np.flatnonzero(np.isin(np.arange(self.shape[1]), chosen))),
            features=self.features.rows(rows),
            trajectory=self.trajectory[rows],
            answers=self.answers[rows],
        )


class Judge(NamedTuple):
    """Who answers: ``[member, n, class]`` probabilities or ``[member, n, target]`` values of a table's rows, None
    where it cannot read the table's lattice."""

    name: str
    answer: Callable[[Table], Float[np.ndarray, "member n answer"] | None]


def read_table(part: str, ensemble: Ensemble, dataset: xr.Dataset, most: int | None = None) -> Table:
    """The table of an ensemble, answers not yet known; of ``most`` configurations at most, samples spread evenly."""
    points, replicas, samples = (dataset.sizes[name] for name in ("point", "replica", "sample"))
    if most is not None and points * replicas * samples > most:
        kept = max(1, most // (points * replicas))
        dataset = dataset.isel(sample=np.unique(np.linspace(0, samples - 1, kept).round().astype(int)))
        samples = dataset.sizes["sample"]
    system = on_torus(ensemble, dataset)
    known = points_of(dataset)
    table = ensemble_features(dataset, system, known)
    numbers = np.indices((points, replicas, samples))[:2].reshape(2, -1).T
    return Table(part, dataset, system, known, table, numbers, np.full((len(table.values), 1), -1))


def with_targets(table: Table, targets: Sequence[str]) -> Table:
    """The table with observables as answers. Raises ``UserError`` for one that the system has not."""
    for name in targets:
        if name not in table.features.names or "." in name:
            known = [name for name in table.features.names if "." not in name]
            raise UserError(
                f"{table.system.name} has no observable {name}: give white_boxes.targets=[...] of {', '.join(known)}."
            )
    return table._replace(answers=table.features.select(targets).values)


def with_labels(table: Table, phase: Int64[np.ndarray, " point"]) -> Table:
    """The table with the phase of each point as answer, the same for all its configurations."""
    return table._replace(answers=phase[table.trajectory[:, :1]])


def scans(table: Table) -> dict[tuple[tuple[str, float], ...], list[int]]:
    """Numbers of the points of every scan in the control parameter, by where it lies (``place_of``)."""
    found: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for number, point in enumerate(table.points):
        found.setdefault(place_of(point, table.system.control), []).append(number)
    return dict(sorted(found.items()))


def label_scans(
    table: Table, folder: Path, naming: Naming, say: Callable[[str], None]
) -> tuple[Table, list[dict[str, Any]]]:
    """The table with labels that each scan gets from its own clusters, and the transitions between them.

    A truth that the white boxes and the net have not seen, from other configurations than theirs. Where a scan shows
    other groups than the phases its rows have the answer -1. Labels are kept in ``folder``, so that a run finds them
    once.
    """
    from lattice_ml.phases.embed import embed
    from lattice_ml.phases.label import name_clusters
    from lattice_ml.phases.label_file import load_labels, save_labels

    phase, rows = np.full(len(table.points), -1), []
    for place, members in scans(table).items():
        where = ", ".join(f"{name} = {value:g}" for name, value in place) or "the scan"
        file = folder / "labels" / f"{table.part}-{'-'.join(f'{name}={value:g}' for name, value in place)}.npz"
        labels: Labels | None = load_labels(file)
        if labels is None:
            part = table.dataset.isel(point=members)
            try:
                labels = name_clusters(
                    embed(part, table.system, **naming.model_dump()), part, table.system, seed=naming.seed
                )
            except UserError:
                say(f"{where}: the clusters are not the {len(table.system.phases)} phases, so nothing is tested there")
                continue
            save_labels(file, labels)
        phase[members] = labels.labels[:, 0, 0]
        rows += labels.transitions
    return with_labels(table, phase), rows


def net_judge(found: Explained, targets: Sequence[str]) -> Judge:
    """The net of a finished run; of a task with several instances, all of them."""

    def classify(table: Table) -> np.ndarray:
        from lattice_ml.workflows.phase_diagram.workflow import probabilities

        return probabilities(found.task, table.dataset["configurations"]).reshape(1, -1, len(found.outputs))

    def regress(table: Table) -> np.ndarray | None:
        template = found.task.net.template
        if template.architecture == "FL" and table.system.extents != template.extents:
            return None
        ordered = table.dataset["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
        parts = [found.task.predict(one.to_numpy().reshape(-1, *one.shape[2:])) for one in ordered]
        return np.concatenate(parts, axis=1)[:, :, [found.outputs.index(name) for name in targets]]

    missing = [name for name in targets if name not in found.outputs]
    if found.classes == bool(targets) or missing:
        raise UserError(
            f"the net of {found.folder} answers {', '.join(found.outputs)}, not {', '.join(targets) or 'phases'}: "
            "give another white_boxes.compare, or leave it out."
        )
    return Judge("net" if targets else "cnn", regress if targets else classify)


def coordinates(points: Sequence[Point]) -> dict[str, np.ndarray]:
    """Every control parameter along the points."""
    return {name: np.array([point[name] for point in points]) for name in points[0]}
