"""The pictures of explanations are drawn from plain arrays, complete ones and ones with gaps."""

import numpy as np
import pytest

from lattice_ml.figures import save
from lattice_ml.figures.explain import gallery, importance, receptive_fields, rules, trust
from lattice_ml.figures.latents import information_table, planes
from lattice_ml.figures.nets import filter_maps, judged_accuracy, judged_error

RNG = np.random.default_rng(0)


def bars(questions: int, count: int) -> dict[str, object]:
    arrays: dict[str, object] = {"questions": ["L|L+G", "L+G|G"][:questions]}
    for name in ("impurity", "permutation", "family"):
        values = np.sort(RNG.random((questions, count)))[:, ::-1].copy()
        values[-1, -1] = np.nan
        arrays |= {name: values, f"{name}_error": values / 5, f"{name}_noise": np.zeros(questions)}
        arrays[f"{name}_names"] = [[f"f{k}" for k in range(count)]] * questions
    return arrays


CASES = {
    "importance": (importance.draw, bars(2, 4)),
    "importance_single": (importance.draw, bars(1, 2)),
    "rules": (rules.draw, {"of": ["n", "phi2"], "rules": ["|--- a <= 1\n|--- a > 1", "|--- b <= 2"]}),
    "accuracy": (
        judged_accuracy.draw,
        {"judges": ["tree", "cnn"], "place": [1.0, 3.0], "place_name": "rho0", "accuracy": [[1, 0.5], [np.nan, 1]],
         "error": [[0.1, np.nan], [np.nan, 0]], "trained": [3.0]},
    ),
    "errors": (
        judged_error.draw,
        {"judges": ["linear"], "targets": ["n"], "where": ["held out, 6 × 2", "survey, 9 × 5"], "control_name": "mu",
         "control": [[1.0, np.nan], [1.0, 1.1]], "mse": [[[[0.1, np.nan], [0.0, 0.2]]]]},
    ),
    "gallery": (
        gallery.draw,
        {"fields": RNG.poisson(2, (2, 9, 6)), "channels": ["magnetisation", "density"],
         "methods": ["saliency", "grad_cam"],
         "maps": RNG.standard_normal((2, 2, 9, 6)), "title": "T = 1"},
    ),
    "gallery_flat": (
        gallery.draw,
        {"fields": np.zeros((4, 60, 4)), "channels": list("abcd"), "methods": ["occlusion"],
         "maps": np.zeros((1, 4, 60, 4)), "title": ""},
    ),
    "trust": (
        trust.draw,
        {"methods": ["saliency"], "layers": ["dense", "conv"], "cascade": [[0.9, 0.1]], "infidelity": [0.2],
         "infidelity_error": [np.nan], "sensitivity": [0.1], "sensitivity_error": [0.02]},
    ),
    "planes": (
        planes.draw,
        {"planes": ["pca", "umap"], "positions": RNG.random((2, 20, 2)), "colours": ["T", "order"],
         "values": RNG.random((2, 20))},
    ),
    "filter_maps": (
        filter_maps.draw,
        {"rows": ["a", "b"], "title": "t", "maps_0": RNG.random((1, 9, 6)), "names_0": ["x"],
         "maps_1": RNG.random((3, 3, 2)), "names_1": ["f0", "f1", "f2"]},
    ),
    "information_table": (
        information_table.draw,
        {"rows": ["z1", "z2", "T"], "columns": ["order", "T"], "value": [[1.0, 0.5], [0.0, 0.0], [0.9, np.nan]],
         "error": [[0.1, 0.1], [0.0, np.nan], [0.1, np.nan]], "apart": 2},
    ),
    "receptive_fields": (
        receptive_fields.draw,
        {"strength": np.pad(RNG.random((5, 3, 3)), ((0, 0), (3, 3), (3, 3))), "names": [f"c{k}" for k in range(5)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_picture_is_drawn_from_its_arrays_and_shows_something(tmp_path, name) -> None:
    from PIL import Image

    draw, arrays = CASES[name]
    picture = np.asarray(Image.open(save(tmp_path, name, arrays, draw)).convert("L"))
    assert picture.std() > 5
    assert picture.mean() > 120  # ink on white
