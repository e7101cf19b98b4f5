import pytest
import torch

from lattice_ml.data.pendulum import PendulumData, WhereWillItBe, rates, swing
from lattice_ml.ground.errors import UserError

DATA = PendulumData(pendula=400, batch_size=64, seed=3)


def test_a_pendulum_obeys_its_equation_of_motion():
    """x'' + b x' + kappa x = 0 (m = 1), x(0) = 1, by central differences in float64."""
    parameters = torch.tensor([[0.5, 5.0], [1.0, 10.0]], dtype=torch.float64)
    step = 1e-3
    t = torch.arange(0, 10, step, dtype=torch.float64)[None]
    x = swing(parameters, t)
    assert x[:, 0].tolist() == [1.0, 1.0]
    velocity = (x[:, 2:] - x[:, :-2]) / (2 * step)
    acceleration = (x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2]) / step**2
    rest = acceleration + parameters[:, :1] * velocity + parameters[:, 1:] * x[:, 1:-1]
    assert rest.abs().max() < 1e-3  # kappa² step² / 6 and rounding of 1e-16 / step²
    omega, decay = rates(parameters)
    assert decay.tolist() == [0.25, 0.5]
    assert omega.square() == pytest.approx((parameters[:, 1] - decay.square()).numpy())


def test_sides_are_apart_and_the_test_lies_within_the_papers_intervals():
    numbers = torch.cat(list(DATA.index.values()))
    assert len(numbers.unique()) == len(numbers) == len(DATA.series) == 400 + 500 + 500
    _, parameters = DATA.side("test")
    low, high = parameters.amin(0), parameters.amax(0)
    assert (low >= torch.tensor([0.5, 5.0])).all()
    assert (high <= torch.tensor([1.0, 10.0])).all()
    _, wider = DATA.side("train")
    assert (wider.amin(0) < torch.tensor([0.45, 4.5])).all()


def test_data_are_a_function_of_the_seed():
    assert torch.equal(DATA.series, PendulumData(400, 64, 3).series)
    assert not torch.equal(DATA.series, PendulumData(400, 64, 4).series)


def test_answers_are_the_pendulums_own():
    series, parameters = DATA.side("val")
    asked = WhereWillItBe().every(series, parameters)
    seen = asked.answer[:, :51:25, 0]  # t = 0, 2.5, 5 s
    assert torch.allclose(seen[:, 0], series[:, 0], atol=1e-6)
    assert torch.allclose(seen[:, 2], series[:, -1], atol=1e-5)
    torch.manual_seed(0)
    drawn = WhereWillItBe(questions=5).draw(series, parameters)
    assert drawn.query.shape == (len(series), 5, 1)
    assert drawn.query.abs().max() <= 5
    torch.testing.assert_close(drawn.answer[..., 0], swing(parameters, drawn.query[..., 0] + 5))


def test_no_pendula_are_refused():
    with pytest.raises(UserError, match="pendula"):
        PendulumData(0)
