"""Types with ranges for what a user may set, in the hints of constructors and settings; pydantic reads them.

``settings: Settings`` of a workflow are one section of a configuration, and the arguments of a call in Python.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from lattice_ml.ground.recipe import Recipe


def _number(value: Any) -> Any:
    """Text such as "0.1" and yes/no are no numbers, though pydantic would take them."""
    if isinstance(value, bool | str):
        raise ValueError("give a number")
    return value


Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, BeforeValidator(_number)]
Count = Annotated[int, Field(ge=1, lt=2**31, strict=True)]
Whole = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Share = Count | Annotated[float, BeforeValidator(_number), Field(ge=0, le=1, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Name = Annotated[str, Field(strict=True, pattern=r"^[\w.+=-]*[\w+=-][\w.+=-]*$", max_length=100)]
"""Of a folder: no separators, and not only dots."""
Text = Annotated[str, Field(strict=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Extents = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Settings(BaseModel):
    """Values that a user may set, by name; a name that is none of them is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), arbitrary_types_allowed=True)


class Paths(Settings):
    """Where things are written."""

    runs: Text
    stores: Text


def within(settings: type[Settings]) -> AfterValidator:
    """Of a recipe whose class does not say in its hints what is allowed: its settings must be such."""

    def check(recipe: Recipe[Any]) -> Recipe[Any]:
        settings.model_validate(recipe.settings)
        return recipe

    return AfterValidator(check)
