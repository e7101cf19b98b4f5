"""Nets that tell what they are made of, and kernels of several nets in one picture."""

import json

import numpy as np
import pytest

from lattice_ml import figures
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.workflows.common.net_pictures import draw_architecture, draw_kernels, draw_saliency_nets


def test_an_architecture_is_drawn_from_the_net(tmp_path):
    draw_architecture(tmp_path, PhaseCNN(2, (9, 9), 3), 2, (9, 9), "phase CNN")
    arrays = figures.load(tmp_path / "architecture.npz")
    assert arrays["parameters"].sum() == 32 * 81 // 27 + 1939
    assert arrays["shapes"][0] == "2 × 9 × 9"
    assert "2,035 parameters" in json.loads((tmp_path / "captions.json").read_text())["architecture"]["alt"]


def test_kernels_of_several_nets_stand_side_by_side(tmp_path):
    ramp = np.zeros((6, 2, 5, 5))
    ramp[1, 0] = np.arange(5.0)[:, None] - 2
    noise = np.random.default_rng(0).normal(size=(6, 2, 5, 5))
    told = draw_kernels(tmp_path, {"lambda = 0": noise, "lambda = 0.01": ramp}, ("magnetisation", "density"))
    assert (told["lambda = 0"]["n"], told["lambda = 0.01"]["n"]) == (12, 1)
    assert told["lambda = 0.01"]["value"] == pytest.approx(1)
    assert (tmp_path / "kernels.png").is_file()
    assert figures.load(tmp_path / "kernels.npz")["names_1"].tolist() == ["1, $m_i$"]
    draw_kernels(tmp_path, {"nothing": np.zeros((6, 2, 5, 5))}, ("magnetisation", "density"), "none")
    assert (tmp_path / "none.png").is_file()


def test_saliency_of_several_nets_stands_beside_the_configuration(tmp_path):
    rng = np.random.default_rng(0)
    mean = np.where(np.arange(27) < 12, 5.0, 1.0)[:, None].repeat(18, axis=1)
    states = np.stack((rng.poisson(mean), np.zeros((27, 18), dtype=int)))
    edges = np.abs(mean - np.roll(mean, 1, axis=0))
    maps = {"lambda = 0": rng.uniform(size=(2, 27, 18)), "lambda = 0.01": np.stack((edges, edges))}
    draw_saliency_nets(tmp_path, ActiveIsing((27, 18)), states, maps, "L+G", {"T": 0.56, "rho0": 3.0})
    arrays = figures.load(tmp_path / "saliency_nets.npz")
    assert arrays["score"][1] > 0.8 > abs(arrays["score"][0])
    assert (tmp_path / "saliency_nets.png").is_file()
