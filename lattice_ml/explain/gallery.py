"""Attributions of one score to the sites of a configuration, by five methods that can disagree.

With S the score of one output, I the channels ``[channel, x, y]`` in physical units and I0 a baseline that says
nothing (every site holds the channel's mean over the ensemble):

- ``saliency``: dS/dI, the linear response; Simonyan, Vedaldi & Zisserman, arXiv:1312.6034;
- ``integrated_gradients``: (I - I0) * integral_0^1 da dS/dI(I0 + a (I - I0)), whose sum over sites and channels is
  S(I) - S(I0); Sundararajan, Taly & Yan, arXiv:1703.01365;
- ``grad_cam``: relu(sum_f < dS/dA_f > A_f) of the last convolution's maps A_f, stretched to the lattice: the same for
  all channels; Selvaraju et al., arXiv:1610.02391;
- ``occlusion``: S(I) - S(I with a window of baseline), averaged over the windows that hold the site; Zeiler & Fergus,
  arXiv:1311.2901. Windows end at the edge of the array and do not wrap around the torus;
- ``smoothgrad``: dS/dI averaged over Gaussian noise of ``NOISE`` of each channel's standard deviation; Smilkov et al.,
  arXiv:1706.03825. Noisy counts are no whole numbers any more.

All are Captum's. Saliency, SmoothGrad per unit of the channel; the others in units of S. Memory is bounded by
``AT_ONCE``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError

METHODS = ("saliency", "integrated_gradients", "grad_cam", "occlusion", "smoothgrad")
STEPS = 128
AT_ONCE = 64
"""Configurations that go through the net at a time."""
NOISY = 32
NOISE = 0.3
WINDOWS = 9
"""Windows of the occlusion along an axis, side by side; they overlap by two thirds."""


class Background(NamedTuple):
    """What the channels are without anything to see: mean and standard deviation of every channel, ``[channel]``,
    over the sites of an ensemble."""

    mean: Float[Tensor, " channel"]
    spread: Float[Tensor, " channel"]

    def field(self, like: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch channel x y"]:
        """The baseline I0, as many times as there are configurations."""
        return self.mean[:, None, None].expand_as(like).to(like)


def background(x: Float[Tensor, "n channel x y"]) -> Background:
    """Of the channels of an ensemble; a channel that never changes has spread 1."""
    spread = x.double().std(dim=(0, 2, 3), correction=0)
    return Background(x.double().mean(dim=(0, 2, 3)).float(), torch.where(spread > 0, spread, 1.0).float())


def attribute(
    method: str,
    score: nn.Module,
    x: Float[Tensor, "batch channel x y"],
    output: Int64[Tensor, " batch"],
    ground: Background,
    seed: int = 0,
) -> Float[Tensor, "batch channel x y"]:
    """The attribution of ``score(x)[:, output]``, never more than ``AT_ONCE`` configurations going through the net at a
    time. Raises ``UserError`` for an unknown method, or Grad-CAM without convolutions."""
    if method not in METHODS:
        raise UserError(f"there is no attribution {method!r}: give some of {', '.join(METHODS)}.")
    output = output.expand(len(x)) if len(output) == 1 else output.repeat_interleave(len(x) // len(output))
    before = score.training
    score.eval()
    try:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)  # for the noise of SmoothGrad
            parts = zip(x.detach().split(AT_ONCE), output.split(AT_ONCE), strict=True)
            found = [_attribute(method, score, own.requires_grad_(), which, ground).detach() for own, which in parts]
    finally:
        score.train(before)
    return torch.cat(found).contiguous()


def _attribute(
    method: str, score: nn.Module, x: Float[Tensor, "batch channel x y"], output: Tensor, ground: Background
) -> Float[Tensor, "batch channel x y"]:
    """Of ``AT_ONCE`` configurations at most."""
    from captum import attr

    if method == "saliency":
        return attr.Saliency(score).attribute(x, output, abs=False)
    if method == "integrated_gradients":
        return _integrated(score, x, output, ground)
    if method == "grad_cam":
        cam = attr.LayerGradCam(score, last_convolution(score, x)).attribute(x, output, relu_attributions=True)
        assert isinstance(cam, Tensor)
        return F.interpolate(cam, x.shape[-2:], mode="bilinear").expand_as(x)
    if method == "occlusion":
        window = tuple(max(1, round(extent / WINDOWS)) for extent in x.shape[-2:])
        return attr.Occlusion(score).attribute(
            x, (x.shape[1], *window), (x.shape[1], *(max(1, w // 3) for w in window)), ground.field(x), output,
            perturbations_per_eval=max(1, AT_ONCE // len(x)),
        )  # fmt: skip
    return _smooth(score, x, output, ground)


def completeness_error(
    score: nn.Module, x: Float[Tensor, "batch channel x y"], output: Int64[Tensor, " batch"], ground: Background
) -> Float[Tensor, " batch"]:
    """|sum of the integrated gradients - (S(I) - S(I0))| / |S(I) - S(I0)|: 0 if the integral were exact."""
    total = attribute("integrated_gradients", score, x, output, ground).sum(dim=(1, 2, 3))
    with torch.inference_mode():
        parts = [score(own) - score(ground.field(own)) for own in x.split(AT_ONCE)]
        change = torch.cat(parts).gather(1, output[:, None])[:, 0]
    return ((total - change).abs() / change.abs().clamp_min(1e-12)).detach()


def _integrated(score: nn.Module, x: Tensor, output: Tensor, ground: Background) -> Tensor:
    from captum.attr import IntegratedGradients

    return IntegratedGradients(score).attribute(
        x, ground.field(x), output, n_steps=STEPS, internal_batch_size=AT_ONCE
    )  # fmt: skip


def _smooth(score: nn.Module, x: Tensor, output: Tensor, ground: Background) -> Tensor:
    """In units of each channel's spread, since Captum takes one width of the noise for all."""
    from captum.attr import NoiseTunnel, Saliency

    spread = ground.spread[:, None, None].to(x)
    tunnel = NoiseTunnel(Saliency(lambda z: score(z * spread)))
    at_once = max(1, AT_ONCE // len(x))
    found = tunnel.attribute(x / spread, "smoothgrad", NOISY, at_once, NOISE, target=output, abs=False)
    assert isinstance(found, Tensor)
    return found / spread


def last_convolution(score: nn.Module, x: Float[Tensor, "batch channel x y"]) -> nn.Module:
    """The last convolution that the net calls on more than one site. Raises ``UserError`` if there is none."""
    seen: list[nn.Module] = []

    def note(module: nn.Module, _: Any, result: Tensor) -> None:
        if result.ndim == 4 and result.shape[-1] * result.shape[-2] > 1:
            seen.append(module)

    hooks = [module.register_forward_hook(note) for module in score.modules() if isinstance(module, nn.Conv2d)]
    try:
        with torch.no_grad():
            score(x[:1])
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise UserError("Grad-CAM needs a convolution, and this net calls none: leave grad_cam out of the methods.")
    return seen[-1]
