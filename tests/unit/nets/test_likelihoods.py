import math

import numpy as np
import pytest
import torch

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.likelihoods import Likelihood
from lattice_ml.systems.base import System
from lattice_ml.systems.complex_scalar.physics import ComplexScalar


def test_families_are_what_a_system_declares():
    class Spins(System):
        values = (0, 1)

    class Colours(System):
        values = (0, 1, 2)

    class Steps(System):
        values = (-1, 0, 1)

    class Particles(System):
        species = ("plus", "minus")

    class Angles(System):
        dtype = "float32"

    found = [kind().likelihood for kind in (Spins, Colours, Steps, Particles, Angles)]
    assert found == [("bernoulli",), ("categorical:3",), ("logistic",), ("poisson", "poisson"), ("normal",)]
    assert ComplexScalar((4, 4)).likelihood == ("logistic", "logistic", "poisson", "poisson")
    assert Steps().dtype == "int16"
    for unknown in ("gaussian", "categorical", "categorical:0"):
        with pytest.raises(UserError, match=unknown):
            Likelihood([unknown])


@pytest.mark.parametrize(
    ("family", "numbers", "support"),
    [
        ("bernoulli", [0.7], range(2)),
        ("poisson", [2.1], range(60)),
        ("logistic", [0.3, -0.4], range(-80, 81)),
        ("logistic", [-2.6, -4.5], range(-80, 81)),
        ("categorical:3", [0.2, -1.0, 0.5], range(3)),
    ],
)
def test_probabilities_add_up_to_one_and_give_the_mean_and_the_draws(family, numbers, support):
    likelihood = Likelihood([family])
    assert likelihood.numbers == len(numbers)
    field = torch.tensor(numbers)[None, :, None, None]
    values = torch.tensor(list(support))
    log_p = torch.cat([likelihood.log_prob(field, value.view(1, 1, 1, 1)) for value in values]).double()
    p = log_p.exp()
    assert p.sum() == pytest.approx(1, abs=2e-5)
    mean = float((p * values).sum())
    if family in ("bernoulli", "poisson"):  # of a cut logistic the location is the mean at half-integers only
        assert likelihood.mean(field).item() == pytest.approx(mean, abs=1e-4)
    drawn = likelihood.sample(field.expand(1, -1, 200, 200), torch.Generator().manual_seed(0)).double()
    spread = math.sqrt(float((p * (values - mean) ** 2).sum()))
    assert abs(float(drawn.mean()) - mean) < max(4 * spread / 200, 1e-3)  # 4 standard errors of 40,000 draws


def test_known_laws_and_the_sum_over_sites_and_species():
    torch.manual_seed(0)
    likelihood = Likelihood(["poisson", "bernoulli"])
    numbers = torch.randn(3, 2, 4, 5)
    states = torch.stack((torch.randint(0, 7, (3, 4, 5)), torch.randint(0, 2, (3, 4, 5))), dim=1)
    rate = torch.nn.functional.softplus(numbers[:, 0]) + 1e-4
    known = torch.distributions.Poisson(rate).log_prob(states[:, 0].float()).sum((1, 2))
    known += torch.distributions.Bernoulli(logits=numbers[:, 1]).log_prob(states[:, 1].float()).sum((1, 2))
    torch.testing.assert_close(likelihood.log_prob(numbers, states), known)


def test_a_narrow_logistic_far_from_the_number_stays_finite():
    field = torch.tensor([0.0, -5.0])[None, :, None, None].requires_grad_()
    surprise = -Likelihood(["logistic"]).log_prob(field, torch.full((1, 1, 1, 1), 40))
    surprise.sum().backward()
    assert np.isfinite(surprise.item())
    assert field.grad is not None
    assert torch.isfinite(field.grad).all()


def test_real_numbers_have_a_density_and_colours_their_likeliest_value():
    torch.manual_seed(0)
    numbers, states = torch.randn(2, 2, 4, 5), torch.randn(2, 1, 4, 5)
    likelihood = Likelihood(["normal"])
    known = torch.distributions.Normal(numbers[:, 0], numbers[:, 1].exp()).log_prob(states[:, 0]).sum((1, 2))
    torch.testing.assert_close(likelihood.log_prob(numbers, states), known)
    drawn = likelihood.sample(torch.tensor([3.0, -1.0])[None, :, None, None].expand(1, -1, 200, 200))
    assert drawn.dtype == torch.float32
    assert abs(float(drawn.mean()) - 3) < 4 * math.exp(-1) / 200
    assert float(drawn.std()) == pytest.approx(math.exp(-1), rel=0.02)
    colours = torch.tensor([0.2, 1.0, 0.5])[None, :, None, None]
    assert Likelihood(["categorical:3"]).mean(colours).item() == 1
