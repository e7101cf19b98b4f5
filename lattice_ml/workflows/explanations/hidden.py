"""What does the net make of configurations on the way? Planes of a layer, maps, filters and how far they see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.workflows.explanations.examples import channels, examples, observable, open_room

if TYPE_CHECKING:
    from torch import Tensor

    from lattice_ml.explain.gallery import Background
    from lattice_ml.runs.run import Run
    from lattice_ml.workflows.explanations.examples import Examples
    from lattice_ml.workflows.explanations.explained import Explained
    from lattice_ml.workflows.explanations.finished_run import FinishedRun

SHOWN = 800
"""Configurations in a plane."""
FILTERS = 6
PROBES = 8
"""Inputs that receptive fields are measured with."""


def explain_hidden(
    finished: FinishedRun,
    found: Explained,
    layer: str | None = None,
    colour: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Planes of the activations of ``layer`` (default: the last but the output's) coloured by ``colour``, observables
    or control parameters (default: the control parameter and the first two observables); of every convolution the
    maps of one configuration, the receptive field, and what its filters wait for.

    Writes ``<run>/explain/hidden``; ``results.json`` holds ``layers`` (shapes), ``receptive_fields`` (measured, by
    arithmetic, and how much of the strongest gradient there is beyond that), and ``information``: mutual information
    (nats) of the two principal components with every colour.
    """
    from lattice_ml.explain.gallery import background
    from lattice_ml.explain.hidden import layers
    from lattice_ml.figures import captions

    settings = {"layer": layer, "colour": colour, "seed": seed}
    with open_room(finished, found.system, "hidden", settings, steps=5) as run:
        with run.step("read", "reading held-out configurations"):
            sample = examples(found, SHOWN)
            names = colour or [
                found.system.control,
                *list(found.system.observables(sample.states[:1], sample.points[0]))[:2],
            ]
            colours = {name: observable(found, sample, name) for name in names}
            x = channels(found, sample.states)
            ground = background(x)
            shapes = layers(found.score, x)
            run.results["layers"] = {name: list(shape) for name, shape in shapes.items()}
        with run.step("planes", "laying the activations out: PCA, UMAP, t-SNE"):
            planes(found, run, x, layer or list(shapes)[-2], colours, sample, seed)
        convolutions = [name for name, shape in shapes.items() if len(shape) == 3]
        with run.step("fields", "measuring receptive fields"):
            windows = fields(found, run, x, convolutions)
        with run.step("filters", "maximising activations of filters"):
            filters(found, run, x, ground, windows, shapes, seed)
        with run.step("report", "writing the report"):
            captions.tell(run.figures, ("planes", "maps", "filters", "receptive_fields"))
        run.show_end(run.finish())


def planes(
    found: Explained, run: Run, x: Tensor, layer: str, colours: dict[str, np.ndarray], sample: Examples, seed: int
) -> None:
    from lattice_ml.explain.hidden import PLANES, activations, lay_out
    from lattice_ml.explain.information import mutual_information
    from lattice_ml.ground.checkpoints import keep_threads
    from lattice_ml.workflows.explanations import hidden_figures

    values = activations(found.score, x, layer)
    with keep_threads():
        laid = {plane: lay_out(values, plane, seed) for plane in PLANES}
    hidden_figures.draw_planes(run.figures, layer, laid, colours)
    groups = np.unique(sample.trajectory, axis=0, return_inverse=True)[1].ravel()
    run.results["information"] = {
        f"component {k + 1}": {
            name: mutual_information(laid["pca"][:, k], known, "ksg", groups, seed).row()
            for name, known in colours.items()
        }
        for k in (0, 1)
    }
    run.results["metrics"] = {
        f"information of {component} of {layer} with {name} (nat)": {
            "value": row["value"],
            "error": row["error"],
            "n": len(x),
        }
        for component, rows in run.results["information"].items()
        for name, row in rows.items()
    }


def fields(found: Explained, run: Run, x: Tensor, convolutions: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Receptive fields, measured and, where the net tells its windows, by arithmetic, with what is seen ``beyond``.

    Returns the rows and columns of the torus that the centre of each convolution sees.
    """
    from lattice_ml.explain.hidden import arithmetic, beyond, extent_of, seen_sites, window
    from lattice_ml.workflows.explanations import hidden_figures

    told: dict[str, Any] = {}
    seen, windows = {}, {}
    probes = x[np.linspace(0, len(x) - 1, PROBES).round().astype(int)]
    for name in convolutions:
        seen[name] = seen_sites(found.score, name, probes)
        box = extent_of(seen[name])
        own: dict[str, Any] = {"measured": list(box)}
        most = arithmetic(found.score, name)
        if most is not None:
            extent_x, extent_y = found.system.extents
            box = (min(most, extent_x), min(most, extent_y))
            own |= {"arithmetic": list(box), "beyond": beyond(seen[name], box)}
        told[name] = own
        windows[name] = window(seen[name], box if min(box) else found.system.extents)  # a dead layer sees nothing
    run.results["receptive_fields"] = told
    hidden_figures.draw_fields(run.figures, seen, told)
    return windows


def filters(
    found: Explained,
    run: Run,
    x: Tensor,
    ground: Background,
    windows: dict[str, tuple[np.ndarray, np.ndarray]],
    shapes: dict[str, tuple[int, ...]],
    seed: int,
) -> None:
    """Maps of one configuration, and the relaxed input that excites each of the first filters of every convolution,
    where its centre sees it."""
    from lattice_ml.explain.hidden import maps, maximise
    from lattice_ml.workflows.explanations import hidden_figures

    middle = len(x) // 2
    hidden_figures.draw_maps(run.figures, found, x[middle].numpy(), maps(found.score, x[middle : middle + 1]), FILTERS)
    low, high = x.amin(dim=(0, 2, 3)), x.amax(dim=(0, 2, 3))
    pictures: dict[str, np.ndarray] = {}
    values: dict[str, list[float]] = {}
    for layer, (rows, columns) in windows.items():
        every = [
            maximise(found.score, layer, filter, found.system.extents, ground, low, high, seed)
            for filter in range(min(FILTERS, shapes[layer][0]))
        ]
        pictures[layer] = np.stack([picture[:, rows][:, :, columns] for picture, _ in every])
        values[layer] = [value for _, value in every]
    hidden_figures.draw_filters(run.figures, found, pictures, values)
    run.results["maximal_activations"] = values
