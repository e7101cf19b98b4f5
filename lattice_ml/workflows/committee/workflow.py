"""Phase boundaries by committees of nets beside the independent truth: how far does a net carry that saw one density?

sample -> embed and name the phases without labels -> train a committee for each strength of the L2 term -> boundaries
of every member at other densities and on other tori, beside what the configurations themselves say -> report.

Source of the question: Casert et al., PRE 99, 023304 (2019), Sec. V.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, build_family, build_system, ensembles, seed_everything
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import ENTRY, Run, open_run
from lattice_ml.workflows.committee.checks import require_committee, require_question
from lattice_ml.workflows.committee.parts import Judged, Part
from lattice_ml.workflows.common.protocol import on_torus, tell_protocols
from lattice_ml.workflows.phase_diagram.names import name_phases
from lattice_ml.workflows.phase_diagram.training import build_data, build_net

if TYPE_CHECKING:
    import xarray as xr
    from lightning.pytorch.loggers import Logger

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_committee import ClassifyCommittee

PREDICTIONS = "predictions.npz"
"""Of a committee whose training is over: the probabilities of every member for every configuration of every part."""


def find_boundaries(config: DictConfig) -> None:
    """Train, predict and compare; raises ``UserError`` on what the user can mend."""
    from lattice_ml.figures import captions
    from lattice_ml.ground.checkpoints import keep_threads
    from lattice_ml.workflows.committee import figures as committee_figures
    from lattice_ml.workflows.committee.explain import explain

    require_question(config)
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    build_committee(config, system, 0.0)  # a mistake is told before any work
    require_committee(config, system)
    with open_run(config, steps=6) as run:
        run.results["system"] = system.parameters()
        sections = ensembles(config)
        with run.step("sample", "sampling " + " and ".join(part.name for part in sections.values())), keep_threads():
            sampled = {name: build_family(config.system, config.sampler, part) for name, part in sections.items()}
            tell_protocols(config, run, sampled)
        (training,) = sampled.pop("ensemble")
        with run.step("embed", "embedding without labels and naming the phases"), keep_threads():
            labels = name_phases(config, run, system, training)
        data = build_data(config, system, training, labels)
        parts = [Part("test", system, training.isel(replica=data.replicas["test"]))]
        slabs = sampled.pop("ensembles.slabs", [])
        for name, family in sampled.items():
            parts += [Part(f"{name}{torus(one)}", on_torus(config, one), one) for one in family]
        strengths = ", ".join(f"{l2:g}" for l2 in config.committee.l2)
        with open_loggers(config, run) as loggers:
            with run.step("train", f"training {config.committee.members} nets for each lambda of {strengths}"):
                judged = [
                    judge(config, run, loggers, l2, data, parts, build_committee(config, system, l2))
                    for l2 in map(float, config.committee.l2)
                ]
            with run.step("compare", "finding boundaries and holding them against the truth"):
                compare_and_draw(config, run, parts, judged, labels, slabs)
            with run.step("explain", "asking the nets where they looked"):
                explain(run, parts[0], judged)
                captions.tell(run.figures, committee_figures.STORY)
            with run.step("report", "writing the report"):
                publish(loggers, run)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def compare_and_draw(
    config: DictConfig,
    run: Run,
    parts: list[Part],
    judged: list[Judged],
    labels: Labels,
    slabs: list[xr.Dataset],
) -> None:
    """Fill the results and draw; the boundaries of the first committee are the run's, beside those of the truth.

    slabs: long tori, if there are any, whose bands tell the boundaries of an infinite system.
    """
    from lattice_ml.phases.binodal import ensemble_binodals
    from lattice_ml.phases.truth import true_boundaries
    from lattice_ml.workflows.committee import figures as committee_figures
    from lattice_ml.workflows.committee.results import compare, metrics, summary

    truth = {part.name: true_boundaries(part.ensemble, part.system, config.seed) for part in parts}
    compared = [compare(one, parts, truth, labels, config.seed) for one in judged]
    here = [row for part in parts if part.system.extents == parts[0].system.extents for row in truth[part.name]]
    binodals = None
    if slabs:
        try:
            binodals = ensemble_binodals(slabs[0], on_torus(config, slabs[0]))
        except ValueError as error:
            run.console.print(f"no binodals: {error}", highlight=False)
    run.results["boundaries"] = sorted([*compared[0].boundaries, *here], key=places)
    run.results["committees"] = {f"{one.judged.l2:g}": summary(one) for one in compared}
    run.results["metrics"] = metrics(summary(compared[0]), judged[0].l2)
    committee_figures.draw(run.figures, parts, compared, labels, binodals)


def places(row: dict[str, Any]) -> list[float]:
    """The parameters of a boundary's scan."""
    return [value for name, value in sorted(row.items()) if name not in ENTRY]


def torus(ensemble: xr.Dataset) -> str:
    """`` on 162 x 162``, of an ensemble's own torus."""
    return f" on {ensemble.sizes['x']} x {ensemble.sizes['y']}"


def build_committee(config: DictConfig, system: System, l2: float) -> ClassifyCommittee:
    """``committee.members`` untrained nets; the weights of net m are a function of (seed, m) alone."""
    from lattice_ml.nets.committee import Committee

    net = Committee.initialise(lambda: build_net(config, system), config.committee.members, config.seed)
    return build(config.task, net=net, system=system, l2=l2)


def folder_of(config: DictConfig, folder: Path, l2: float) -> Path:
    """Where a committee has its checkpoints: the run's folder if it is the only one, else one of its own."""
    return folder if len(config.committee.l2) == 1 else folder / "committees" / f"l2={l2:g}"


def judge(
    config: DictConfig,
    run: Run,
    loggers: list[Logger],
    l2: float,
    data: EnsembleData,
    parts: list[Part],
    task: ClassifyCommittee,
) -> Judged:
    """Train a committee, from the last readable checkpoint on, and ask it about every part; once, whatever happens."""
    from lattice_ml.figures.archive import load
    from lattice_ml.runs.fit_members import fit_members

    folder = folder_of(config, run.folder, l2)
    folder.mkdir(parents=True, exist_ok=True)
    history = fit_members(config, run, folder, task, data, loggers if folder == run.folder else [])
    kept = folder / PREDICTIONS
    if kept.exists():
        return Judged(l2, task, load(kept), history)
    found = {}
    for part in parts:
        if fits(task, part):
            run.console.print(f"asking about {part.name}", highlight=False)
            found[part.name] = probabilities(task, part)
    save_predictions(kept, found)
    return Judged(l2, task, found, history)


def fits(task: ClassifyCommittee, part: Part) -> bool:
    """Can these nets read the part's torus? Those that flatten read their own alone."""
    return part.system.extents == task.system.extents or hasattr(task.net.template, "check_extents")


def probabilities(task: ClassifyCommittee, part: Part) -> np.ndarray:
    """Float32 ``[member, point, replica, sample, class]``; one point at a time is read."""
    ordered = part.ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    found = [task.probabilities(point.to_numpy().reshape(-1, *ordered.shape[3:])) for point in ordered]
    return np.stack(found, axis=1).reshape(task.net.members, *ordered.shape[:3], -1)


def save_predictions(path: Path, found: dict[str, np.ndarray]) -> None:
    """Write them whole or not at all."""
    import io

    from lattice_ml.ground.files import write_file

    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **found)
    write_file(path, content.getvalue())
