"""What a run shows elsewhere than in its folder: Weights & Biases (offline by default) and TensorBoard.

``docs/dashboards.md`` says what lands where.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from netrc import NetrcParseError, netrc
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.boundary_rows import place_in
from lattice_ml.ground.recipe import Recipe
from lattice_ml.ground.redaction import redacted_command_line
from lattice_ml.runs import lineage
from lattice_ml.runs.run import Run

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

OUTCOME = ("transition", "control", "value", "error", "method", "reason")
"""The columns of the boundary table, after those of the place."""

STAGING = "WANDB_DATA_DIR"
"""Where W&B keeps what is to be uploaded: the run's folder instead of the home directory, unless the user says so."""


@contextmanager
def open_loggers(
    configured: Mapping[str, Recipe[Any] | None] | None, run: Run, ensembles: Mapping[str, Ensemble]
) -> Iterator[list[Logger]]:
    """The loggers of ``logger=…`` by name, with what built the run and the ensembles that it uses, by their roles.

    W&B's process is finished on every way out: with exit code 0, or 1 if the run fails, which W&B shows as such.
    """
    from lightning.pytorch.loggers import WandbLogger

    loggers: list[Logger] = []
    configured = {name: logger for name, logger in (configured or {}).items() if logger is not None}
    failed = True
    elsewhere = os.environ.get(STAGING)
    os.environ[STAGING] = elsewhere or str((run.folder / "wandb").absolute())
    try:
        for name, logger in configured.items():
            own: dict[str, Any] = {"save_dir": str(run.folder)}
            if name == "wandb":
                own |= {"name": f"{run.name}/{run.folder.name}", "group": run.name, "offline": not logged_in()}
                os.environ.setdefault("WANDB_SILENT", "true")
            loggers.append(logger(**own))
            if isinstance(loggers[-1], WandbLogger):
                # Lightning passes it always, and W&B warns that it has no effect.
                loggers[-1]._wandb_init.pop("anonymous", None)
        for logger in loggers:
            with redacted_command_line():
                logger.log_hyperparams(run.record)
            if isinstance(logger, WandbLogger):
                lineage.use_ensembles(logger.experiment, ensembles)
        yield loggers
        failed = False
    finally:
        if "wandb" in configured:
            import wandb

            wandb.finish(exit_code=int(failed))
        if elsewhere is None:
            del os.environ[STAGING]


def publish(loggers: list[Logger], run: Run) -> None:
    """Send the figures, the boundary table, the confusion matrix, the numbers and the best checkpoint."""
    from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _publish_to_wandb(logger, run)
        elif isinstance(logger, TensorBoardLogger):
            _publish_to_tensorboard(logger, run)


def _publish_to_wandb(logger: WandbLogger, run: Run) -> None:
    import wandb

    # Pictures go as PNG files: float arrays in [0, 1] would be rendered black.
    for picture in sorted(run.figures.glob("*.png")):
        logger.log_image(key=f"figures/{picture.stem}", images=[str(picture)])
    columns, rows = _boundaries(run)
    if rows:
        logger.log_table("boundaries", columns=columns, data=rows)
    confusion = _confusion(run)
    if confusion is not None:
        labelled, predicted, phases = confusion
        chart = wandb.plot.confusion_matrix(y_true=labelled, preds=predicted, class_names=phases)
        logger.experiment.log({"confusion_matrix": chart})
    logger.experiment.summary.update(_numbers(run))
    lineage.log_model(logger.experiment, run)


def _publish_to_tensorboard(logger: TensorBoardLogger, run: Run) -> None:
    from PIL import Image

    board = logger.experiment
    for picture in sorted(run.figures.glob("*.png")):
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))  # uint8 [row, column, colour]
        board.add_image(f"figures/{picture.stem}", pixels, dataformats="HWC")
    columns, rows = _boundaries(run)
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = ("" if value is None else str(value).replace("|", "\\|") for value in row)
        lines.append("| " + " | ".join(cells) + " |")
    if len(lines) > 2:
        board.add_text("boundaries", "\n".join(lines))
    for name, value in _numbers(run).items():
        board.add_scalar(f"results/{name}", value)


def _boundaries(run: Run) -> tuple[list[str], list[list[Any]]]:
    """The table of the boundaries: the parameters of the place, then what was found there."""
    found = run.results.get("boundaries", [])
    columns = [*dict.fromkeys(name for row in found for name in place_in(row)), *OUTCOME]
    return columns, [[row.get(column) for column in columns] for row in found]


def _numbers(run: Run) -> dict[str, float]:
    """The run's metrics as flat scalars: ``test_accuracy``, ``test_accuracy_error``, …"""
    found: dict[str, float] = {}
    for name, metric in run.results.get("metrics", {}).items():
        for key, value in (("", metric.get("value")), ("_error", metric.get("error"))):
            if value is not None:
                found[name + key] = value
    return found


def _confusion(run: Run) -> tuple[list[int], list[int], list[str]] | None:
    """Label and prediction of every test configuration (indices of phases), from the counts behind the figure."""
    from lattice_ml.figures import load
    from lattice_ml.figures.style import texts

    path = run.figures / "confusion.npz"
    if not path.is_file():
        return None
    arrays = load(path)
    counts = arrays["counts"]
    labelled, predicted = (np.repeat(index.ravel(), counts.ravel()).tolist() for index in np.indices(counts.shape))
    return labelled, predicted, texts(arrays["phases"])


def logged_in() -> bool:
    """Has this machine W&B credentials, or does WANDB_MODE settle it?"""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return mode == "online"
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc().authenticators("api.wandb.ai") is not None
    except (OSError, NetrcParseError):
        return False
