"""What ends a training between two epochs."""

from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import torch

from lattice_ml.search.claims import ClaimLost
from lattice_ml.search.pruning import Diverged, Watch


def end_epoch(one, claim, epoch, **losses: float):
    metrics = {name.replace("_", "/"): torch.tensor(loss) for name, loss in losses.items()}
    trainer: Any = SimpleNamespace(callback_metrics=metrics, current_epoch=epoch)
    Watch(one, claim).on_train_epoch_end(trainer, None)  # type: ignore[arg-type]


def test_epochs_are_reported(worker):
    one = worker()
    claim = one.take()
    end_epoch(one, claim, 0, val_loss=0.5, train_loss=0.25)
    end_epoch(one, claim, 1, train_loss=0.25)
    end_epoch(one, claim, 2, val_loss=0.75)
    assert one.study.trials[0].intermediate_values == {0: 0.5, 2: 0.75}


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["train_loss", "val_loss"])
def test_a_loss_that_is_no_number_ends_it(name, loss, worker):
    one = worker()
    claim = one.take()
    with pytest.raises(Diverged, match=f"{name.replace('_', '/')} is {loss:g} at epoch 4"):
        end_epoch(one, claim, 4, **{name: loss})


def test_a_hopeless_trial_ends(worker):
    one = worker(pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    claim = one.take()
    end_epoch(one, claim, 0, val_loss=0.5)
    with pytest.raises(optuna.TrialPruned):
        end_epoch(one, claim, 1, val_loss=2.0)


def test_who_has_lost_the_trial_stops(worker):
    one = worker()
    claim = one.take()
    one.give_back(claim)
    with pytest.raises(ClaimLost):
        end_epoch(one, claim, 0, val_loss=0.5)


def test_training_goes_on_while_the_database_does_not_answer(worker, monkeypatch):
    from sqlalchemy.exc import OperationalError

    one = worker(pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    claim = one.take()

    def broken(*_):
        raise OperationalError("select", {}, Exception("server closed the connection"))

    monkeypatch.setattr(one.storage.backend, "get_trial", broken)
    end_epoch(one, claim, 0, val_loss=2.0)
