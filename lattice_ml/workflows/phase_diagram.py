"""From an empty folder to a phase diagram with its reasons (Casert et al., PRE 99, 023304).

sample -> embed and name the phases without labels -> train a classifier on those names -> predict at other densities
and find where the class probabilities cross -> show what the net looked at -> report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.ensembles.plan import summarise
from lattice_ml.errors import UserError
from lattice_ml.fitting import fit, next_epoch
from lattice_ml.loggers import open_loggers, publish
from lattice_ml.phases.label_file import load_labels, save_labels
from lattice_ml.ranks import leaders_folder, leading
from lattice_ml.run import Run, open_run
from lattice_ml.runtime import (
    build,
    build_ensemble,
    build_system,
    ensembles,
    seed_everything,
)
from lattice_ml.workflows.phase_checks import build_party, require_classifier, require_sound

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback
    from lightning.pytorch.loggers import Logger
    from torch import nn

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase


LABELS = "labels.npz"
"""Of a run: what the training learns. See ``phases/label_file.py``."""


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
    from lattice_ml.checkpoints import keep_threads
    from lattice_ml.figures import captions
    from lattice_ml.workflows import phase_figures

    require_sound(config, system, net)
    with open_run(config, steps=6) as run:
        run.results["system"] = system.parameters()
        sections = ensembles(config).values()
        with run.step("sample", "sampling " + " and ".join(section.name for section in sections)), keep_threads():
            sampled = [build_ensemble(config.system, config.sampler, section) for section in sections]
            run.results["protocol"] = dict(zip(ensembles(config), map(protocol_of, sampled), strict=True))
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


def build_net(config: DictConfig, system: System) -> nn.Module:
    """The configured net for the system's channels, torus and phases."""
    return build(config.model, in_channels=len(system.channels), extents=system.extents, classes=len(system.phases))


def build_data(config: DictConfig, system: System, ensemble: xr.Dataset, labels: Labels) -> EnsembleData:
    """The labelled ensemble, split by replica: on the training device, or streamed where ``data.memory`` is less."""
    from lattice_ml.data.datamodule import EnsembleData

    shape = [ensemble.sizes[name] for name in ("point", "replica", "sample")]
    return EnsembleData(
        ensemble,
        system,
        np.broadcast_to(labels.labels[:, :1, :1], shape),  # one label a point, found on all configurations or on some
        batch_size=config.data.batch_size,
        split=list(config.data.split),
        augment=None if config.data.augment is None else build(config.data.augment),
        seed=config.seed,
        memory=config.data.get("memory"),
    )


def protocol_of(ensemble: xr.Dataset) -> dict[str, Any]:
    """How an ensemble was made, in few words: the plan with its points as ranges."""
    return {
        **summarise(ensemble.attrs["plan"]),
        "algorithms": sorted({row["algorithm"] for row in ensemble.attrs["sampler"]}),
    }


def name_phases(config: DictConfig, run: Run, system: System, ensemble: xr.Dataset) -> Labels:
    """PCA, UMAP, clusters, names: labels and transition temperatures with no human in between.

    A run finds its labels once: interrupted later, it goes on with those that it found.
    """
    from lattice_ml.data.thin import thin
    from lattice_ml.phases.embed import embed
    from lattice_ml.phases.label import name_clusters
    from lattice_ml.workflows import label_figures

    kept = load_labels(run.folder / LABELS)
    if kept is not None:
        run.console.print(f"going on with {run.folder / LABELS}", highlight=False, soft_wrap=True)
        run.results["labels"] = kept.summary()
        return kept
    whole, ensemble = ensemble, thin(ensemble, config.data.get("memory"))
    if ensemble is not whole:
        few, many = (part["configurations"].isel(species=0, x=0, y=0).size for part in (ensemble, whole))
        run.console.print(f"data.memory leaves room to embed {few:,} of {many:,} configurations", highlight=False)
    embedding = embed(ensemble, system, **config.phases)
    label_figures.draw_components(run.figures, embedding.ratios, embedding.components)
    label_figures.draw_plane(
        run.figures, system, ensemble, embedding, np.full(len(embedding.plane), -1)
    )  # if naming fails
    labels = name_clusters(embedding, ensemble, system, seed=config.phases.seed)
    label_figures.draw_plane(run.figures, system, ensemble, embedding, labels.phase.ravel())
    label_figures.draw_labels(run.figures, system, ensemble, labels)
    save_labels(run.folder / LABELS, labels)  # last: with them the step is done
    run.results["labels"] = labels.summary()
    return labels


def train(
    config: DictConfig,
    run: Run,
    data: EnsembleData,
    net: nn.Module,
    loggers: list[Logger],
    samples: int,
    callbacks: Sequence[Callback] = (),
) -> ClassifyPhase:
    """Fit to the named phases and return the classifier of the best validation loss; goes on where it was killed.

    samples: of one trajectory, for the error of the test accuracy. ``callbacks`` are told of the training beside those
    of the configuration.
    """
    from lattice_ml.tasks.classify_phase import load_classifier
    from lattice_ml.workflows import phase_figures

    resume = resume_point(run.checkpoints, net, data.system)
    if resume is not None:
        run.console.print(f"going on from {resume}, epoch {next_epoch(resume)}", highlight=False, soft_wrap=True)
    task = build(config.task, net=net, system=data.system)
    history = fit(config, run.folder, task, data, loggers, resume, callbacks)
    losses = [row["val/loss"] for row in history]
    if not np.isfinite(losses).all():
        raise UserError(f"training diverged with task.lr = {config.task.lr:g}: give a smaller one, e.g. task.lr=1e-3.")
    best = load_classifier(run.checkpoints / "best.ckpt", net, data.system).to(data.device)

    truth = data.labels.cpu()[data.index["test"]].numpy()
    predicted = np.concatenate([best.probabilities(states).argmax(axis=1) for states in data.parts("test")])
    counts = np.zeros((data.classes, data.classes), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)
    phase_figures.draw_training(run.figures, history, counts, data.system.phases)

    run.results["metrics"] = {
        "test_accuracy": accuracy((truth == predicted).reshape(-1, samples)),
        "validation_loss": {"value": min(losses), "error": None, "n": len(data.index["val"])},
        "parameters": {"value": sum(p.numel() for p in net.parameters()), "error": None},
        "epochs": {"value": len(losses), "error": None},
        "best_epoch": {"value": int(np.argmin(losses)), "error": None},
    }
    return best


def resume_point(checkpoints: Path, net: nn.Module, system: System) -> Path | None:
    """The newest readable checkpoint of an interrupted training; a damaged one is passed over."""
    from lattice_ml.tasks.classify_phase import load_classifier

    for path in (checkpoints / "last.ckpt", checkpoints / "best.ckpt"):
        try:
            load_classifier(path, net, system)
        except UserError:
            continue
        return path
    return None


def accuracy(correct: np.ndarray) -> dict[str, Any]:
    """Share of correct configurations ``[trajectory, sample]``; its error from the spread between trajectories."""
    shares = correct.mean(axis=1)
    error = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else None
    return {"value": float(correct.mean()), "error": error, "n": correct.size}


def predict(config: DictConfig, run: Run, system: System, classifier: ClassifyPhase, parts: list[xr.Dataset]) -> None:
    """Class probabilities and their crossings.

    parts: the ensemble trained on, with the replicas alone that the net was not trained on, and the survey.
    """
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.boundary import boundary_table
    from lattice_ml.phases.scan import place_of, scans_of
    from lattice_ml.workflows import phase_figures

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
    from lattice_ml.workflows import phase_figures

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
