"""How ensembles were made, and whether their samples are independent: what labels and boundaries depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lattice_ml.ensembles.ensemble import Ensemble
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


def on_torus(ensemble: Ensemble, dataset: xr.Dataset) -> System:
    """The ensemble's rules on the torus of a dataset."""
    return ensemble.on((dataset.sizes["x"], dataset.sizes["y"]))


def tell_protocols(run: Run, sampled: Mapping[str, Sequence[tuple[Ensemble, xr.Dataset]]]) -> None:
    """``results["protocol"]`` of every ensemble, the correlation of consecutive samples on every torus into
    ``results["independence"]``, and a warning into ``results["warnings"]`` where it is significant.

    sampled: by the role of the ensemble, its datasets, one for each torus.
    """
    from lattice_ml.phases.independence import judge_ensemble

    run.results["protocol"] = {part: protocol_of(*(one for _, one in tori)) for part, tori in sampled.items()}
    run.results["independence"], warnings = {}, run.results.setdefault("warnings", [])
    for tori in sampled.values():
        for ensemble, one in tori:
            name = one.attrs["plan"]["name"] + ("" if len(tori) == 1 else f" on {torus_of(one)}")
            found, complaints = judge_ensemble(one, on_torus(ensemble, one))
            run.results["independence"][name] = found
            warnings += [f"{name}: {sentence}" for sentence in complaints]
