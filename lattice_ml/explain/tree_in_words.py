"""A decision tree as questions that are answered yes or no, for people."""

from __future__ import annotations

from typing import Any

from lattice_ml.explain.white_box import WhiteBox

LEAF = -1


def tree_in_words(box: WhiteBox, deepest: int) -> str:
    """The questions of a white box of the kind ``tree``, one a line, answers indented below it.

    Thresholds and answers have three digits and the units of the features and of the target. Where all branches end in
    one class nothing more is asked (they differ in their probabilities alone), and below ``deepest`` questions stands
    what most of the training rows are, or their mean.
    """
    tree: Any = box.estimator.tree_

    def answer(node: int) -> str:
        if not box.classes:
            return f"{tree.value[node].item():.3g}"
        return box.classes[int(box.estimator.classes_[tree.value[node][0].argmax()])]

    def below(node: int) -> set[str]:
        if tree.children_left[node] == LEAF:
            return {answer(node)}
        return below(tree.children_left[node]) | below(tree.children_right[node])

    def lines(node: int, depth: int) -> list[str]:
        if len(below(node)) == 1:
            return [*below(node)]
        if depth == deepest:
            return [f"{'mostly' if box.classes else 'about'} {answer(node)}"]
        yes, no = (lines(side[node], depth + 1) for side in (tree.children_left, tree.children_right))
        asked = f"{box.features[tree.feature[node]]} <= {tree.threshold[node]:.3g} ?"
        return [asked, *_indented("yes: ", yes), *_indented(" no: ", no)]

    return "\n".join(lines(0, 0))


def _indented(first: str, lines: list[str]) -> list[str]:
    return [(first if number == 0 else " " * len(first)) + line for number, line in enumerate(lines)]
