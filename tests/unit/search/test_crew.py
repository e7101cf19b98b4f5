"""What a leader gives its workers."""

import os

import pytest

from lattice_ml.search import crew


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(10)))
    assert crew._share(0, 4, accelerated=False) == {crew.MEMBER: str(os.getpid()), "OMP_NUM_THREADS": "2"}
    assert crew._share(0, 40, accelerated=False)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OMP_NUM_THREADS" not in crew._share(0, 4, accelerated=False)


@pytest.mark.parametrize(
    ("visible", "there", "given"),
    [(None, 2, ["0", "1", "0"]), ("3,5", 8, ["3", "5", "3"]), (None, 1, [None] * 3), (None, 0, [None] * 3)],
)
def test_devices_are_shared_out(visible, there, given, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(crew, "_count_gpus", lambda: there)
    assert [crew._share(k, 3, accelerated=True).get("CUDA_VISIBLE_DEVICES") for k in range(3)] == given
    assert "CUDA_VISIBLE_DEVICES" not in crew._share(0, 3, accelerated=False)


def test_a_process_of_its_own_is_no_member(monkeypatch):
    monkeypatch.delenv(crew.MEMBER, raising=False)
    assert not crew.is_member()
    monkeypatch.setenv(crew.MEMBER, "1")
    assert crew.is_member()
