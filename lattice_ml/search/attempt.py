"""One trial in this process: its words become a job, whose workflow is tried once."""

from __future__ import annotations

import gc

from lattice_ml.ensembles.ensemble import speaking_of
from lattice_ml.search.claims import Claim, Claims
from lattice_ml.search.job import Compose, Searchable
from lattice_ml.search.outcome import Outcome
from lattice_ml.search.settings import Sweep, place


def attempt(settings: Sweep, compose: Compose, claims: Claims, claim: Claim) -> Outcome:
    """Train and test what the claim's trial drew, from where another worker was killed in it.

    Raises what ends a trial early (``Infeasible``, ``TrialPruned``, ``ClaimLost``, ``Diverged``, ``Taken``) and
    whatever else the training does.
    """
    from lattice_ml.search.pruning import Watch

    _free_memory()
    job = compose(claim.overrides, settings.study, place(claim.number))
    return job.workflow.try_once(job.place, Watch(claims, claim), settings.search.max_parameters)


def prepare(workflow: Searchable) -> None:
    """Sample what the trials read (``trial_reads``), as far as it is not there; shared with other workers.

    Raises ``UserError`` on ensembles that no trial could train on.
    """
    from lattice_ml.ensembles.equilibration import require_equilibrated

    for role, ensemble in workflow.ensembles.items():
        if role not in workflow.trial_reads:
            continue
        with speaking_of(role):
            ensemble.sample()
        if workflow.data.members is not None:  # nets for an observable, which learn from equilibrium
            for path in ensemble.paths:
                require_equilibrated(path, force=workflow.data.force)


def _free_memory() -> None:
    """Give back what the trial before, and the traceback of one that failed, held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
