"""Phase boundaries without labels: learning by confusion, and the divergence of predicted temperatures.

Both ask how well the control parameter T can be read off a configuration x, and both are functions of one thing, the
probability P(T_k | x) of the temperatures T_1 < ... < T_K of the ensemble, which one net learns by cross-entropy with
the temperatures as classes (J. Arnold & F. Schäfer, PRX 12, 031044 (2022), where these are the optimal predictors):

- **divergence** (F. Schäfer & N. Lörch, PRE 99, 062107 (2019)): the predicted T̂(x) = sum_k T_k P(T_k | x) is constant
  in T where configurations look alike, follows T where they tell it, and jumps where they change at once:

      D(T) = d < T̂ >_T / dT,    by central differences;  D is largest at a transition;

- **confusion** (E. van Nieuwenburg, Y.-H. Liu & S. Huber, Nat. Phys. 13, 435 (2017)): between every two neighbouring
  temperatures configurations are divided into colder and hotter ones. The share that is told wrongly, E, by
  P(T > split | x) > 1/2, is small where the division is that of two phases. Their W-shaped accuracy 1 - E owes its arms
  to guessing: a guess is wrong for the smaller side, min(p, 1 - p). So what is shown is

      C = 1 - E / min(p, 1 - p),    1: told apart without error; 0: no better than a guess.

Where T can be told within a phase, since an observable changes smoothly with it, D is 1 and C near 1 there: a boundary
is then where such a region begins or ends, and D, which jumps there too, is the sharper of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WINDOW = 2
"""Grid steps on each side over which peaks are one peak."""


@dataclass(frozen=True)
class Indicators:
    """Of every member. middle: the middles between neighbouring temperatures ``[split]``.

    divergence, confusion: ``[member, split]``. predicted: < T̂ > ``[member, point]`` at the temperatures T ``[point]``.
    """

    T: Float[np.ndarray, " point"]
    middle: Float[np.ndarray, " split"]
    predicted: Float[np.ndarray, "member point"]
    divergence: Float[np.ndarray, "member split"]
    confusion: Float[np.ndarray, "member split"]


def indicators(
    control: Float[np.ndarray, " point"], probabilities: Float[np.ndarray, "member point configuration point"]
) -> Indicators:
    """Both indicators from P(T_k | x) of configurations drawn at every temperature, equally many at each.

    control: the temperatures, rising. Raises ``ValueError`` if they are not, or the shapes do not fit.
    """
    _members, points, _, classes = probabilities.shape
    if len(control) != points or classes != points or not np.all(np.diff(control) > 0):
        raise ValueError(f"{probabilities.shape} is not [member, point, configuration, point] for rising {control}")
    predicted = (probabilities @ control).mean(axis=2)
    divergence = np.diff(predicted, axis=1) / np.diff(control)
    hotter = 1 - np.cumsum(probabilities, axis=-1)[..., :-1]  # [member, point, configuration, split]
    is_hotter = np.arange(points)[:, None] > np.arange(points - 1)
    wrong = ((hotter > 0.5) != is_hotter[None, :, None, :]).mean(axis=(1, 2))
    share = np.arange(1, points) / points
    confusion = 1 - wrong / np.minimum(share, 1 - share)
    return Indicators(control, (control[1:] + control[:-1]) / 2, predicted, divergence, confusion)


def peaks(
    middle: Float[np.ndarray, " split"], indicator: Float[np.ndarray, "member split"], count: int
) -> tuple[Float[np.ndarray, " peak"], Float[np.ndarray, " peak"]]:
    """The ``count`` highest peaks of an indicator, in the order of temperature: their places and errors.

    Peaks are sought in the mean over members, at least ``WINDOW`` steps apart. The place is the centre of mass of the
    excess over the smaller of the two ends of the window around it; the error is its standard deviation between
    members, in quadrature with that of a uniform place in a grid step. nan where there are fewer peaks.
    """
    mean = indicator.mean(axis=0)
    order, chosen = np.argsort(mean)[::-1], []
    for k in order:
        top = mean[max(0, k - WINDOW) : k + WINDOW + 1].max()
        if mean[k] == top and all(abs(k - other) > WINDOW for other in chosen):
            chosen.append(int(k))
        if len(chosen) == count:
            break
    places, errors = np.full(count, np.nan), np.full(count, np.nan)
    for number, k in enumerate(sorted(chosen)):
        window = slice(max(0, k - WINDOW), k + WINDOW + 1)
        own = np.array([centre_of_mass(middle[window], one[window]) for one in indicator])
        places[number] = centre_of_mass(middle[window], mean[window])
        scatter = own.var(ddof=1) if len(own) > 1 else 0.0
        errors[number] = np.sqrt(scatter + np.diff(middle).mean() ** 2 / 12)
    return places, errors


def centre_of_mass(x: Float[np.ndarray, " n"], height: Float[np.ndarray, " n"]) -> float:
    """Centre of mass of what stands above the smaller end; the middle of a window that is flat."""
    excess = np.maximum(height - min(height[0], height[-1]), 0)
    return float(x.mean() if excess.sum() == 0 else (x * excess).sum() / excess.sum())
