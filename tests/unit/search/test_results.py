"""What is printed of a study."""

import io

from rich.console import Console

from lattice_ml.search.outcome import Outcome
from lattice_ml.search.results import best_of, show, train_line
from lattice_ml.search.worker import work


def test_the_line_is_for_a_shell():
    words = ["experiment=toy", "model.layers=[{conv:4},leaky_relu]", "task.lr=0.1"]
    assert train_line(words) == "python train.py experiment=toy 'model.layers=[{conv:4},leaky_relu]' task.lr=0.1"


def printed(study, capsys):
    file = io.StringIO()
    show(study, Console(file=file, width=160))
    return file.getvalue() + capsys.readouterr().out


def test_the_best_is_shown_first_with_its_line(worker, tmp_path, capsys):
    one = worker(n_trials=14)
    scores = {number: (number - 5) ** 2 / 10 for number in range(14)}

    def attempt(claim):
        if claim.number == 3:
            raise ValueError("no memory")
        return Outcome(scores[claim.number], 10 * claim.number)

    work(one, attempt, ["validation"], lambda number: tmp_path / str(number))
    capsys.readouterr()
    said = printed(one.study, capsys)
    assert "study s: 13 complete, 1 failed" in said
    assert "failed: ValueError: no memory" in said
    rows = [line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│")]
    assert rows == [str(number) for number in sorted(scores, key=lambda n: (scores[n], n)) if number != 3][:10]
    assert f"trial 5 again:\npython train.py {' '.join(one.study.trials[5].user_attrs['overrides'])}\n" in said


def test_every_point_of_the_front_has_its_line(worker, tmp_path, capsys):
    one = worker(n_trials=4, objectives=2)
    found = [(0.1, 50), (0.2, 20), (0.3, 30), (0.4, 10)]
    attempt = lambda claim: Outcome(*found[claim.number])  # noqa: E731
    work(one, attempt, ["validation", "parameters"], lambda number: tmp_path / str(number))
    assert [trial.number for trial in best_of(one.study)] == [0, 1, 3]
    assert printed(one.study, capsys).count(" again:\n") == 3


def test_a_study_without_a_complete_trial_has_no_best(worker, capsys):
    assert best_of(worker().study) == []
    assert "study s: no trials" in printed(worker().study, capsys)
    assert best_of(worker(objectives=1).study) == []
