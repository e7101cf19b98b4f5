"""What the classifier looks at: the gradient of a class score with respect to its input, beside the configuration."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, control_title, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One row per channel: the configuration on the left, |dS_c / dI| on the right, both channels on one scale.

    ``fields`` and ``saliency`` [channel, x, y], ``channels`` [channel] text, ``phase``: the class c (text),
    ``T`` (k_B = 1) and, where there is another parameter, its value ``place`` and ``place_name``.
    """
    fields, saliency, channels = arrays["fields"], arrays["saliency"], texts(arrays["channels"])
    phase = texts(arrays["phase"])[0]
    panel = (WIDTH - 0.7) / 2
    figure = Figure(figsize=(WIDTH, 0.8 + len(channels) * (lattice_map.panel_height(fields, panel) + 0.75)))
    axes = figure.subplots(len(channels), 2, sharex=True, sharey=True, squeeze=False)
    strength = ("magma", 0.0, float(saliency.max()) or 1.0)
    for row, channel in enumerate(channels):
        left, right = axes[row]
        shown = lattice_map.show(left, fields[row], lattice_map.scale(channel, fields[row]))
        lattice_map.bar(figure, shown, [left], lattice_map.label(channel), 26)
        gradient = lattice_map.show(right, saliency[row], strength)
        inner = lattice_map.SYMBOLS.get(channel, rf"$\mathrm{{{channel}}}$").strip("$")
        lattice_map.bar(figure, gradient, [right], rf"$|\partial S_c / \partial {inner}|$", 26)
        left.set_ylabel("$y$", labelpad=-6)
    for ax in axes[-1]:
        ax.set_xlabel("$x$", labelpad=-6)
    where = ",  ".join(part for part in (place_title(arrays), control_title(arrays, float(arrays["control"]))) if part)
    axes[0, 0].set_title("configuration")
    axes[0, 1].set_title(f"saliency, class $c$ = {phase}")
    figure.suptitle(where, fontsize=10)
    return figure
