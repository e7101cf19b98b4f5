"""Models that can be read, on physical features: the yardstick that a deep net must beat, and be explained by.

    linear               f(x) = w x + b: ridge regression, closed form w = (X'X + a)^-1 X'y; logistic for phases
    tree                 nested yes-no questions "feature > threshold?"
    random_forest        mean of trees, each on a bootstrap sample, each split among a random subset of features
    extra_trees          the same with random thresholds and no bootstrap
    gradient_boosting    a sum of small trees, each fitted to the gradient of the loss of those before

Splits lower the impurity sum_node (share of rows) * i(node): Gini 1 - sum_c p_c², entropy -sum_c p_c ln p_c, or the
variance of the target. Hyperparameters are chosen by cross-validation in which a trajectory is never on both sides of a
fold, where there are trajectories enough (``folds_of``): samples of one trajectory know one another.

Sources: L. Breiman, Mach. Learn. 45, 5 (2001) (random forests); P. Geurts, D. Ernst & L. Wehenkel, Mach. Learn. 63, 3
(2006) (extremely randomised trees); J. H. Friedman, Ann. Stat. 29, 1189 (2001) (gradient boosting); L. Lucie-Smith,
"Machine learning and its interpretability" (2023), lecture 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int64, Shaped

from lattice_ml.ground.errors import UserError

Kind = Literal["linear", "tree", "random_forest", "extra_trees", "gradient_boosting"]
KINDS: tuple[Kind, ...] = ("linear", "tree", "random_forest", "extra_trees", "gradient_boosting")
TREES = 100
FOLDS = 5


@dataclass(frozen=True)
class WhiteBox:
    """A fitted model on named features, with the hyperparameters that cross-validation chose and its score there.

    classes: names of the classes, () for a regression. score: mean accuracy, or R², over the folds.
    """

    kind: Kind
    features: tuple[str, ...]
    classes: tuple[str, ...]
    estimator: Any
    chosen: dict[str, Any]
    score: float

    def predict(self, values: Float[np.ndarray, "n feature"]) -> Shaped[np.ndarray, " n"]:
        """A number of a class, int64, or the target's value, float64."""
        return self.estimator.predict(values)

    def probabilities(self, values: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, "n class"]:
        """Of all ``classes`` in their order: 0 for one that the training did not hold."""
        found = np.zeros((len(values), len(self.classes)))
        found[:, np.asarray(self.estimator.classes_, dtype=np.int64)] = self.estimator.predict_proba(values)
        return found


def fit_white_box(
    kind: Kind,
    values: Float[np.ndarray, "n feature"],
    target: Shaped[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    names: Sequence[str],
    classes: Sequence[str] = (),
    seed: int = 0,
) -> WhiteBox:
    """Choose hyperparameters by grouped cross-validation, then fit to everything.

    target: numbers of ``classes`` (int64), or values to regress where there are no classes. groups: the replica of
    every row; there must be at least two. Raises ``UserError`` for an unknown kind, a single group or a single class.
    """
    from sklearn.model_selection import GridSearchCV

    count = len(np.unique(groups))
    if count < 2:
        raise UserError(
            "white boxes are tuned on replicas that they were not fitted to: give at least two to train on."
        )
    if classes and len(np.unique(target)) < 2:
        raise UserError(
            f"everything to fit is {classes[int(target[0])]}, and there is nothing to tell apart: give configurations "
            "from more of the range, or a net that was trained longer."
        )
    estimator, grid = build(kind, bool(classes), seed)
    folds = folds_of(values, target, groups, bool(classes))
    search = GridSearchCV(estimator, grid, cv=folds, error_score="raise")  # pyright: ignore[reportArgumentType]
    search.fit(values, target)
    chosen = {name.rpartition("__")[2]: value for name, value in search.best_params_.items()}
    return WhiteBox(kind, tuple(names), tuple(classes), search.best_estimator_, chosen, float(search.best_score_))


def folds_of(
    values: Float[np.ndarray, "n feature"],
    target: Shaped[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    classify: bool,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to fit, rows to judge): whole groups are judged, as far as what is fitted then still holds two classes.

    Where it never does, since there are few groups and each is of one class, rows are dealt without regard to groups.
    """
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    folds = list(GroupKFold(min(FOLDS, len(np.unique(groups)))).split(values, target, groups))
    if not classify:
        return folds
    sound = [fold for fold in folds if len(np.unique(target[fold[0]])) > 1]
    return sound or list(StratifiedKFold(2).split(values, target))


def build(kind: Kind, classify: bool, seed: int) -> tuple[Any, dict[str, list[Any]]]:
    """An estimator of scikit-learn and the hyperparameters to choose among; ``UserError`` for an unknown kind."""
    from sklearn import ensemble, linear_model, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few: dict[str, list[Any]] = {"min_samples_leaf": [1, 5], "max_features": ["sqrt", 0.5]}
    if kind == "linear" and classify:
        strengths = {"logisticregression__C": [0.01, 1.0, 100.0]}
        return make_pipeline(StandardScaler(), linear_model.LogisticRegression(max_iter=2000)), strengths
    if kind == "linear":
        return make_pipeline(StandardScaler(), linear_model.Ridge()), {"ridge__alpha": [1e-6, 1e-3, 1.0, 1e3]}
    if kind == "tree":
        depths: dict[str, list[Any]] = {"max_depth": [2, 4, 8, None], "min_samples_leaf": [1, 5, 20]}
        if classify:
            return tree.DecisionTreeClassifier(random_state=seed), depths | {"criterion": ["gini", "entropy"]}
        return tree.DecisionTreeRegressor(random_state=seed), depths
    if kind == "random_forest":
        forest = ensemble.RandomForestClassifier if classify else ensemble.RandomForestRegressor
        return forest(TREES, random_state=seed), few
    if kind == "extra_trees":
        forest = ensemble.ExtraTreesClassifier if classify else ensemble.ExtraTreesRegressor
        return forest(TREES, random_state=seed), few
    if kind == "gradient_boosting":
        boosting = ensemble.HistGradientBoostingClassifier if classify else ensemble.HistGradientBoostingRegressor
        return boosting(random_state=seed), {"learning_rate": [0.05, 0.2], "max_leaf_nodes": [4, 16]}
    raise UserError(f"there is no white box {kind!r}: give some of {', '.join(KINDS)}.")
