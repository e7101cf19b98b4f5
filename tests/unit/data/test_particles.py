"""Thinned configurations and configurations in a gas: binomial and Poisson numbers, and the pattern as it was."""

import numpy as np
import pytest
import torch

from lattice_ml.data.particles import Gas, Thin
from lattice_ml.ground.errors import UserError

SITES = (2, 24, 24)
N = 2 * 24 * 24


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestThin:
    LOWEST, COUNT, BATCH = 0.2, 20, 200

    def thinned(self) -> np.ndarray:
        states = torch.full((self.BATCH, *SITES), self.COUNT, dtype=torch.uint8)
        return Thin(self.LOWEST)(states, generator(0)).double().numpy().reshape(self.BATCH, N)

    def test_every_site_is_binomial_with_its_configurations_own_probability(self):
        found = self.thinned()
        p = found.mean(axis=1) / self.COUNT
        assert p.max() < 1
        # A sample variance over its expectation scatters by sqrt(2 / (N - 1) + k / N), k the excess kurtosis, which is
        # (1 / (p (1 - p)) - 6) / n of a binomial number.
        ratio = found.var(axis=1, ddof=1) / (self.COUNT * p * (1 - p))
        scatter = np.sqrt(2 / (N - 1) + (1 / (p * (1 - p)) - 6) / (self.COUNT * N))
        assert np.abs((ratio - 1) / scatter).max() < 5
        assert abs(ratio.mean() - 1) < 4 * np.sqrt((scatter**2).sum()) / self.BATCH

    def test_sites_do_not_know_one_another(self):
        found = self.thinned()
        centred = (found - found.mean(axis=1, keepdims=True)) / found.std(axis=1, keepdims=True)
        neighbours = (centred[:, 1:] * centred[:, :-1]).mean()
        assert abs(neighbours) < 5 / np.sqrt(self.BATCH * N)

    def test_the_probability_is_log_uniform(self):
        u = np.log(self.thinned().mean(axis=1) / self.COUNT) / np.log(self.LOWEST)
        # Its own scatter, sqrt((1 - p) / (p 20 N)) / ln 5 < 0.01, is nothing beside that of a uniform number.
        assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * self.BATCH)
        assert abs(u.var() - 1 / 12) < 4 * np.sqrt((1 / 80 - 1 / 144) / self.BATCH)
        assert -0.01 < u.min() < u.max() < 1.01

    def test_nothing_is_lost_at_lowest_1_and_nobody_is_added(self):
        states = torch.randint(0, 9, (5, *SITES), generator=generator(1), dtype=torch.int16)
        assert torch.equal(Thin(1.0)(states, generator(2)), states)
        fewer = Thin(0.1)(states, generator(2))
        assert (fewer <= states).all()
        assert (fewer[states == 0] == 0).all()

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
    def test_the_dtype_stays_and_the_same_generator_gives_the_same_bits(self, dtype):
        states = torch.randint(0, 200, (7, *SITES), generator=generator(3)).to(dtype)
        before = states.clone()
        first, again, other = (Thin(0.3)(states, generator(seed)) for seed in (4, 4, 5))
        assert first.dtype == dtype
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(states, before)

    @pytest.mark.parametrize("lowest", [0.0, -0.2, 1.1, float("nan")])
    def test_a_share_that_is_none_is_refused(self, lowest):
        with pytest.raises(UserError, match="give 0 < lowest <= 1"):
            Thin(lowest)


class TestGas:
    HIGHEST, BATCH = 1.5, 400

    def added(self, count: int) -> np.ndarray:
        """Particles added to every site of configurations that have ``count`` on each."""
        states = torch.full((self.BATCH, *SITES), count, dtype=torch.uint8)
        found = Gas(self.HIGHEST)(states, generator(0))
        assert found.dtype == torch.int16
        return (found - states).double().numpy().reshape(self.BATCH, N)

    def test_one_of_two_is_left_as_it_is(self):
        added = self.added(3)
        assert (added >= 0).all()
        untouched = (added == 0).all(axis=1).sum()
        # Of the others a share exp(-3 g N) is untouched by chance: 1 / (3 * 1.5 * N) of them, none here.
        assert abs(untouched - self.BATCH / 2) < 4 * np.sqrt(self.BATCH / 4)

    def test_the_others_get_poisson_numbers_of_a_uniform_rate(self):
        added = self.added(3)
        added = added[(added > 0).any(axis=1)]
        rate = added.mean(axis=1)
        # A Poisson number of rate r has variance r, and its sample variance that of (2 r² + r) / N.
        scatter = np.sqrt((2 + 1 / rate) / N)
        assert np.abs((added.var(axis=1, ddof=1) / rate - 1) / scatter).max() < 5
        share = rate / 3 / self.HIGHEST  # uniform in [0, 1]
        assert abs(share.mean() - 0.5) < 4 / np.sqrt(12 * len(share))
        assert abs(share.var() - 1 / 12) < 4 * np.sqrt((1 / 80 - 1 / 144) / len(share))

    def test_the_gas_is_as_dense_as_the_configuration_says(self):
        """The same generator draws the same shares: means go with the density, and a gas is flat where a band is."""
        thin, dense = self.added(2).mean(axis=1), self.added(6).mean(axis=1)
        assert ((thin > 0) == (dense > 0)).all()
        # Over all configurations sum(dense) - 3 sum(thin) has the variance of Poisson sums, 6 and 9 times 2 a share.
        assert abs(dense.sum() - 3 * thin.sum()) < 4 * np.sqrt((dense.sum() + 9 * thin.sum()) / N)
        band = torch.zeros(self.BATCH, *SITES, dtype=torch.int16)
        band[:, 0, :6] = 16  # + particles on a quarter of the torus: the mean over sites and species is 2
        gas = (Gas(self.HIGHEST)(band, generator(0)) - band).double().numpy()
        inside, outside = gas[:, 0, :6].mean(), gas[:, 1, 6:].mean()
        number = self.BATCH * 24 * np.array([6, 18])
        assert abs(inside - outside) < 4 * np.sqrt((inside / number[0]) + outside / number[1])
        assert abs(gas.sum(axis=0).mean() - thin.sum()) < 4 * np.sqrt(2 * thin.sum() / N)

    def test_the_same_generator_gives_the_same_bits(self):
        states = torch.randint(0, 9, (6, *SITES), generator=generator(3), dtype=torch.uint8)
        first, again, other = (Gas(1.0)(states, generator(seed)) for seed in (4, 4, 5))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    @pytest.mark.parametrize("highest", [0.0, -1.0, float("inf"), float("nan")])
    def test_a_density_that_is_none_is_refused(self, highest):
        with pytest.raises(UserError, match="give highest > 0"):
            Gas(highest)
