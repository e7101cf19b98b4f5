"""What the entry scripts say of an error that somebody else wrapped."""

from __future__ import annotations

import pytest

from lattice_ml.cli.entry import explain, explain_work
from lattice_ml.ground.errors import UserError

PRINTED = """Job (task=0) failed during processing with trace:
----------------------
error: an earlier line
submitit INFO: Starting
error: T = -0.3 is not a temperature: give T > 0.
You can check full logs with 'job.stderr(0)'"""


def test_the_sentence_of_a_job_of_submitit_is_the_last_one_that_it_printed() -> None:
    errors = pytest.importorskip("submitit.core.utils", reason="needs the extra slurm")
    for kind in (errors.UncompletedJobError, errors.FailedJobError):
        assert explain(kind(PRINTED)) == "T = -0.3 is not a temperature: give T > 0."
        assert explain(kind("Job not requeued because: timed-out")) is None


def test_what_others_print_is_no_sentence_of_ours() -> None:
    assert explain(RuntimeError(PRINTED)) is None


def test_a_sentence_inside_another_error_is_found() -> None:
    error = RuntimeError("outer")
    error.__cause__ = UserError("give T > 0.")
    assert explain_work(error) == "give T > 0."
