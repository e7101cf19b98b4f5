"""May an attribution be believed? Infidelity, sensitivity, and whether it changes when the net forgets what it
learned.

- infidelity: < (beta I.A - (S(x) - S(x - I)))² > / < (S(x) - S(x - I))² > over random rectangles I of the torus that
  are set to the baseline, A the attribution, beta its best scale: 0 if A predicts every change of the score, 1 if a
  map of zeros would do as well. C.-K. Yeh et al., arXiv:1901.09392, eq. (1), divided by what zeros would have;
- sensitivity: max |A(x + e) - A(x)| / |A(x)| over ``DRAWS`` changes e of the input by at most ``RADIUS`` standard
  deviations of the channel: how little must happen for another explanation. Ibid., eq. (6);
- randomisation: rank correlation of |A| with that of the same net whose weights are drawn anew, layer by layer from
  the output back. A map that hardly changes shows the input, not what was learned. J. Adebayo et al.,
  arXiv:1810.03292, Sec. 3.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from lattice_ml.explain.gallery import AT_ONCE, Background

RECTANGLES = 128
DRAWS = 4
RADIUS = 0.1

Explain = Callable[[nn.Module, Tensor], Tensor]
"""(score, x) -> attribution of x, both ``[batch, channel, x, y]``."""


def infidelity(
    score: nn.Module,
    x: Float[Tensor, "batch channel x y"],
    output: Int64[Tensor, " batch"],
    attribution: Float[Tensor, "batch channel x y"],
    ground: Background,
    seed: int = 0,
) -> Float[Tensor, " batch"]:
    """Between 0 (the attribution predicts what every rectangle changes) and 1 (it predicts nothing)."""
    from captum.metrics import infidelity as captum_infidelity

    def without_rectangle(inputs: Tensor) -> tuple[Tensor, Tensor]:
        taken = torch.where(rectangles(inputs, rng)[:, None], inputs - ground.field(inputs), 0.0)
        return taken, inputs - taken

    found = []
    for map_ in (attribution, torch.zeros_like(attribution)):
        rng = np.random.default_rng(seed)  # the same rectangles
        with torch.no_grad():
            settings = {"n_perturb_samples": RECTANGLES, "max_examples_per_batch": AT_ONCE, "normalize": True}
            found.append(captum_infidelity(score, without_rectangle, x, map_, target=output, **settings))
    lost, all_ = found
    return lost / all_.clamp_min(1e-30)


def rectangles(x: Float[Tensor, "batch channel x y"], rng: np.random.Generator) -> Tensor:
    """One rectangle of the torus, up to a half of each extent, for every configuration: bool ``[batch, x, y]``."""
    masks = np.ones((len(x), *x.shape[-2:]), dtype=bool)
    for axis, extent in enumerate(x.shape[-2:]):
        first = rng.integers(extent, size=len(x))
        length = rng.integers(1, max(1, extent // 2) + 1, size=len(x))
        inside = (np.arange(extent) - first[:, None]) % extent < length[:, None]
        masks &= inside[:, :, None] if axis == 0 else inside[:, None, :]
    return torch.from_numpy(masks).to(x.device)


def sensitivity(
    explain: Explain, score: nn.Module, x: Float[Tensor, "batch channel x y"], ground: Background, seed: int = 0
) -> Float[Tensor, " batch"]:
    """The largest relative change of the attribution."""
    from captum.metrics import sensitivity_max

    rng = torch.Generator().manual_seed(seed)
    radius = RADIUS * ground.spread[:, None, None]

    def nearby(inputs: Tensor | tuple[Tensor]) -> Tensor:
        (own,) = inputs if isinstance(inputs, tuple) else (inputs,)
        return own + (2 * torch.rand(own.shape, generator=rng) - 1) * radius

    def explained(inputs: Tensor | tuple[Tensor]) -> tuple[Tensor]:
        (own,) = inputs if isinstance(inputs, tuple) else (inputs,)
        return (explain(score, own),)

    return sensitivity_max(explained, x, nearby, n_perturb_samples=DRAWS)  # pyright: ignore[reportArgumentType]


def randomised(score: nn.Module, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """(layer, net) with the weights of this layer and of all after it drawn as before any training; the last is new
    altogether."""
    other = copy.deepcopy(score)
    layers = [(name, module) for name, module in other.named_modules() if hasattr(module, "reset_parameters")]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        for name, module in reversed(layers):
            if any(True for _ in module.parameters(recurse=False)):
                module.reset_parameters()  # type: ignore[operator]
                yield name, other


def rank_correlation(
    a: Float[Tensor, "batch channel x y"], b: Float[Tensor, "batch channel x y"]
) -> Float64[np.ndarray, " batch"]:
    """Spearman's, of the magnitudes of two maps of each configuration; 0 where one of them is flat."""
    from scipy.stats import rankdata

    found = np.zeros(len(a))
    for k, maps in enumerate(zip(a, b, strict=True)):
        one, two = (rankdata(np.abs(map_.numpy())) for map_ in maps)
        if np.ptp(one) > 0 and np.ptp(two) > 0:
            found[k] = np.corrcoef(one, two)[0, 1]
    return found
