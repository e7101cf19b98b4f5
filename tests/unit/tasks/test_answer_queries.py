from types import SimpleNamespace

import pytest
import torch

from lattice_ml.data.pendulum import PendulumData, WhereWillItBe
from lattice_ml.data.questions import Asked
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.encoders import SeriesEncoder
from lattice_ml.nets.posterior import Posterior
from lattice_ml.nets.variational_encoder import VariationalEncoder
from lattice_ml.tasks.answer_queries import AnswerQueries


def small(beta: float = 0.5) -> AnswerQueries:
    torch.manual_seed(0)
    net = VariationalEncoder(lambda shape: SeriesEncoder(shape, [8]), (50,), 1, 1, latents=2, hidden=8, depth=1)
    return AnswerQueries(net, WhereWillItBe(questions=3), beta=beta)


def test_errors_count_in_units_of_the_answers_and_the_divergence_is_summed_over_latents():
    task = small()
    task.scale.fill_(2.0)
    found = Posterior(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    query = torch.zeros(1, 1, 1)
    raw = task.net.answer(found.mean, query)
    asked = Asked(query, 2.0 * (raw + 3.0).detach())  # off by three units
    squared, divergence = task.losses(found.mean, asked, found)
    assert squared.item() == pytest.approx(9.0, rel=1e-5)
    assert divergence.item() == pytest.approx(0.5)  # mean² / 2
    assert task(found.mean, query).item() == pytest.approx(2 * raw.item())


def test_errors_are_over_all_questions_and_posteriors_are_those_of_the_net():
    data, task = PendulumData(pendula=50, seed=1), small()
    series, parameters = data.side("test")
    found = task.posteriors(series)
    torch.testing.assert_close(found.mean, task.encode(series).mean)
    asked = task.question.every(series, parameters)
    with torch.inference_mode():
        known = (task(found.mean, asked.query) - asked.answer).square().mean(1).sqrt()
    torch.testing.assert_close(torch.from_numpy(task.errors(series, parameters)).float(), known)


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.25), (2, 0.75), (3, 1.0), (7, 1.0)])
def test_the_price_of_a_latent_rises_to_beta(epoch: int, share: float):
    task = small()
    task.warmup = 0.5
    task._trainer = SimpleNamespace(max_epochs=8, current_epoch=epoch)  # type: ignore[assignment]
    assert task.price == pytest.approx(0.5 * share)


def test_nonsense_is_refused():
    with pytest.raises(UserError, match="beta"):
        small(beta=-1.0)
