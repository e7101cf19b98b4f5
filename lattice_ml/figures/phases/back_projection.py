"""A configuration as its leading principal components make it again, beside the raw one."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, control_title, place_title, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """``field`` [x, y], what was measured; ``projected`` [k, x, y], <M> + sum_(i <= K) p_i w_i; ``components`` [k]: K
    of each; all on one scale. ``T`` (k_B = 1), and the value ``place`` of another parameter ``place_name``."""
    field, projected = arrays["field"], arrays["projected"]
    columns = 2
    rows = -(-(len(projected) + 1) // columns)
    panel = (WIDTH - 0.7) / columns
    figure = Figure(figsize=(WIDTH, 0.9 + rows * (lattice_map.panel_height(field, panel) + 0.35)))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    look = lattice_map.scale("magnetisation", field)
    image = lattice_map.show(axes[0], field, look)
    axes[0].set_title("configuration")
    for ax, picture, count in zip(axes[1:], projected, arrays["components"], strict=False):
        lattice_map.show(ax, picture, look)
        ax.set_title("1 component" if count == 1 else f"{count} components")
    for ax in axes[len(projected) + 1 :]:
        ax.set_visible(False)
    lattice_map.bar(figure, image, list(axes), lattice_map.label("magnetisation"), 40)
    where = ",  ".join(part for part in (place_title(arrays), control_title(arrays, float(arrays["control"]))) if part)
    figure.suptitle(where, fontsize=10)
    return figure
