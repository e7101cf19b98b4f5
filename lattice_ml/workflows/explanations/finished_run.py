"""The folder of a finished run as an object: the workflow that was run there, and how to ask it why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, ValidationInfo

from lattice_ml.ground.errors import UserError
from lattice_ml.runs.run import finished
from lattice_ml.workflows.explanations.explained import Explained
from lattice_ml.workflows.workflow import Workflow


@dataclass(frozen=True)
class FinishedRun:
    """The folder of a finished run, the workflow that was run there, and its record, plain values."""

    folder: Path
    workflow: Workflow
    name: str
    seed: int
    record: Mapping[str, Any]

    def explained(self, net: str | None = None) -> Explained:
        """With its trained net, one of several by its name, the first by default; raises ``UserError``."""
        return self.workflow.reopen(self.folder, net)


def require_finished(folder: Path) -> None:
    """Raise ``UserError`` unless the folder is that of a run which has come to its end."""
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is not a run folder: give one that train.py wrote, runs/<experiment>/<id>.")
    if not finished(folder):
        raise UserError(f"the run {folder} is not finished: give the command that began it again first.")


def _opened(value: Any, info: ValidationInfo) -> Any:
    """A folder in a configuration becomes the run in it; how one is opened is the shell's business."""
    if isinstance(value, str) and info.context:
        return info.context["open_run"](value)
    if not isinstance(value, FinishedRun):
        raise ValueError("give the folder of a finished run, runs/<experiment>/<id>")
    return value


Reopened = Annotated[InstanceOf[FinishedRun], BeforeValidator(_opened)]
"""Of a setting: a finished run, in a configuration its folder."""
