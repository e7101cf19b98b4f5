"""What would stop a comparison of committees later, found before any work."""

from __future__ import annotations

from omegaconf import DictConfig

from lattice_ml.cli.config import speaking_of
from lattice_ml.cli.runtime import ensembles, family, prepare_ensemble
from lattice_ml.data.dealing import deal_replicas
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System
from lattice_ml.workflows.phase_diagram.checks import require_augmentation, require_disjoint


def require_question(config: DictConfig) -> None:
    """Raise ``UserError`` unless task, data and training are those of committees that classify phases."""
    if config.get("models") or not config.task._target_.endswith(".ClassifyCommittee") or not config.get("committee"):
        raise UserError(
            "committees of one net classify phases: leave out models, and give task=classify_committee, e.g. "
            "experiment=aim_boundaries."
        )
    if config.data.get("split") is None:
        raise UserError("committees learn from labelled phases: give data=default or data=particles.")
    require_strengths(config)
    if config.ckpt_path not in (None, "last"):
        raise UserError("committees train from the beginning: leave out ckpt_path.")
    if config.trainer.get("strategy") is not None or config.trainer.devices not in (1, "1", "auto"):
        raise UserError("a committee trains in one process: leave out trainer=ddp and trainer.devices.")


def require_strengths(config: DictConfig) -> None:
    """Raise ``UserError`` unless the strengths of the L2 term are given once each, and where committees have them."""
    if "l2" in config.task:
        raise UserError(f"the L2 term of committees is committee.l2: give committee.l2=[{config.task.l2}].")
    if len({f"{l2:g}" for l2 in config.committee.l2}) < len(config.committee.l2):
        raise UserError(f"committee.l2 = {list(config.committee.l2)} repeats itself: give each strength once.")


def require_committee(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` unless the ensembles fit each other and can be sampled; makes their stores."""
    if "survey" not in ensembles(config):
        raise UserError("committees are compared on a survey: give one, e.g. ensemble@survey=aim_boundaries.")
    require_disjoint(config, system)
    prepare(config)


def prepare(config: DictConfig) -> None:
    """Make the stores of all ensembles; raises ``UserError``, before that, if replicas cannot be dealt or the
    augmentation cannot be built."""
    deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    require_augmentation(config)
    for key, section in ensembles(config).items():
        with speaking_of(key):
            for member in family(section):
                prepare_ensemble(config.system, config.sampler, member)  # last: it makes the store
