import numpy as np
import pytest
import torch

from lattice_ml.data.questions import Correlation, Profile, crest
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.ising.physics import Ising

AIM = ActiveIsing((12, 5))


def configurations(seed: int = 0) -> torch.Tensor:
    counts = np.random.default_rng(seed).poisson(2.0, (6, 2, 12, 5))
    counts[:, 0, 3:7] += 4  # a band, so that a crest is well defined
    return AIM.to_channels(torch.from_numpy(counts))


def test_a_profile_is_the_mean_over_y_at_every_position():
    x = configurations()
    asked = Profile(AIM).every(x, x)
    torch.testing.assert_close(asked.answer, x.mean(-1).transpose(1, 2))
    assert asked.query.shape == (6, 12, 12)
    angle = 2 * np.pi * 5 / 12
    assert asked.query[0, 5, 1].item() == pytest.approx(np.cos(2 * angle), abs=1e-6)
    assert asked.query[0, 5, 6].item() == pytest.approx(np.sin(angle), abs=1e-6)


def test_drawn_questions_are_among_all_of_them():
    torch.manual_seed(0)
    x = configurations()
    question = Profile(AIM, questions=7)
    every, some = question.every(x, x), question.draw(x, x)
    assert some.query.shape == (6, 7, 12)
    for own in range(6):
        for query, answer in zip(some.query[own], some.answer[own], strict=True):
            at = (every.query[own] - query).abs().sum(1).argmin()
            torch.testing.assert_close(answer, every.answer[own, at])


def test_in_the_frame_of_the_wave_a_translation_changes_nothing_but_the_lab_sees_it():
    x = configurations()
    moved = x.roll((5, 2), dims=(2, 3))
    wave, lab = Profile(AIM, frame="wave"), Profile(AIM)
    torch.testing.assert_close(wave.every(x, x).answer, wave.every(moved, x).answer)
    assert not torch.allclose(lab.every(x, x).answer, lab.every(moved, x).answer)
    assert crest(torch.eye(12)[[0, 4, 11]]).tolist() == [0, 4, 11]


def test_correlations_are_those_of_the_sum_over_sites():
    x = configurations(1)
    asked = Correlation(AIM).every(x, x)
    assert asked.answer.shape == (6, 6, 2)
    for r in (1, 4, 6):
        direct = (x * x.roll(-r, dims=2)).mean((2, 3))
        torch.testing.assert_close(asked.answer[:, r - 1], direct, rtol=1e-4, atol=1e-4)


def test_the_energy_of_spins_is_the_correlation_of_neighbours():
    system = Ising((8, 8))
    states = np.random.default_rng(2).integers(0, 2, (5, 1, 8, 8))
    x = system.to_channels(torch.from_numpy(states))
    along_x = Correlation(system).every(x, x).answer[:, 0, 0]
    along_y = Correlation(system).every(x.transpose(2, 3), x).answer[:, 0, 0]
    assert -(along_x + along_y).numpy() == pytest.approx(system.observables(states)["energy"], abs=1e-5)


def test_nonsense_is_refused():
    with pytest.raises(UserError, match="frame"):
        Profile(AIM, frame="moving")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="questions"):
        Correlation(AIM, questions=0)
