"""Inside a net: what its layers make of configurations, what a filter waits for, and how far it sees.

- activations of a layer, a number per filter (its mean over the sites, which no translation changes) or per unit,
  laid out in a plane: principal components, UMAP (McInnes et al., arXiv:1802.03426) or t-SNE (van der Maaten &
  Hinton, JMLR 9, 2579 (2008)). Axes of the last two have no meaning, and t-SNE keeps no distances between clusters;
- activation maximisation: the input that excites one filter at the centre of the lattice most, by gradient ascent
  from the mean configuration plus noise, every channel kept within the range that the ensemble has; Erhan et al.,
  "Visualizing higher-layer features of a deep network" (2009). The channels are *relaxed*: real numbers on every
  site, not counts, spins or fluxes, and conservation laws do not hold. It shows what the filter is, not a
  configuration that can occur;
- receptive field: sites at which d activation / dI is not zero for some of many inputs. The arithmetic
  (``nets/receptive_field.py``) is what convolutions and pools let through at most; where a net divides by a mean over
  the whole configuration every site has a say, and ``beyond`` tells how little.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lattice_ml.explain.gallery import AT_ONCE, Background
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.receptive_field import receptive_field

Plane = Literal["pca", "umap", "tsne"]
PLANES: tuple[Plane, ...] = ("pca", "umap", "tsne")
ASCENT = 128
"""Steps of the gradient ascent."""


@contextmanager
def watched(score: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What every layer with weights returned in the latest call of ``score``, by its name, in the order of the
    calls."""
    seen: dict[str, Tensor] = {}
    undo = []

    width: list[int] = []  # sites along y of the latest input

    def note(name: str, result: Tensor) -> None:
        seen.pop(name, None)
        seen[name] = result

    def begin(_: nn.Module, given: tuple[Tensor]) -> None:
        width[:] = given[0].shape[-1:]

    undo.append(score.register_forward_pre_hook(begin).remove)

    for name, module in score.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        uncropped = getattr(module, "uncropped", None)
        if uncropped is None:

            def returned(_: nn.Module, __: Any, result: Any, name: str = name) -> None:
                note(name, result)

            undo.append(module.register_forward_hook(returned).remove)
        else:  # a convolution that its net calls by this name, with a void column at the end

            def called(x: Tensor, name: str = name, inner: Any = uncropped) -> Tensor:
                result = inner(x)
                note(name, result[..., : width[0]])
                return result

            module.uncropped = called  # type: ignore[method-assign]
            undo.append(lambda module=module: delattr(module, "uncropped"))
    try:
        yield seen
    finally:
        for one in undo:
            one()


def layers(score: nn.Module, x: Float[Tensor, "batch channel x y"]) -> dict[str, tuple[int, ...]]:
    """The shape of what every layer returns for a configuration, by its name, in the order of the calls."""
    with watched(score) as seen, torch.inference_mode():
        score(x[:1])
        return {name: tuple(result.shape[1:]) for name, result in seen.items()}


def activations(score: nn.Module, x: Float[Tensor, "n channel x y"], layer: str) -> Float32[np.ndarray, "n unit"]:
    """A number per filter or unit. Raises ``UserError`` for a layer that the net does not call."""
    found = []
    with watched(score) as seen, torch.inference_mode():
        for part in x.split(AT_ONCE):
            score(part)
            if layer not in seen:
                raise UserError(f"the net has no layer {layer!r}: give layer=<one of {', '.join(seen)}>.")
            result = seen[layer]
            found.append((result.mean(dim=(2, 3)) if result.ndim == 4 else result).float().cpu().numpy())
    return np.concatenate(found)


def maps(score: nn.Module, x: Float[Tensor, "batch channel x y"]) -> dict[str, Float32[np.ndarray, "filter x y"]]:
    """The maps of every convolution for the first configuration."""
    with watched(score) as seen, torch.inference_mode():
        score(x[:1])
        return {name: result[0].float().numpy().copy() for name, result in seen.items() if result.ndim == 4}


def lay_out(values: Float[np.ndarray, "n unit"], plane: Plane, seed: int = 0) -> Float[np.ndarray, "n 2"]:
    """The rows in a plane, units standardised first; raises ``UserError`` with fewer than two units that change."""
    import warnings

    spread = values.std(axis=0)
    rows = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))[:, spread > 1e-7 * np.abs(values).max()]
    if rows.shape[1] < 2:
        raise UserError("this layer has fewer than two units that change, which span no plane: give another layer.")
    if plane == "pca":
        from sklearn.decomposition import PCA

        return PCA(2, random_state=seed).fit_transform(rows)
    if plane == "tsne":
        from sklearn.manifold import TSNE

        return TSNE(perplexity=min(30.0, (len(rows) - 1) / 3), random_state=seed).fit_transform(rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # a seed costs it its threads, which is meant
        from umap import UMAP

        return np.asarray(UMAP(n_neighbors=min(15, len(rows) - 1), random_state=seed).fit_transform(rows))


def maximise(
    score: nn.Module,
    layer: str,
    filter: int,
    extents: tuple[int, int],
    ground: Background,
    lowest: Float[Tensor, " channel"],
    highest: Float[Tensor, " channel"],
    seed: int = 0,
) -> tuple[Float32[np.ndarray, "channel x y"], float]:
    """The relaxed channels that excite a filter at the centre most, and its activation there before any ReLU.

    lowest, highest: range of each channel, within which the ascent stays.
    """
    spread = ground.spread[:, None, None]
    rng = torch.Generator().manual_seed(seed)
    start = ground.mean[:, None, None] + 0.1 * spread * torch.randn(len(spread), *extents, generator=rng)
    z = (start / spread)[None].requires_grad_()
    low, high = (bound[:, None, None] / spread for bound in (lowest, highest))
    ascent = torch.optim.Adam([z], lr=0.1)
    value = torch.zeros(())
    with watched(score) as seen:
        for _ in range(ASCENT):
            ascent.zero_grad()
            score(z * spread)
            value = _centre(seen[layer], filter)
            (-value).backward()
            ascent.step()
            with torch.no_grad():
                z.clamp_(low, high)
    score.zero_grad()
    return (z * spread)[0].detach().numpy(), float(value.detach())


def seen_sites(score: nn.Module, layer: str, x: Float[Tensor, "n channel x y"]) -> Float32[np.ndarray, "x y"]:
    """Largest |d activation / dI| of any filter of a layer at its centre, over channels and inputs, for every site.

    Inputs that differ are needed, as a maximum pool lets one site of its window through at a time.
    """
    strongest = torch.zeros(x.shape[-2:])
    with watched(score) as seen:
        for one in x:
            image = one[None].detach().requires_grad_()
            score(image)
            for filter in range(seen[layer].shape[1]):
                (gradient,) = torch.autograd.grad(_centre(seen[layer], filter), image, retain_graph=True)
                strongest = torch.maximum(strongest, gradient.abs().amax(dim=(0, 1)))
    return strongest.numpy()


def extent_of(sites: Float[np.ndarray, "x y"]) -> tuple[int, int]:
    """Sites along x and y of the smallest box of the torus that holds all that are not zero: the rest is the largest
    gap."""
    found = []
    for axis in (1, 0):
        line = np.flatnonzero(sites.max(axis=axis) > 0)
        extent = sites.shape[1 - axis]
        if not len(line):
            found.append(0)
            continue
        gaps = np.diff(np.append(line, line[0] + extent))
        found.append(int(extent - gaps.max() + 1))
    return found[0], found[1]


def arithmetic(score: nn.Module, layer: str) -> int | None:
    """The receptive field of a layer by the arithmetic of its net; None where no part of it tells its windows."""
    for name, module in score.named_modules():
        tell: Any = getattr(module, "windows", None)
        own = f"{name}." if name else ""
        if tell is not None and layer.startswith(own):
            return receptive_field(tell(layer.removeprefix(own)))
    return None


def window(sites: Float[np.ndarray, "x y"], box: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a box of these extents, laid on the torus where it holds most: what a layer's centre sees."""
    found = []
    for axis, width in enumerate(box):
        line = sites.sum(axis=1 - axis)
        ahead = (np.arange(len(line))[:, None] + np.arange(min(width, len(line)))) % len(line)
        found.append(ahead[line[ahead].sum(axis=1).argmax()])
    return found[0], found[1]


def beyond(sites: Float[np.ndarray, "x y"], box: tuple[int, int]) -> float:
    """The largest gradient outside the ``window`` of these extents, over the largest."""
    left = np.array(sites, dtype=np.float64)
    left[np.ix_(*window(sites, box))] = 0
    top = float(sites.max())
    return float(left.max()) / top if top > 0 else 0.0


def _centre(result: Tensor, filter: int) -> Tensor:
    if result.ndim == 4:
        return result[0, filter, result.shape[2] // 2, result.shape[3] // 2]
    return result[0, filter]
