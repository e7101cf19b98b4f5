"""What the CUDA compiler makes of a ``.cu`` file: NVRTC needs no GPU, and its log holds what ptxas reports.

Options are those of ``device.OPTIONS`` and the two that CuPy adds to them.
"""

import functools
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any, NamedTuple

from cuda.bindings import nvrtc

import lattice_ml
from lattice_ml import systems
from lattice_ml.kernels.device import OPTIONS, Kernel, source_text

PACKAGE = Path(lattice_ml.__file__).parent
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100")
CUPY_ADDS = ("-ftz=true", "--device-as-default-execution-space")


class Usage(NamedTuple):
    """Of one kernel: registers of a thread, bytes of shared memory of a block, bytes of a thread's stack and spills."""

    registers: int
    shared: int
    stack: int
    spills: int


class CompileError(RuntimeError):
    """The log of NVRTC."""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.cu"))


def kernels() -> list[Kernel]:
    """Every ``Kernel`` of the systems; they are constants of their modules."""
    modules = [
        importlib.import_module(found.name) for found in pkgutil.walk_packages(systems.__path__, f"{systems.__name__}.")
    ]
    found = {
        (value.source, value.name): value
        for module in modules
        for _, value in inspect.getmembers(module, lambda value: isinstance(value, Kernel))
    }
    return [found[key] for key in sorted(found)]


@functools.cache
def usage(source: Path, architecture: str) -> dict[str, Usage]:
    """What each kernel of a file uses on an architecture, as ptxas prints it:

    Compiling entry function 'k' for 'sm_80' / ... 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads /
    Used 15 registers, used 0 barriers, 16 bytes smem, 376 bytes cmem[0]
    """
    log, _ = _compile(source, f"--gpu-architecture={architecture}", "--ptxas-options=-v")
    parts = re.split(r"Compiling entry function '(\w+)' for '\w+'", log)[1:]
    return {name: _usage(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _usage(text: str) -> Usage:
    frame = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", text)
    registers, shared = re.search(r"Used (\d+) registers", text), re.search(r"(\d+) bytes smem", text)
    if frame is None or registers is None:
        raise CompileError(f"ptxas printed something else than expected: {text}")
    return Usage(int(registers[1]), int(shared[1]) if shared else 0, int(frame[1]), int(frame[2]) + int(frame[3]))


@functools.cache
def most_threads(source: Path) -> dict[str, int]:
    """The threads that a block of each kernel may have, by its ``__launch_bounds__``; 1024 without."""
    _, ptx = _compile(source, "--gpu-architecture=compute_75")
    entries = re.findall(r"\.entry (\w+)\([^)]*\)([^{]*)\{", ptx)
    bounds = {name: re.search(r"\.maxntid (\d+)", directives) for name, directives in entries}
    return {name: int(bound[1]) if bound else 1024 for name, bound in bounds.items()}


def _compile(source: Path, *options: str) -> tuple[str, str]:
    """The log and, for a virtual architecture, the PTX."""
    program = _call(nvrtc.nvrtcCreateProgram(source_text(source).encode(), source.name.encode(), 0, [], []))
    given = [option.encode() for option in (*OPTIONS, *CUPY_ADDS, *options)]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(given), given)
    log = b" " * _call(nvrtc.nvrtcGetProgramLogSize(program))
    _call(nvrtc.nvrtcGetProgramLog(program, log))
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CompileError(f"{source.name}: {log.decode()}")
    ptx = b" " * _call(nvrtc.nvrtcGetPTXSize(program)) if "compute" in options[0] else b""
    if ptx:
        _call(nvrtc.nvrtcGetPTX(program, ptx))
    _call(nvrtc.nvrtcDestroyProgram(program))
    return log.decode(), ptx.decode()


def _call(answer: tuple) -> Any:
    status, *values = answer
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CompileError(str(status))
    return values[0] if values else None
