"""The pictures of a comparison of nets: which arrays go into each, and its caption.

Every function draws its picture if the evaluations hold what it shows, and nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.workflows.nets.results import Told, Trained, largest, pooled, stacked

STORY = (
    "lattice_sizes",
    "learning_curve",
    "chemical_potential",
    "extrapolation",
    "true_counts",
    "generalisation",
    "equivariance",
    "feature_maps",
    "distributions",
)
"""Figures in the order of the report."""

ONSETS = {(60, 4, 4.01): 0.942989}
"""Chemical potential at which the density sets in (the mass gap) at (N_t, N_x, eta), lambda = 1; from the transfer
matrix."""

INSTANCES = "Lines are medians over the instances, bands their central 20, 40, 60 and 80 %."


def draw_sizes(folder: Path, trained: list[Trained], task: Told, torus: str) -> None:
    from lattice_ml.figures.nets import lattice_sizes

    chosen = largest(trained)
    tori = list(dict.fromkeys(t for one in chosen for t in one.evaluation.tori("survey")))
    if len(tori) < 2:
        return
    score = [np.stack([pooled(one.evaluation, task.score, t) for t in tori]) for one in chosen]
    arrays = {"tori": tori, "architectures": [one.name for one in chosen], "score": stacked(chosen, score)}
    told = {"trained": torus, "label": task.label, "logarithmic": task.logarithmic}
    save(folder, "lattice_sizes", {**arrays, **told}, lattice_sizes.draw)
    caption(
        folder,
        "lattice_sizes",
        "Lattices that the nets were not trained on",
        f"Average over all test points of each lattice, after training on {chosen[0].samples:,} configurations of "
        f"{torus}. {INSTANCES} A net that flattens reads its own lattice alone.",
        f"{task.label} on {len(tori)} lattices for {', '.join(one.name for one in chosen)}.",
    )


def draw_learning(folder: Path, trained: list[Trained], task: Told, torus: str) -> None:
    from lattice_ml.figures.nets import learning_curve

    samples = sorted({one.samples for one in trained})
    names = list(dict.fromkeys(one.name for one in trained))
    if len(samples) < 2:
        return
    by = {(one.name, one.samples): one for one in trained}
    members = max(len(one.evaluation.validation) for one in trained)
    mse = np.full((len(names), len(samples), members), np.nan)
    for a, name in enumerate(names):
        for s, size in enumerate(samples):
            if (name, size) in by:
                values = pooled(by[name, size].evaluation, task.score, torus)
                mse[a, s, : len(values)] = values
    arrays = {
        "samples": samples,
        "architectures": names,
        "score": mse,
        "label": task.label,
        "logarithmic": task.logarithmic,
        "where": f"test on {torus.replace('x', ' × ')}",
    }
    save(folder, "learning_curve", arrays, learning_curve.draw)
    caption(
        folder,
        "learning_curve",
        "Against the number of training samples",
        f"{task.label.capitalize()} on test configurations of {torus}. {INSTANCES}",
        f"Learning curves of {', '.join(names)} from {samples[0]} to {samples[-1]} samples.",
    )


def draw_chemical_potential(
    folder: Path, trained: list[Trained], task: Told, extents: tuple[int, int], lam: float, trained_mu: np.ndarray
) -> None:
    from lattice_ml.figures.nets import chemical_potential, extrapolation

    chosen, torus = largest(trained), "x".join(map(str, extents))
    first = chosen[0].evaluation
    if task.score != "mse" or "mu" not in first.points or "worms" in first.points:
        return
    mu = np.array(first.points["mu"])
    rows = first.where("survey", torus)
    if len(rows) > 2:
        predicted = []
        for one in chosen:  # each has rows of its own: a net that flattens is tested on one torus
            own = one.evaluation.where("survey", torus)
            ranked = one.evaluation.score("mse", own).mean(axis=0).argsort()
            median = ranked[len(ranked) // 2]
            predicted.append(np.stack([one.evaluation.predicted[row][median] for row in own], axis=-1))
        arrays = {
            "mu": mu[rows],
            "outputs": list(task.outputs),
            "mean": np.stack([first.target[row] for row in rows], axis=-1),
            "error": np.stack([first.error[row] for row in rows], axis=-1),
            "architectures": [one.name for one in chosen],
            "predicted": np.stack(predicted),
            "trained": trained_mu,
            "onset": ONSETS.get((*extents, min(first.points["eta"])), np.nan) if lam == 1 else np.nan,
        }
        save(folder, "chemical_potential", arrays, chemical_potential.draw)
        caption(
            folder,
            "chemical_potential",
            "Silver Blaze",
            f"Test configurations of {torus}. At zero temperature nothing depends on mu below the mass gap; N_t = "
            f"{extents[0]} rounds that off. Points are averages with errors from the spread between chains, lines the "
            "predictions of each architecture's median instance.",
            "Observables against the chemical potential, samples and predictions.",
        )
    if "extrapolation" in first.part:
        beyond = np.concatenate([rows, first.where("extrapolation", torus)])
        order = np.argsort(mu[beyond], kind="stable")
        mse = []
        for one in chosen:
            own = [one.evaluation.where(part, torus) for part in ("survey", "extrapolation")]
            mse.append(one.evaluation.score("mse", np.concatenate(own))[order])
        beyond = beyond[order]
        arrays = {
            "mu": mu[beyond],
            "architectures": [one.name for one in chosen],
            "mse": stacked(chosen, mse),
            "trained": trained_mu,
        }
        save(folder, "extrapolation", arrays, extrapolation.draw)
        caption(
            folder,
            "extrapolation",
            "Beyond the chemical potential of the training",
            f"Mean squared error on {torus}. {INSTANCES}",
            "Mean squared error against the chemical potential.",
        )


def draw_counts(folder: Path, trained: list[Trained], task: Told, torus: str, learned: np.ndarray) -> None:
    from lattice_ml.figures.nets import true_counts

    chosen = largest(trained)
    first = chosen[0].evaluation
    worms = np.array(first.points.get("worms", ()))
    true = np.unique(worms)
    if task.score != "mse" or len(true) < 3:
        return
    predicted = []
    for one in chosen:
        own = one.evaluation.where("survey", torus)
        counts = np.array(one.evaluation.points["worms"])[own]
        means = np.stack([one.evaluation.predicted[row][:, 0] for row in own])
        predicted.append(np.stack([means[counts == n].mean(axis=0) for n in true]))
    arrays = {"true": true, "architectures": [one.name for one in chosen], "predicted": stacked(chosen, predicted)}
    save(folder, "true_counts", {**arrays, "trained": learned, "where": torus.replace("x", " × ")}, true_counts.draw)
    caption(
        folder,
        "true_counts",
        "Counts that the nets were not trained on",
        f"Mean prediction over all test configurations of {torus} with the same number of open worms. {INSTANCES}",
        "Predicted against true number of open worms.",
    )


def draw_generalisation(folder: Path, trained: list[Trained], task: Told, torus: str) -> None:
    from lattice_ml.figures.nets import generalisation

    chosen = largest(trained)
    arrays = {
        "architectures": [one.name for one in chosen],
        "validation": stacked(chosen, [one.evaluation.validation for one in chosen]),
        "test": stacked(chosen, [pooled(one.evaluation, task.loss, torus) for one in chosen]),
        "where": torus.replace("x", " × "),
    }
    save(folder, "generalisation", arrays, generalisation.draw)
    caption(
        folder,
        "generalisation",
        "Test against validation loss",
        f"One marker for each instance; test configurations of {torus} at all points.",
        "Scatter of test loss against validation loss.",
    )


def draw_distributions(folder: Path, task: Told, targets: Mapping[str, np.ndarray]) -> None:
    """targets: by the name of the ensemble, ``[configuration, output]``."""
    from lattice_ml.figures.nets import distributions

    bins = 60
    edges, density = [], []
    for output in range(len(task.outputs)):
        everything = np.concatenate([values[:, output] for values in targets.values()])
        edge = np.linspace(everything.min(), everything.max() + 1e-9, bins + 1)
        edges.append(edge)
        density.append([np.histogram(values[:, output], edge, density=True)[0] for values in targets.values()])
    arrays: dict[str, Any] = {"outputs": list(task.outputs), "ensembles": list(targets), "edges": edges}
    save(folder, "distributions", {**arrays, "density": density}, distributions.draw)
    caption(
        folder,
        "distributions",
        "What the nets learn and are tested on",
        "Histograms of the targets over all configurations of an ensemble, each of unit area.",
        "Histograms of the targets.",
    )
