"""Which net errs less: the order by medians, and rank tests whose p can be counted by hand."""

import numpy as np
import pytest

from lattice_ml.runs.evaluation import Evaluation
from lattice_ml.workflows.nets.ranking import rank
from lattice_ml.workflows.nets.results import Trained


def trained(name, values, score="mse", samples=100, tori=("8x8",)):
    return Trained(
        name,
        samples,
        Evaluation(
            validation=np.array(values),
            part=["survey"] * len(tori),
            torus=list(tori),
            scores={score: [np.array(values)] * len(tori)},
        ),
    )


def test_the_smaller_error_is_first_and_p_counts_orders():
    (found,) = rank([trained("ST", [4.0, 5.0, 6.0]), trained("EQ", [1.0, 2.0, 3.0]), trained("FL", [4.5, 5.5, 3.5])])
    assert found.order == ("EQ", "FL", "ST")
    assert found.p[0] == pytest.approx(1 / 20)  # one of the 6 choose 3 orders
    assert found.p[1] == pytest.approx(7 / 20)  # U = 6 of 9; 7 of the 20 orders have as much
    assert found.in_words() == "8x8, 100 samples: EQ, FL (p = 0.05), ST (p = 0.35)"


def test_the_larger_accuracy_is_first():
    (found,) = rank([trained("A", [0.7, 0.8, 0.75], "accuracy"), trained("B", [0.9, 0.95, 0.99], "accuracy")])
    assert found.order == ("B", "A")
    assert found.p == (pytest.approx(1 / 20),)


def test_sizes_and_lattices_are_ranked_each_for_itself_among_those_that_were_tested_there():
    nets = [trained("EQ", [1.0, 2.0], samples=n, tori=("8x8", "16x16")) for n in (400, 100)]
    nets += [trained("ST", [3.0, 4.0], samples=100, tori=("8x8", "16x16")), trained("FL", [5.0, 6.0], samples=100)]
    found = [(one.samples, one.lattice, one.order) for one in rank(nets)]
    assert found == [(100, "8x8", ("EQ", "ST", "FL")), (100, "16x16", ("EQ", "ST"))]
