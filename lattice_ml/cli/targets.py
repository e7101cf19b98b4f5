"""What a configuration may have built: ``_target_`` names a class of a few packages, unless the user says trust=true.

A configuration may come from somebody else, and ``_target_`` is a call. Names are checked before anything is imported:

- the package is lattice_ml, torch.nn, torch.optim, lightning.pytorch or torchmetrics; so no ``os.system``, and nothing
  of torch that unpickles, downloads, compiles or starts processes (hub, serialization, package, jit, distributed);
- the last word is written as a class, the others as modules, none private; so no ``…Module.load_from_checkpoint``;
- ``lattice_ml.workflows.<folder>.<Class>`` stands for the workflow, and for nothing else.

Once imported, a name must be a class that its package defines: ``lattice_ml.runs.run.Path`` is pathlib's. Hydra's own
list of refused targets applies as well, with trust too. What a permitted class does with its arguments is not checked:
a logger may be told to send its numbers elsewhere, and a callback to write where the user may write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from lattice_ml.workflows.workflow import Workflow

PACKAGES = ("lattice_ml.", "torch.nn.", "torch.optim.", "lightning.Trainer", "lightning.pytorch.", "torchmetrics.")
REFUSED = (
    "lattice_ml.workflows.",
    "lattice_ml.cli.",
    "lightning.pytorch.cli.",  # imports and calls what its arguments name
    "lightning.pytorch.serve.",
    "lightning.pytorch.strategies.launchers.",
    "lightning.pytorch.trainer.connectors.",
    "torchmetrics.audio.",  # these load the weights of other nets
    "torchmetrics.image.",
    "torchmetrics.multimodal.",
    "torchmetrics.text.",
    "torchmetrics.video.",
)
DEFINED_IN = (*PACKAGES, "lightning.fabric.plugins.", "lightning.fabric.strategies.")
"""Where the classes are defined that the permitted names stand for."""

HYDRA = frozenset({"_target_", "_args_", "_convert_", "_recursive_", "_partial_"})
"""Keys that are for Hydra, not for what is built."""

CLASS = re.compile(r"([a-z][a-z0-9_]*\.)+[A-Z][A-Za-z0-9_]*", re.ASCII)
WORKFLOW = re.compile(r"lattice_ml\.workflows(\.[a-z][a-z0-9_]*){1,2}\.[A-Z][A-Za-z0-9]*", re.ASCII)


def check_targets(plain: Any) -> None:
    """Raise ``UserError`` on the first ``_target_`` of a resolved configuration that may not be built.

    Also on text that still holds ``${``: it would be read a second time, as an interpolation, where objects are built.
    """
    for where, value in _leaves(plain, ""):
        if where.rpartition(".")[2] == "_target_":
            if where == "workflow._target_" and isinstance(value, str) and WORKFLOW.fullmatch(value):
                continue
            if not (isinstance(value, str) and permitted(value)):
                raise UserError(
                    f"{where} = {_shown(value)} is not built: give a class of lattice_ml, torch.nn, torch.optim, "
                    "lightning.pytorch or torchmetrics, or trust=true if you know every line of this configuration."
                )
        elif isinstance(value, str) and "${" in value:
            raise UserError(f"{where} = {_shown(value)} holds an escaped interpolation: give the value itself.")


def permitted(target: str) -> bool:
    """May a class of this name be built, as far as the name tells?"""
    return bool(CLASS.fullmatch(target)) and target.startswith(PACKAGES) and not target.startswith(REFUSED)


def check_classes(plain: Any) -> None:
    """Raise ``UserError`` unless every ``_target_`` is a class that a permitted package defines; imports them."""
    from hydra.utils import get_object

    for where, value in _leaves(plain, ""):
        if where.rpartition(".")[2] != "_target_":
            continue
        try:
            found = get_object(value)
        except Exception:  # an import may fail with anything
            raise UserError(f"there is no {value}: give a _target_ that exists.") from None
        origin = f"{found.__module__}.{found.__qualname__}" if isinstance(found, type) else ""
        if not origin.startswith(DEFINED_IN) or origin.startswith(REFUSED):
            raise UserError(
                f"_target_ = {value} is not built, as it is {origin or 'no class'}: give a class of lattice_ml, "
                "torch.nn, torch.optim, lightning.pytorch or torchmetrics, or trust=true."
            )


def find_workflow(target: str, trusted: bool = False) -> type[Workflow]:
    """The workflow of this name; ``UserError`` if no folder of workflows defines one.

    trusted: the user typed trust=true, and the class may come from elsewhere.
    """
    from hydra.utils import get_class

    from lattice_ml.workflows.workflow import Workflow

    try:
        found = get_class(target)
    except Exception:  # an import may fail with anything
        raise UserError(f"there is no workflow {target}: give e.g. workflow=phase_diagram.") from None
    foreign = not (trusted or found.__module__.startswith("lattice_ml.workflows."))
    if foreign or not issubclass(found, Workflow):
        raise UserError(f"workflow._target_ = {target} is no workflow: give e.g. workflow=phase_diagram.")
    return found


def require_arguments(plain: Mapping[str, Any], objects: Mapping[str, Any]) -> None:
    """Raise ``UserError`` on a setting beside ``_target_`` that it does not take; ``objects`` are given beside them."""
    from hydra.utils import get_object

    try:
        taken = inspect.signature(get_object(plain["_target_"])).parameters
    except ValueError:  # some classes of torch have no signature
        return
    unknown = [str(key) for key in plain if str(key) not in {*HYDRA, *taken}]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        shown = (n for n, p in taken.items() if n not in objects and (n in plain or p.default is not p.empty))
        settings = ", ".join(shown)
        raise UserError(f"{plain['_target_']} has no setting {unknown[0]!r}: it has {settings}.")


def _leaves(node: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every key with its value, depth first, e.g. ``("callbacks.best._target_", "lightning…")``; keys of lists too."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in children:
        inner = f"{where}.{key}" if where else str(key)
        if str(key) == "_target_" or not isinstance(value, dict | list | tuple):
            yield inner, value
        if isinstance(key, str) and "${" in key:
            yield inner, key
        yield from _leaves(value, inner)


def _shown(value: Any) -> str:
    """A value on one line, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
