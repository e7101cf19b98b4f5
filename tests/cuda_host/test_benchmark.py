"""The throughput benchmark runs, on pretended devices here and under ``pytest -m cuda`` on a real GPU."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_host.host import CudaHost

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def load():
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.cuda_host
def test_every_case_runs_and_compares_bits(builds, monkeypatch):
    benchmark = load()
    monkeypatch.setattr(benchmark, "TURNS", 1)
    for case in benchmark.CASES:
        row = benchmark.measure(case._replace(stretch=1.0), 2, CudaHost(builds))
        assert row["equal bits"], case.name
        assert row["gpu"] > 0


@pytest.mark.cuda_host
def test_without_a_gpu_nothing_is_made_up(monkeypatch, capsys):
    benchmark = load()

    def none(name):
        raise benchmark.UserError("no NVIDIA driver is to be found on this machine.")

    monkeypatch.setattr(benchmark, "open_device", none)
    benchmark.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {"benchmark": "gpu", "rows": [], "skipped": "no NVIDIA driver is to be found on this machine."}


@pytest.mark.cuda
def test_throughput_on_a_real_gpu():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    print(done.stdout)
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert rows
    assert all(row["equal bits"] for row in rows)
