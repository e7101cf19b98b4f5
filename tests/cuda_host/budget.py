"""Registers and shared memory that each kernel may use on each architecture: ``budget.yaml``, and how it is made."""

from pathlib import Path

import yaml
from cuda_host.ptxas import ARCHITECTURES, PACKAGE, sources, usage

FILE = Path(__file__).with_suffix(".yaml")
HEADER = """\
# Upper bounds of the registers of a thread and the bytes of shared memory of a block, by NVRTC 13.0. More than
# tests/cuda_host/test_compile.py finds here is a failure. When a change of a kernel is worth what it costs:
#   PYTHONPATH=tests .venv/bin/python -m cuda_host.budget
"""


def load() -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Source -> kernel -> architecture -> {registers, shared}."""
    return yaml.safe_load(FILE.read_text())


def measured() -> str:
    """The budget that is just enough."""
    lines = [HEADER]
    for source in sources():
        lines.append(f"{source.relative_to(PACKAGE).as_posix()}:\n")
        used = {architecture: usage(source, architecture) for architecture in ARCHITECTURES}
        for kernel in sorted(used[ARCHITECTURES[0]]):
            lines.append(f"  {kernel}:\n")
            for architecture in ARCHITECTURES:
                registers, shared, *_ = used[architecture][kernel]
                lines.append(f"    {architecture}: {{registers: {registers}, shared: {shared}}}\n")
    return "".join(lines)


if __name__ == "__main__":
    FILE.write_text(measured())
    print(f"wrote {FILE}")
