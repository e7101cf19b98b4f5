"""Which kind of net learns an observable best, and how far beyond its training it holds.

sample, and prove that it is equilibrated -> train several instances of each architecture at once -> test them on other
lattices and couplings -> show how equivariant they are and what their first layers see -> report.

Source: Bulusu, Favoni, Ipp, Müller & Schuh, Phys. Rev. D 104, 074504 (2021), arXiv:2103.14686.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from lattice_ml.cli.runtime import build, build_family, build_system, ensembles, family, seed_everything
from lattice_ml.ensembles.family import torus_name
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.runs.evaluation import evaluate, load
from lattice_ml.runs.fit_members import fit_members
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.tasks.members import MemberTask, load_members
from lattice_ml.workflows.common.protocol import protocol_of, torus_of, verdict_table
from lattice_ml.workflows.nets.checks import require_comparable, require_sizes
from lattice_ml.workflows.nets.data import (
    Lesson,
    Test,
    all_targets,
    build_data,
    cases,
    read_lesson,
)
from lattice_ml.workflows.nets.oracle import measure_oracle, require_oracle
from lattice_ml.workflows.nets.ranking import rank, table
from lattice_ml.workflows.nets.results import Trained, largest, loss_of, show, tell

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

    from lattice_ml.systems.base import System


def compare_nets(config: DictConfig) -> None:
    """Train and test every net of the configuration; raises ``UserError`` on what the user can mend."""
    from lattice_ml.workflows.nets.story import draw

    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    require_comparable(config, system)
    require_oracle(config, system)
    nets = architectures(config, system)
    with open_run(config, steps=4) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", "sampling " + " and ".join(part.name for part in ensembles(config).values())):
            training, tests = sample(config, run)
            lesson = read_lesson(config, training)
            most = build_data(config, system, lesson, None).index["train"].shape[1]
            require_sizes(list(config.data.sizes), most)
        with open_loggers(config, run) as loggers:
            with run.step(
                "train", f"training {config.data.members} instances of {' and '.join(nets)} and testing them"
            ):
                trained = [
                    learn(config, run, loggers, name, section, size, lesson, tests)
                    for name, section in nets.items()
                    for size in config.data.sizes
                ]
            with run.step("explain", "measuring equivariance and looking into the first layers"):
                explain(config, run, trained, nets, tests)
                if config.get("oracle") is not None:
                    run.results["oracle"] = measure_oracle(config, system, tests)
            with run.step("report", "drawing and writing the report"):
                tell(run, trained)
                ranked = rank(trained)
                run.results["ranking"] = [one._asdict() for one in ranked]
                run.results["tables"] = [
                    *([table(ranked, config.data.members)] if ranked else []),
                    verdict_table(run.results["equilibration"]),
                ]
                learned = {name: np.unique(training[name].values) for name in training.attrs["plan"]["points"]}
                # Distributions are drawn of observables alone, not of numbers of worms.
                targets = {} if "worms" in learned else all_targets(config, lesson, tests)
                draw(run, trained, system.extents, learned, targets, get_class(config.task._target_).outputs)
                publish(loggers, run)
        page = run.finish()
        show(run, trained)
        for one in ranked:
            if one.lattice == torus_name(system.extents):
                run.console.print(one.in_words(), highlight=False)
        run.show_end(page)


def architectures(config: DictConfig, system: System) -> dict[str, DictConfig]:
    """The nets by name: those of ``models``, or the one of ``model``, named EQ, ST or FL as its layers are.

    Each is built once, so that a mistake is told before any work.
    """
    own = config.workflow.get("own_task") or {}
    if own and not config.models:
        raise UserError(
            f"workflow.own_task has settings for {' and '.join(map(str, own))}, and one net is trained alone: give "
            "workflow.own_task=null and settings of the task, e.g. task.lr=1e-3."
        )
    for name in own:
        if name not in config.models:
            raise UserError(
                f"workflow.own_task names {name}, which is not compared: give settings of "
                f"{' or '.join(map(str, config.models))}."
            )
    if config.models:
        for name, section in config.models.items():
            build_task(with_own_task(config, str(name)), section, system)
        return {str(name): section for name, section in config.models.items()}
    return {build_task(config, config.model, system).net.template.architecture: config.model}


def with_own_task(config: DictConfig, name: str) -> DictConfig:
    """The configuration with the settings of the task that the net of this name has for itself, such as its lr."""
    own = (config.workflow.get("own_task") or {}).get(name)
    if not own:
        return config
    chosen = config.copy()
    chosen.task = OmegaConf.merge(OmegaConf.to_container(config.task), own)  # plain: what it lacks is told by build
    return chosen


def build_task(config: DictConfig, section: DictConfig, system: System) -> MemberTask:
    """The task on ``data.members`` instances of a net, their weights a function of (seed, member)."""
    outputs = len(get_class(config.task._target_).outputs)
    shape = {"in_channels": len(system.channels), "extents": system.extents, "outputs": outputs}
    net = Members.initialise(lambda: build_net(section, **shape), config.data.members, config.seed)
    return build(config.task, net=net, system=system)


def build_net(section: DictConfig, **shape: Any) -> LatticeCNN:
    net = build(section, **{"in_channels": 0, **shape}) if "layers" in section else None
    if not isinstance(net, LatticeCNN):
        raise UserError(f"{section._target_} is not trained in several instances: give e.g. model=flux/eq.")
    return net


def sample(config: DictConfig, run: Run) -> tuple[xr.Dataset, list[Test]]:
    """The training ensemble and the test ensembles, one for each torus; refuses what is not equilibrated."""
    from lattice_ml.ensembles.equilibration import require_equilibrated, verdict_in_words

    run.results["equilibration"] = {}
    found: dict[str, list[xr.Dataset]] = {}
    for part, section in ensembles(config).items():
        found[part] = build_family(config.system, config.sampler, section)
        for member in family(section):
            require_equilibrated(member.path, force=config.data.force)
            run.results["equilibration"][Path(member.path).name] = verdict_in_words(member.path)
    run.results["protocol"] = {part: protocol_of(*datasets) for part, datasets in found.items()}
    (training,) = found.pop("ensemble")
    return training, [(part, dataset) for part, datasets in found.items() for dataset in datasets]


def learn(
    config: DictConfig,
    run: Run,
    loggers: list[Logger],
    name: str,
    section: DictConfig,
    size: int | None,
    lesson: Lesson,
    tests: list[Test],
    callbacks: Sequence[Callback] = (),
) -> Trained:
    """Train the instances of one net on ``size`` configurations (None: all) and test them; once, whatever happens.

    ``callbacks`` are told of the training beside those of the configuration.
    """
    config, system = with_own_task(config, name), build_system(config.system, config.ensemble)
    data, task = build_data(config, system, lesson, size), build_task(config, section, system)
    samples = int(data.index["train"].shape[1])
    folder = folder_of(config, run, name, samples)
    told = load(folder / EVALUATION)
    if told is None:
        batches = len(data.train_dataloader())
        own = with_epochs(config, size, batches)
        run.console.print(
            f"{name} on {samples:,} configurations, {own.trainer.max_epochs * batches:,} steps", highlight=False
        )
        fit_members(own, run, folder, task, data, loggers if folder == run.folder else [], callbacks)
        validation = data.index["val"].unique()
        task.to(data.states.device)
        kept = task.judge(data.states[validation].cpu().numpy(), data.targets[validation].cpu().numpy())
        told = evaluate(cases(config, task, tests), task.predict, task.grade, kept[loss_of(kept)])
        told.save(folder / EVALUATION)
    return Trained(name, samples, told)


def folder_of(config: DictConfig, run: Run, name: str, samples: int) -> Path:
    """Where a training has its checkpoints: the run's folder if it is the only one, else one of its own."""
    only = len(config.data.sizes) == 1 and not config.models
    return run.folder if only else run.folder / "nets" / f"{name}-{samples}"


EVALUATION = "evaluation.npz"
"""Of a finished training: its scores on every test ensemble."""


def with_epochs(config: DictConfig, size: int | None, batches: int) -> DictConfig:
    """The configuration with the epochs that take ``data.steps`` gradient steps, if that is given and they are fewer.

    ``data.steps`` is a number for all sizes or a list that goes with ``data.sizes``. A fixed number of epochs would
    train small sets for a few steps only, and the schedule ends with the last one.
    """
    steps = config.data.steps
    if steps is None:
        return config
    own = steps if isinstance(steps, int) else steps[list(config.data.sizes).index(size)]
    chosen = config.copy()
    chosen.trainer.max_epochs = min(config.trainer.max_epochs, math.ceil(own / batches))
    return chosen


def explain(
    config: DictConfig, run: Run, trained: list[Trained], nets: dict[str, DictConfig], tests: list[Test]
) -> None:
    """Equivariance of the first instance of every net; what the first layers of the first one make of a violation."""
    import torch

    from lattice_ml.nets.equivariance import equivariance_error
    from lattice_ml.workflows.nets import maps as net_maps

    system = build_system(config.system, config.ensemble)
    own = next((dataset for _, dataset in tests if torus_of(dataset) == torus_name(system.extents)), None)
    if own is None:
        return
    number = int(np.argmax(own["worms"].values == 1)) if "worms" in own.coords else -1  # a single worm is clearest
    states = own["configurations"][number].to_numpy().reshape(-1, len(system.species), *system.extents)[:16]
    x = system.to_channels(torch.from_numpy(states.astype(np.int32)))
    maps: dict[str, np.ndarray] = {}
    run.results["equivariance_error"] = {}
    for number, one in enumerate(largest(trained)):
        last = folder_of(config, run, one.name, one.samples) / "checkpoints" / "last.ckpt"
        net = load_members(last, build_task(config, nets[one.name], system)).best.member(0).eval()
        found = equivariance_error(net, x)
        run.results["equivariance_error"][one.name] = found.relative
        maps[one.name] = (found.map / found.scale.clamp_min(1e-30)).amax(-1).numpy()
        if number == 0 and "worms" in one.evaluation.points:
            net_maps.draw_feature_maps(run.figures, states[0], net_maps.first_maps(net, x[:1]), one.name)
    net_maps.draw_equivariance(run.figures, maps, torus_name(system.extents))
