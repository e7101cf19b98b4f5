"""The sections of a configuration and the types and ranges of what they hold, for pydantic; nothing heavy is imported.

``config.py`` checks a composed configuration against them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from lattice_ml.ensembles.shard import parse_shard


def _number(value: Any) -> Any:
    """Text such as "0.1" and yes/no are no numbers, though pydantic would take them."""
    if isinstance(value, bool | str):
        raise ValueError("give a number")
    return value


Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, lt=2**31, strict=True)]
Share = Count | Annotated[float, BeforeValidator(_number), Field(ge=0, le=1, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Name = Annotated[str, Field(strict=True, pattern=r"^[\w.+=-]*[\w+=-][\w.+=-]*$", max_length=100)]
"""Of a folder: no separators, and not only dots."""
Text = Annotated[str, Field(strict=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Extents = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Section(BaseModel):
    """A part of a configuration; what it does not name is checked where it is used."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class _Built(Section):
    """A section that becomes an object."""

    target: StrictStr = Field(alias="_target_")


class _Ensemble(Section):
    """Its torus and its store; the plan checks the rest itself."""

    name: Text
    path: Text
    extents: Extents | Annotated[list[Extents], Field(min_length=1)]
    grid: dict[str, Any] | list[dict[str, Any]]
    replicas: Any
    samples: Any
    seed: Any
    protocol: dict[str, Any]


class _Sampler(_Built):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    domain: Extents | None = None
    window: Positive | None = None


class _Data(Section):
    batch_size: Count | None = None
    memory: Positive | None = None
    split: Annotated[list[NonNegative], Field(min_length=3, max_length=3)] | None = None
    augment: _Built | None = None
    members: Count = 1
    steps: Count | Annotated[list[Count], Field(min_length=1)] | None = None
    sizes: Annotated[list[Count | None], Field(min_length=1)] = [None]
    validation: Positive = 0.1
    force: StrictBool = False


class _Task(_Built):
    lr: Positive = 1e-3
    l2: NonNegative = 0.0
    channels_last: StrictBool = True
    compile: StrictBool = False
    weight_decay: NonNegative = 0.0
    amsgrad: StrictBool = True
    schedule: StrictStr = "cosine"
    patience: Count = 1
    standardise: StrictBool = True


class _Phases(Section):
    components: Count
    neighbours: Count = 15
    seed: Seed


class _Model(_Built):
    filters: Count = 1
    hidden: Count = 1
    padding_mode: Literal["zeros", "circular"] = "zeros"
    layers: list[StrictStr | dict[str, Any]] | None = None


class _Trainer(_Built):
    max_epochs: Count
    accelerator: StrictStr = "auto"
    devices: Count | StrictStr | list[int] = 1
    num_nodes: Count = 1
    deterministic: StrictBool | Literal["warn"] | None = None
    log_every_n_steps: Count = 1
    num_sanity_val_steps: Annotated[int, Field(ge=-1, strict=True)] = 0
    limit_train_batches: Share | None = None
    limit_val_batches: Share | None = None
    limit_test_batches: Share | None = None


class _Callback(_Built):
    monitor: StrictStr | None = None
    mode: Literal["min", "max"] = "min"
    patience: Count = 1
    filename: Text | None = None
    save_top_k: Annotated[int, Field(ge=-1, strict=True)] = 1


class _WhiteBoxes(Section):
    kinds: Annotated[
        list[Literal["linear", "tree", "random_forest", "extra_trees", "gradient_boosting"]], Field(min_length=1)
    ]
    targets: Annotated[list[Text], Field(min_length=1)] | None = None
    compare: Text | None = None
    configurations: Count
    forests: Annotated[int, Field(ge=0, lt=1000, strict=True)]


class _Unsupervised(Section):
    components: Annotated[int, Field(ge=3, lt=1000, strict=True)]
    drawn: Annotated[list[Positive], Field(min_length=1, max_length=6)]
    resamplings: Annotated[int, Field(ge=0, lt=1000, strict=True)]
    groups: dict[str, Count]


class _Committee(Section):
    members: Count
    compare: Text | None = None
    l2: Annotated[list[NonNegative], Field(min_length=1)]


class _Physics(Section):
    densities: Annotated[list[Positive], Field(min_length=1)]
    temperatures: Annotated[list[Positive], Field(min_length=1)]
    cell: Count


class _Activity(Section):
    rules: Annotated[list[dict[str, Annotated[float, BeforeValidator(_number)]]], Field(min_length=2)]


class _Film(Section):
    point: Annotated[int, Field(ge=0, strict=True)] | None = None
    replica: Annotated[int, Field(ge=0, strict=True)] = 0
    frames: Annotated[int, Field(ge=2, le=2000, strict=True)] = 60
    spacing: Positive = 1.0
    seconds: Positive = 6.0


class Paths(Section):
    """Where things are written."""

    runs: Text
    stores: Text


class _Run(Section):
    id: Name | Annotated[int, Field(ge=0, strict=True)] = "auto"


class _Sampling(Section):
    """A whole configuration of sample.py."""

    trust: StrictBool = False
    shard: Annotated[Any, BeforeValidator(parse_shard)] = None
    repair: StrictBool = False
    movie: StrictBool = False
    film: _Film | None = None
    paths: Paths
    ensemble: _Ensemble
    system: _Built
    sampler: _Sampler
    seed: Seed = 0
    storage: Text | None = None


class _Training(_Sampling):
    """A whole configuration of train.py; the survey, the logger and what the run starts from may be left out."""

    name: Name
    survey: _Ensemble | None = None
    extrapolation: _Ensemble | None = None
    ensembles: dict[Name, _Ensemble | None] | None = None
    models: dict[str, _Model] | None = None
    oracle: _Model | None = None
    white_boxes: _WhiteBoxes | None = None
    unsupervised: _Unsupervised | None = None
    committee: _Committee | None = None
    physics: _Physics | None = None
    activity: _Activity | None = None
    data: _Data
    model: _Model
    phases: _Phases
    task: _Task
    trainer: _Trainer
    callbacks: dict[str, _Callback | None]
    logger: dict[str, _Built | None] | None = None
    workflow: _Built
    run: _Run
    ckpt_path: Text | None = None


class _Unsampled(_Training):
    """Of a workflow that makes its data itself (``workflow.sampled: false``): there is no lattice and no ensemble."""

    ensemble: None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    system: None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    sampler: None = None  # pyright: ignore[reportIncompatibleVariableOverride]


SECTIONS: dict[str, type[Section]] = {
    "data": _Data,
    "phases": _Phases,
    "paths": Paths,
    "film": _Film,
    "white_boxes": _WhiteBoxes,
    "unsupervised": _Unsupervised,
    "committee": _Committee,
    "physics": _Physics,
    "activity": _Activity,
}
"""Those whose every key must be known; the others hold what the objects take that are built from them."""

ENSEMBLE = _Ensemble


def schema_of(plain: Mapping[str, Any]) -> type[_Sampling]:
    """What this configuration must hold."""
    if not {"workflow", "run", "task"} & plain.keys():
        return _Sampling
    workflow = plain.get("workflow")
    return _Unsampled if isinstance(workflow, dict) and workflow.get("sampled") is False else _Training


def sentence(error: ValidationError) -> str:
    """The first of pydantic's complaints, as one sentence with the name that the user typed."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if not _of_a_type(str(part)))
    if first["type"] == "missing":
        return f"{where} is missing: put it back, or leave out what took it away."
    what = first["msg"].removeprefix("Value error, ")
    shown = repr(first["input"])
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return f"{where} = {shown} will not do: {what[0].lower() + what[1:]}."


def _of_a_type(part: str) -> bool:
    """Is this step of pydantic's path the name of a type in a union, which the user never typed?"""
    return bool(re.match(r"_(?!target_)|list\[|constrained-|function-|literal\[|(int|float|str|bool)$", part))
