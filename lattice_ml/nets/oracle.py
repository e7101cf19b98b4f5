"""Weights set by hand, with which nets of the same layers as those that are trained answer exactly.

The labels of the three tasks on flux configurations carry no noise, so the floor of every loss is zero; these nets
stand on it, to float32 rounding, and every trained net's distance to them is its error. With the leaky ReLU
L(z) = max(z, s z), s = 0.01:

    |z| = (L(z) + L(-z)) / (1 - s),    z = (L(z) - L(-z)) / (1 + s),

so a convolution of 1 × 1 or 2 × 2 and L give |k|, the divergence d and the site sum f; and a function of the integer f
is linear between integers, a sum of kinks L(f - j), j = 0, 1, …, whose average over sites is linear in the averages.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from lattice_ml.nets.lattice_cnn import GlobalPool, LatticeCNN, Pool
from lattice_ml.systems.complex_scalar.fluxes import K_T, K_X, L_T, L_X
from lattice_ml.systems.complex_scalar.weights import log_weights

LOGIT = 50.0
"""Of "violated" and minus that of "conserved": a sigmoid that float32 cannot tell from 1 and 0."""
HERE, BEFORE = 1, 0
"""Taps of a 2 × 2 kernel along an axis: the site and the one before it."""


def set_regression(net: LatticeCNN, eta: float, lam: float) -> LatticeCNN:
    """``conf/model/flux/oracle_regress.yaml`` becomes (n, |phi|²) at (eta, lambda).

    n = mean of k_t. |phi|² = mean of g(f), g(f) = W(f + 2)/W(f), f = sum over the site's four links of |k| + 2 l.
    Beyond the last kink, f = 96, g goes on as a straight line.
    """
    links, kinks, out = _weighing(net, "average", nn.Conv2d, nn.Conv2d, nn.Linear)
    s = _slope(net)
    with torch.no_grad():
        # L(k_t), L(-k_t), L(k_x), L(-k_x), l_t, l_x (l >= 0 is its own leaky ReLU).
        for row, (channel, sign) in enumerate([(K_T, 1), (K_T, -1), (K_X, 1), (K_X, -1), (L_T, 1), (L_X, 1)]):
            links[0][row].zero_()[channel, 0, 0] = sign
        weight, bias = kinks
        weight.zero_()
        bias.zero_()
        for half, sign in enumerate((1, -1)):  # L(k_t), L(-k_t) at the site itself
            weight[half, 0, HERE, HERE], weight[half, 1, HERE, HERE] = sign / (1 + s), -sign / (1 + s)
        for row, counts in enumerate([1 / (1 - s)] * 4 + [2.0, 2.0]):  # in f, of the link ahead and of the one behind
            behind = (HERE, BEFORE) if row in (2, 3, 5) else (BEFORE, HERE)
            weight[2:, row, HERE, HERE] = counts
            weight[(slice(2, None), row, *behind)] = counts
        bias[2:] = -torch.arange(len(bias) - 2)
        weight, bias = out
        weight.zero_()
        bias.zero_()
        weight[0, 0], weight[0, 1] = 1 / (1 + s), -1 / (1 + s)
        log_w = log_weights(eta, lam, len(weight[1]) - 1)
        slopes, constant = _kink_weights(np.exp(log_w[2:] - log_w[:-2]), s)
        weight[1, 2:], bias[1] = torch.from_numpy(slopes), constant
    return net


def set_detection(net: LatticeCNN) -> LatticeCNN:
    """``conf/model/flux/oracle_detect.yaml`` becomes the logit of max |d| > 0.

    As d sums to zero over the torus, max L(d) + max L(-d) is 0 without violations and at least 2 with one.
    """
    divergence, out = _weighing(net, "max", nn.Conv2d, nn.Linear)
    with torch.no_grad():
        _set_divergence(divergence[0])
        out[0].fill_(LOGIT)
        out[1].fill_(-LOGIT)
    return net


def set_counting(net: LatticeCNN) -> LatticeCNN:
    """``conf/model/flux/oracle_count.yaml`` becomes N = 1/2 sum_x |d_x|."""
    divergence, out = _weighing(net, "sum", nn.Conv2d, nn.Linear)
    with torch.no_grad():
        _set_divergence(divergence[0])
        out[0].fill_(0.5 / (1 - _slope(net)))
    return net


def _set_divergence(weight: Tensor) -> None:
    """Two filters, d and -d: d_x = sum_nu (k_{x,nu} - k_{x-nu,nu})."""
    weight.zero_()
    for row, sign in enumerate((1, -1)):
        weight[row, [K_T, K_X], HERE, HERE] = sign
        weight[row, K_T, BEFORE, HERE] = weight[row, K_X, HERE, BEFORE] = -sign


def _kink_weights(values: Float64[np.ndarray, " f"], slope: float) -> tuple[Float64[np.ndarray, " f"], float]:
    """(b, c) of g(f) = c + sum_j b_j L(f - j) for 0 <= f < len(values), g being ``values`` at the integers.

    With L(z) = (1 - s) max(z, 0) + s z, b_j for j >= 1 is what bends the line at j, second difference / (1 - s); b_0
    sets the slope from 0 to 1, in which the other kinks have a share of s, and c the value at 0.
    """
    bend = np.zeros(len(values))
    bend[1:-1] = np.diff(values, 2) / (1 - slope)
    bend[0] = values[1] - values[0] - slope * bend.sum()
    return bend, float(values[0] + slope * (bend * np.arange(len(values))).sum())


def _slope(net: LatticeCNN) -> float:
    return next(layer.negative_slope for layer in net.layers if isinstance(layer, nn.LeakyReLU))


def _weighing(net: LatticeCNN, pool: str, *kinds: type[nn.Module]) -> list[list[Tensor]]:
    """The parameters of the layers that have any, which must be of these kinds with this global pool among them."""
    layers = [layer for layer in net.layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    pools = [layer.how for layer in net.layers if isinstance(layer, GlobalPool | Pool)]
    if pools != [pool] or len(layers) != len(kinds) or not all(map(isinstance, layers, kinds)):
        raise ValueError("these are not the layers of an oracle of conf/model/flux/")
    return [list(layer.parameters()) for layer in layers]
