from pathlib import Path

import pytest
import torch
import yaml
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.lattice_cnn import GlobalPool, LatticeCNN, PeriodicConv2d, Pool

FLUX = Path(__file__).parents[3] / "conf" / "model" / "flux"
PARAMETERS = {
    "eq": 33202, "st": 26370, "fl": 47394,
    "detect_eq": 2657, "detect_st": 953, "detect_fl": 5600,
    "count_eq_1": 1800, "count_eq_2": 456, "count_eq_3": 308,
    "count_st_1": 2336, "count_st_2": 132, "count_st_3": 1184,
    "count_fl_1": 640, "count_fl_2": 640, "count_fl_3": 2704,
}  # fmt: skip


def flux_net(name: str) -> LatticeCNN:
    extents, outputs = ((8, 8), 1) if "_" in name else ((60, 4), 2)
    return LatticeCNN(4, extents, outputs, yaml.safe_load((FLUX / f"{name}.yaml").read_text())["layers"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_papers_nets_have_its_numbers_of_parameters(name):
    net = flux_net(name)
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS[name]
    assert net.architecture == next(part for part in name.upper().split("_") if part in ("EQ", "ST", "FL"))
    assert net(torch.zeros(3, 4, *net.extents)).shape == (3, net.outputs)


def test_every_file_of_the_group_is_known():
    others = {"oracle_regress", "oracle_detect", "oracle_count", "count_st_2_average"}
    assert {path.stem for path in FLUX.glob("*.yaml")} == {*PARAMETERS, *others}


@pytest.mark.parametrize(("name", "extents"), [("eq", (50, 2)), ("st", (100, 5)), ("detect_eq", (64, 64))])
def test_eq_and_st_take_any_lattice(name, extents):
    assert flux_net(name)(torch.zeros(1, 4, *extents)).isfinite().all()


def test_fl_refuses_another_lattice_in_one_sentence():
    with pytest.raises(UserError, match="an FL net of 60 × 4 sites cannot read 50 × 2: give"):
        flux_net("fl")(torch.zeros(1, 4, 50, 2))


@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_a_convolution_goes_round_the_torus(kernel):
    conv, x = PeriodicConv2d(2, 3, kernel).double(), torch.randn(2, 2, 5, 2, dtype=torch.float64)
    expected = conv.bias[:, None, None].expand(2, 3, 5, 2).clone()
    for i in range(kernel):
        for j in range(kernel):
            # x[r + d - reach] at r is x rolled by reach - d.
            seen = x.roll((kernel // 2 - i, kernel // 2 - j), (-2, -1))
            expected = expected + torch.einsum("oc,bcxy->boxy", conv.weight[:, :, i, j], seen)
    torch.testing.assert_close(conv(x), expected)


def test_a_kernel_of_two_sees_the_site_and_the_one_before_it():
    conv = PeriodicConv2d(1, 1, 2, bias=False)
    conv.weight.data = torch.tensor([[[[0.0, 10.0], [0.0, 1.0]]]])
    x = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1).expand(1, 1, 3, 2)
    assert conv(x)[0, 0, :, 0].tolist() == [31, 12, 23]


def test_pools_drop_what_an_odd_extent_has_too_many():
    x = torch.arange(30.0).reshape(1, 1, 6, 5)
    assert torch.equal(Pool("average")(x), F.avg_pool2d(x[..., :4], 2))
    assert torch.equal(Pool("max")(x), x[..., 1::2, 1:4:2])
    with pytest.raises(UserError, match="give a larger lattice"):
        Pool("max")(x[..., :1])


@pytest.mark.parametrize(("how", "expected"), [("average", 4.5), ("max", 9.0), ("sum", 45.0)])
def test_global_pools(how, expected):
    assert GlobalPool(how)(torch.arange(10.0).reshape(1, 1, 5, 2)).tolist() == [[expected]]


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([], "without layers"),
        ("flatten", "without layers"),
        (["leaky_relu"], "ends with 6 × 4 sites: give a global_pool or flatten after layer 1"),
        (["flatten"], "layer 1 of model.layers ends with 96 numbers where 1 are asked for"),
        (["flatten", {"linear": 2}], "layer 2 of model.layers ends with 2 numbers"),
        (["maxout"], "layer 1 of model.layers is 'maxout', which is no layer: give one of conv"),
        ([7], "is 7, which is no layer"),
        ([{"linear": 1}], "meets 6 × 4 sites: give global_pool or flatten before"),
        (["flatten", {"conv": 2, "kernel": 1}], "layer 2 of model.layers, conv, comes after the sites are gone"),
        ([{"conv": 2}], "kernel None: give a whole number"),
        ([{"conv": 0, "kernel": 1}], "conv 0: give a whole number"),
        ([{"conv": 2, "kernel": 1.5}], "kernel 1.5: give a whole number"),
        ([{"conv": 2, "kernel": 11}], "kernel 11 on 6 × 4 sites: give at most 9"),
        ([{"conv": 2, "kernel": 1, "stride": 2}], "has no setting 'stride': give conv, kernel, bias"),
        ([{"conv": 2, "kernel": 1, "bias": 3}], "bias 3: give true or false"),
        ([{"pool": "average"}] * 3, "layer 3 of model.layers, pool, meets 1 × 1 sites"),
        ([{"pool": "sum"}], "pool, is 'sum': give average or max"),
        ([{"global_pool": True}], "is True: give average or max or sum"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(layers, sentence):
    with pytest.raises(UserError) as refusal:
        LatticeCNN(4, (6, 4), 1, layers)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
