"""How ensembles were made, and whether their samples are independent: what labels and boundaries depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lattice_ml.cli.runtime import build
from lattice_ml.ensembles.family import torus_name
from lattice_ml.ensembles.plan import summarise
from lattice_ml.runs.run import Run

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System


def protocol_of(*tori: xr.Dataset) -> dict[str, Any]:
    """How an ensemble on one torus or several was made, in few words: the plan with its points as ranges.

    Labels and boundaries are those of this protocol: start state, waiting time and size.
    """
    return {
        **summarise(tori[0].attrs["plan"]),
        "tori": ", ".join(map(torus_of, tori)),
        "algorithms": ", ".join(sorted({name for one in tori for name in _algorithms(one)})),
    }


def verdict_table(verdicts: Mapping[str, str]) -> dict[str, Any]:
    """What is said of the equilibrium of every store (``equilibration.verdict_in_words``), for the report."""
    rows = [[store, verdict] for store, verdict in verdicts.items() if verdict]
    return {"title": "Equilibration", "columns": ["ensemble", "verdict"], "rows": rows, "note": ""}


def _algorithms(ensemble: xr.Dataset) -> list[str]:
    """What its points were sampled with: where the sampler chose (``auto``), what it took."""
    return list(ensemble.attrs.get("taken") or (row["algorithm"] for row in ensemble.attrs["sampler"]))


def torus_of(ensemble: xr.Dataset) -> str:
    """``81x81``."""
    return torus_name((ensemble.sizes["x"], ensemble.sizes["y"]))


def on_torus(config: DictConfig, ensemble: xr.Dataset) -> System:
    """The rules on an ensemble's own torus."""
    return build(config.system, extents=(ensemble.sizes["x"], ensemble.sizes["y"]))


def tell_protocols(config: DictConfig, run: Run, sampled: Mapping[str, Sequence[xr.Dataset]]) -> None:
    """``results["protocol"]`` of every ensemble, the correlation of consecutive samples on every torus into
    ``results["independence"]``, and a warning into ``results["warnings"]`` where it is significant."""
    from lattice_ml.phases.independence import judge_ensemble

    run.results["protocol"] = {part: protocol_of(*tori) for part, tori in sampled.items()}
    run.results["independence"], warnings = {}, run.results.setdefault("warnings", [])
    for tori in sampled.values():
        for one in tori:
            name = one.attrs["plan"]["name"] + ("" if len(tori) == 1 else f" on {torus_of(one)}")
            found, complaints = judge_ensemble(one, on_torus(config, one))
            run.results["independence"][name] = found
            warnings += [f"{name}: {sentence}" for sentence in complaints]
