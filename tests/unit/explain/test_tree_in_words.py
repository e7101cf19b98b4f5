import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lattice_ml.explain.tree_in_words import tree_in_words
from lattice_ml.explain.white_box import WhiteBox

X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]).repeat(4, axis=0)


def box(target: np.ndarray, classes: tuple[str, ...] = (), **settings) -> WhiteBox:
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    return WhiteBox("tree", ("m", "rho"), classes, kind(random_state=0, **settings).fit(X, target), {}, 1.0)


def test_questions_lead_to_the_phases() -> None:
    target = np.array([0, 0, 1, 2]).repeat(4)
    assert tree_in_words(box(target, ("G", "L", "B")), 4).splitlines() == [
        "m <= 0.5 ?",
        "yes: G",
        " no: rho <= 0.5 ?",
        "     yes: L",
        "      no: B",
    ]


def test_where_all_is_one_class_nothing_is_asked() -> None:
    """One of four rows at (1, 1) is L and the others G: the tree splits there, and says G on both sides."""
    target = np.array([1, 1, 0, 0]).repeat(4)
    target[15] = 1
    tree = box(target, ("G", "L"))
    assert tree.estimator.tree_.node_count == 5
    assert tree_in_words(tree, 4).splitlines() == ["m <= 0.5 ?", "yes: L", " no: G"]


def test_a_class_that_is_missing_shifts_no_name() -> None:
    target = np.array([0, 0, 2, 2]).repeat(4)
    assert tree_in_words(box(target, ("G", "L", "B")), 4).splitlines() == ["m <= 0.5 ?", "yes: G", " no: B"]


def test_below_the_deepest_question_stands_the_mean() -> None:
    target = np.array([0.0, 0, 2, 6]).repeat(4)
    assert tree_in_words(box(target), 1).splitlines() == ["m <= 0.5 ?", "yes: 0", " no: about 4"]
