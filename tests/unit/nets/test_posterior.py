import torch
from torch.distributions import Normal, kl_divergence

from lattice_ml.nets.posterior import Posterior, posterior


def test_the_divergence_is_that_of_torch_and_zero_at_the_prior():
    torch.manual_seed(0)
    found = Posterior(torch.randn(7, 3), torch.randn(7, 3))
    known = kl_divergence(Normal(found.mean, found.log_sigma.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(found.divergence(), known)
    assert not Posterior(torch.zeros(2, 3), torch.zeros(2, 3)).divergence().any()


def test_samples_have_the_posteriors_moments_and_pass_gradients():
    torch.manual_seed(1)
    mean, log_sigma = torch.tensor([[1.5, -2.0]]), torch.tensor([[-1.0, 0.5]], requires_grad=True)
    drawn = Posterior(mean.expand(40_000, -1), log_sigma.expand(40_000, -1)).sample()
    sigma = log_sigma.exp().detach()[0]
    assert torch.all((drawn.mean(0) - mean[0]).abs() < 4 * sigma / 200)  # 4 standard errors of 40,000 draws
    assert torch.all((drawn.std(0) / sigma - 1).abs() < 4 / (2 * 40_000) ** 0.5)
    drawn.square().sum().backward()
    assert log_sigma.grad is not None
    assert log_sigma.grad.abs().min() > 0


def test_an_encoders_numbers_are_bounded_where_sigma_would_overflow():
    found = posterior(torch.full((1, 4), 1e4))
    assert found.mean.tolist() == [[1e4, 1e4]]
    assert found.log_sigma.tolist() == [[5.0, 5.0]]
