"""From an empty folder to a phase diagram with its reasons (Casert et al., PRE 99, 023304).

sample -> embed and name the phases without labels -> train a classifier on those names -> predict at other densities
and find where the class probabilities cross -> show what the net looked at -> report.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.errors import UserError
from lattice_ml.run import Run, open_run
from lattice_ml.runtime import (
    build,
    build_ensemble,
    build_system,
    build_trainer,
    open_loggers,
    prepare_ensemble,
    publish,
    seed_everything,
)

if TYPE_CHECKING:
    import xarray as xr
    from lightning.pytorch.loggers import Logger
    from torch import nn

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase


def find_phase_diagram(config: DictConfig) -> Path:
    """Run the six steps and return the path of the report. Raises ``UserError`` on what the user can mend."""
    from lattice_ml.figures import captions
    from lattice_ml.tasks.classify_phase import load_classifier
    from lattice_ml.workflows import phase_figures

    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    net = build_net(config, system)
    require_sound(config, system, net)
    run = open_run(config, steps=6)
    if run.last_checkpoint is not None:
        load_classifier(run.last_checkpoint, net, system)  # a damaged one is found now, not after the sampling
    run.results["system"] = system.parameters()

    with run.step("sample", f"sampling {config.ensemble.name} and {config.survey.name}"):
        ensemble = build_ensemble(config.system, config.sampler, config.ensemble)
        survey = build_ensemble(config.system, config.sampler, config.survey)
        run.results["protocol"] = {"ensemble": protocol_of(ensemble), "survey": protocol_of(survey)}
    with run.step("embed", "embedding without labels and naming the phases"):
        labels = name_phases(config, run, system, ensemble)
    with open_loggers(config, run) as loggers:
        with run.step("train", "training the classifier"):
            data = build_data(config, system, ensemble, labels)
            classifier = train(config, run, data, net, loggers, ensemble.sizes["sample"])
        with run.step("predict", "predicting phases and finding boundaries"):
            predict(run, system, classifier, data, labels, ensemble, survey)
        with run.step("explain", "asking the net where it looked"):
            explain(run, system, classifier, data, labels, ensemble)
        with run.step("report", "writing the report"):
            publish(loggers, run)
            captions.tell(run.figures, phase_figures.STORY)
    page = run.finish()
    run.show_boundaries(page)
    return page


def build_net(config: DictConfig, system: System) -> nn.Module:
    """The configured net for the system's channels, torus and phases."""
    return build(config.model, in_channels=len(system.channels), extents=system.extents, classes=len(system.phases))


def require_sound(config: DictConfig, system: System, net: nn.Module) -> None:
    """Raise ``UserError``, before any work, on what would stop the run later."""
    from lattice_ml.data.datamodule import deal_replicas
    from lattice_ml.tasks.classify_phase import load_classifier

    deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    if config.survey.extents != config.ensemble.extents:
        raise UserError(
            f"the survey's torus {config.survey.extents} is not the training ensemble's {config.ensemble.extents}: "
            f"give survey.extents={list(config.ensemble.extents)}."
        )
    if config.ckpt_path is not None:
        load_classifier(config.ckpt_path, net, system)
    for ensemble in (config.ensemble, config.survey):
        prepare_ensemble(config.system, config.sampler, ensemble)


def build_data(config: DictConfig, system: System, ensemble: xr.Dataset, labels: Labels) -> EnsembleData:
    """The labelled ensemble on the training device, split by replica."""
    from lattice_ml.data.datamodule import EnsembleData

    return EnsembleData(
        ensemble,
        system,
        labels.labels,
        batch_size=config.data.batch_size,
        split=list(config.data.split),
        augment=build(config.data.augment),
        seed=config.seed,
    )


def protocol_of(ensemble: xr.Dataset) -> dict[str, Any]:
    """How an ensemble was made, in few words: the plan with its points as ranges."""
    plan = dict(ensemble.attrs["plan"])
    for name, values in plan.pop("points").items():
        distinct = sorted(set(values))
        shown = ", ".join(f"{v:.4g}" for v in distinct)
        plan[name] = shown if len(distinct) <= 6 else f"{distinct[0]:g} … {distinct[-1]:g} ({len(distinct)} values)"
    return {
        **plan.pop("protocol"),
        **plan,
        "algorithms": sorted({row["algorithm"] for row in ensemble.attrs["sampler"]}),
    }


def name_phases(config: DictConfig, run: Run, system: System, ensemble: xr.Dataset) -> Labels:
    """PCA, UMAP, clusters, names: labels and transition temperatures with no human in between."""
    from lattice_ml.phases.embed import embed
    from lattice_ml.phases.label import name_clusters
    from lattice_ml.workflows import label_figures

    embedding = embed(ensemble, system, **config.phases)
    label_figures.draw_components(run.figures, embedding)
    label_figures.draw_plane(
        run.figures, system, ensemble, embedding, np.full(len(embedding.plane), -1)
    )  # if naming fails
    labels = name_clusters(embedding, ensemble, system, seed=config.phases.seed)
    label_figures.draw_plane(run.figures, system, ensemble, embedding, labels.phase.ravel())
    label_figures.draw_labels(run.figures, system, ensemble, labels)
    rho0 = float(ensemble["rho0"].values[0])
    summary = labels.summary()
    summary["transitions"] = [{"rho0": rho0, **row} for row in summary["transitions"]]
    run.results["labels"] = summary
    return labels


def train(
    config: DictConfig, run: Run, data: EnsembleData, net: nn.Module, loggers: list[Logger], samples: int
) -> ClassifyPhase:
    """Fit to the named phases and return the classifier of the best validation loss; goes on where it was killed.

    samples: of one trajectory, for the error of the test accuracy.
    """
    from lattice_ml.history import History
    from lattice_ml.tasks.classify_phase import load_classifier
    from lattice_ml.workflows import phase_figures

    task = build(config.task, net=net, system=data.system)
    history = History(run.folder / "metrics.csv")
    trainer = build_trainer(config, run, [history], loggers)
    trainer.fit(task, datamodule=data, ckpt_path=run.last_checkpoint or config.ckpt_path, weights_only=True)
    best = load_classifier(run.folder / "checkpoints" / "best.ckpt", net, data.system)

    states, truth = data.states[data.index["test"]], data.labels[data.index["test"]].numpy()
    predicted = best.probabilities(states).argmax(axis=1)
    counts = np.zeros((data.classes, data.classes), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)
    phase_figures.draw_training(run.figures, history.rows, counts, data.system.phases)

    losses = [row["val/loss"] for row in history.rows]
    run.results["metrics"] = {
        "test_accuracy": accuracy((truth == predicted).reshape(-1, samples)),
        "validation_loss": {"value": min(losses), "error": None, "n": len(data.index["val"])},
        "parameters": {"value": sum(p.numel() for p in net.parameters()), "error": None},
        "epochs": {"value": len(losses), "error": None},
        "best_epoch": {"value": int(np.argmin(losses)), "error": None},
    }
    return best


def accuracy(correct: np.ndarray) -> dict[str, Any]:
    """Share of correct configurations ``[trajectory, sample]``; its error from the spread between trajectories."""
    shares = correct.mean(axis=1)
    error = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else None
    return {"value": float(correct.mean()), "error": error, "n": correct.size}


def predict(
    run: Run,
    system: System,
    classifier: ClassifyPhase,
    data: EnsembleData,
    labels: Labels,
    ensemble: xr.Dataset,
    survey: xr.Dataset,
) -> None:
    """Class probabilities and their crossings: at the training density on replicas not trained on, elsewhere on all."""
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.boundary import boundary_table
    from lattice_ml.workflows import phase_figures

    held_out = np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]]))
    rows, scans, trained = [], [], []
    for part in (ensemble.isel(replica=held_out), survey):
        points = points_of(part)
        states = part["configurations"].values
        found = classifier.probabilities(states.reshape(-1, *states.shape[3:])).reshape(*states.shape[:3], -1)
        rows += boundary_table(points, found, system.phases, system.control)
        scans += phase_figures.scans_of(points, found)
        trained += [sorted({point["rho0"] for point in points})]
    run.results["boundaries"] = sorted(rows, key=lambda row: row["rho0"])
    phase_figures.draw_predictions(
        run.figures, system.phases, sorted(scans, key=lambda scan: scan.rho0), run.results["boundaries"], trained[0]
    )


def explain(
    run: Run,
    system: System,
    classifier: ClassifyPhase,
    data: EnsembleData,
    labels: Labels,
    ensemble: xr.Dataset,
) -> None:
    """Saliency of a coexistence configuration from the middle of its temperature range, of a test replica."""
    from lattice_ml.explain.attribution import saliency
    from lattice_ml.workflows import phase_figures
    from lattice_ml.workflows.label_figures import middle_point

    phase = system.phases[len(system.phases) // 2]
    point = middle_point(labels, ensemble, system.phases.index(phase))
    states = ensemble["configurations"].values[point, int(data.replicas["test"][0]), -1]
    phase_figures.draw_saliency(
        run.figures,
        system,
        states,
        saliency(classifier, states, phase),
        phase,
        T=float(ensemble["T"].values[point]),
        rho0=float(ensemble["rho0"].values[point]),
    )
