"""From an empty folder to a phase diagram with its reasons (Casert et al., PRE 99, 023304).

sample -> embed and name the phases without labels -> train a classifier on those names -> predict at other densities
and find where the class probabilities cross -> show what the net looked at -> report.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, build_ensemble, build_system, ensembles, seed_everything
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.label_file import load_labels
from lattice_ml.runs.fitting import fit
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.ranks import leaders_folder, leading
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram.checks import build_party, require_classifier, require_sound
from lattice_ml.workflows.phase_diagram.names import LABELS, name_phases
from lattice_ml.workflows.phase_diagram.training import build_data, build_net, resume_point, train

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase


def find_phase_diagram(config: DictConfig) -> None:
    """Run the six steps and print the boundaries. Raises ``UserError`` on what the user can mend.

    Where several processes train one net, rank 0 runs the steps and the others take their part in the training alone.
    """
    seed_everything(config.seed)
    require_classifier(config)
    system = build_system(config.system, config.ensemble)
    net = build_net(config, system)
    party = build_party(config)
    if party.global_rank > 0:
        follow(config, leaders_folder(party), net, system)
        return
    with leading(party) as announce:
        lead(config, system, net, announce)


def follow(config: DictConfig, folder: Path, net: nn.Module, system: System) -> None:
    """Train along on the leader's ensemble and labels, and leave everything else to it."""
    from lattice_ml.ensembles.store import open_ensemble

    labels = load_labels(folder / LABELS)
    if labels is None:
        raise UserError(f"{folder / LABELS} cannot be read on this node: give a paths.runs that all nodes share.")
    data = build_data(config, system, open_ensemble(config.ensemble.path), labels)
    resume = resume_point(folder / "checkpoints", net, system)
    fit(config, folder, build(config.task, net=net, system=system), data, [], resume)


def lead(config: DictConfig, system: System, net: nn.Module, announce: Callable[[Path], None]) -> None:
    """The six steps; ``announce`` tells the followers of the folder that they may begin to train in."""
    from lattice_ml.figures import captions
    from lattice_ml.ground.checkpoints import keep_threads
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    require_sound(config, system, net)
    with open_run(config, steps=6) as run:
        run.results["system"] = system.parameters()
        sections = ensembles(config).values()
        with run.step("sample", "sampling " + " and ".join(section.name for section in sections)), keep_threads():
            sampled = [build_ensemble(config.system, config.sampler, section) for section in sections]
            tell_protocols(config, run, {name: [one] for name, one in zip(ensembles(config), sampled, strict=True)})
        ensemble = sampled[0]
        with run.step("embed", "embedding without labels and naming the phases"), keep_threads():
            labels = name_phases(config, run, system, ensemble)
        with open_loggers(config, run) as loggers:
            announce(run.folder)
            with run.step("train", "training the classifier"):
                data = build_data(config, system, ensemble, labels)
                classifier = train(config, run, data, net, loggers, ensemble.sizes["sample"])
            with run.step("predict", "predicting phases and finding boundaries"):
                held_out = np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]]))
                predict(config, run, system, classifier, [ensemble.isel(replica=held_out), *sampled[1:]])
            with run.step("explain", "asking the net where it looked"):
                explain(run, system, classifier, labels, ensemble.isel(replica=data.replicas["test"]))
            with run.step("report", "writing the report"):
                publish(loggers, run)
                captions.tell(run.figures, phase_figures.STORY)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def predict(config: DictConfig, run: Run, system: System, classifier: ClassifyPhase, parts: list[xr.Dataset]) -> None:
    """Class probabilities and their crossings.

    parts: the ensemble trained on, with the replicas alone that the net was not trained on, and the survey.
    """
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.boundary import boundary_table
    from lattice_ml.phases.scan import place_of, scans_of
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    rows, scans = [], []
    for part in parts:
        points, found = points_of(part), probabilities(classifier, part["configurations"])
        rows += boundary_table(points, found, system.phases, system.control, seed=config.seed)
        scans += scans_of(points, found, system.control)
    scans.sort(key=lambda scan: list(scan.place.values()))
    run.results["boundaries"] = sorted(rows, key=lambda row: phase_figures.number_of(row, scans))
    trained = [dict(place) for place in sorted({place_of(point, system.control) for point in points_of(parts[0])})]
    phase_figures.draw_predictions(run.figures, system.phases, scans, run.results["boundaries"], trained)


def probabilities(classifier: ClassifyPhase, configurations: xr.DataArray) -> np.ndarray:
    """Float32 ``[point, replica, sample, class]`` of a whole ensemble, of which one point at a time is read."""
    ordered = configurations.transpose("point", "replica", "sample", "species", "x", "y")
    found, rest = [], np.empty((0, *ordered.shape[3:]), ordered.dtype)
    for point in ordered:
        states = np.concatenate((rest, point.to_numpy().reshape(-1, *ordered.shape[3:])))
        whole = len(states) // 256 * 256  # in blocks that no point's end cuts short
        found.append(classifier.probabilities(states[:whole]))
        rest = states[whole:]
    return np.concatenate([*found, classifier.probabilities(rest)]).reshape(*ordered.shape[:3], -1)


def explain(run: Run, system: System, classifier: ClassifyPhase, labels: Labels, test: xr.Dataset) -> None:
    """Saliency of a configuration from the middle of the range of a phase in between, of a test replica."""
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.explain.attribution import saliency
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    phase = system.phases[len(system.phases) // 2]
    control = np.asarray(test[system.control].values)
    point = labels.middle(control, system.phases.index(phase))
    states = test["configurations"][point, 0, -1].to_numpy()
    phase_figures.draw_saliency(
        run.figures,
        system,
        states,
        saliency(classifier, states, phase),
        phase,
        points_of(test)[point],
    )
