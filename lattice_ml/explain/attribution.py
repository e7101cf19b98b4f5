"""Saliency: which sites a class score depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Integer
from torch import Tensor

from lattice_ml.systems.channels import state_tensor

if TYPE_CHECKING:
    from lattice_ml.tasks.classify_phase import ClassifyPhase
    from lattice_ml.tasks.committee_member import CommitteeMember


def saliency(
    classifier: ClassifyPhase | CommitteeMember,
    states: Integer[np.ndarray, "species x y"] | Integer[Tensor, "species x y"],
    phase: int | str,
) -> Float32[np.ndarray, "channel x y"]:
    """|dS_c / dI| of one configuration.

    S_c is the score of class c before the softmax (the logit: a probability would also fall because another class
    gains, and its gradient vanishes where the net is sure). I ``[channel, x, y]`` are the channels in physical units,
    particles per site (m and rho of the Active Ising Model): the classifier's division by its scale is part of S_c.

    states: particle counts ``[species, x, y]``. phase: an index into ``classifier.phases`` or a name of it.
    Returns float32 ``[channel, x, y]`` per particle. Raises ``ValueError`` for an unknown phase.

    Sources: Simonyan, Vedaldi, Zisserman, arXiv:1312.6034 (2013), Sec. 3; Casert et al., PRE 99, 023304 (2019).
    """
    from captum.attr import Saliency  # imported here: it takes a second that no other command should pay

    target = classifier.phases.index(phase) if isinstance(phase, str) else range(len(classifier.phases))[phase]
    counts = states if isinstance(states, Tensor) else state_tensor(states)
    image = classifier.system.to_channels(counts.to(classifier.device))[None].requires_grad_()
    before = classifier.training
    classifier.eval()
    gradient = Saliency(classifier).attribute(image, target=target, abs=True)
    classifier.train(before)
    return gradient[0].detach().cpu().numpy()
