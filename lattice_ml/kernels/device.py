"""Where samplers run: on the CPU, by numba twins, or on a CUDA GPU, by the ``.cu`` files through CuPy.

A sampler allocates, launches and reads out through a ``Device`` and does not know which one it has. Both give the same
bits: kernels compute with integers and host tables, and where a clock needs arithmetic with correctly rounded
operations only, contraction off (``OPTIONS``). Parallel work within a launch is ``threads`` independent threads;
there are no barriers, so the end of a launch is the only meeting point.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    import torch

Where = Literal["auto", "cpu", "cuda"]
DEVICES = get_args(Where)
OPTIONS = ("--std=c++17", "--fmad=false")
"""Options of NVRTC and nvcc: a contracted multiply-add would round once where the CPU rounds twice."""
HEADERS = Path(__file__).parent
THREADS_TO_FILL = 528 * 32
"""A warp for each of the 528 schedulers of an H100, below which parts of it idle. A constant, not a property of the
machine: what a default chooses by it determines bits."""


@dataclass(frozen=True)
class Kernel:
    """A kernel twice: ``source`` holds the CUDA function ``name``, ``twin`` is the same in numba.

    Both take the number of threads (uint32) and then the same arguments: C-contiguous arrays, which the CUDA function
    sees as pointers, and numpy scalars. block: threads of a CUDA block.
    """

    source: Path
    name: str
    twin: Callable[..., None]
    block: int = 128


class Device(Protocol):
    """A place where arrays lie and kernels run."""

    name: str

    def put(self, array: np.ndarray) -> Any:
        """A copy of a host array on the device."""
        ...

    def get(self, array: Any) -> np.ndarray:
        """A device array on the host; on the CPU the very array."""
        ...

    def launch(self, kernel: Kernel, threads: int, *arguments: Any) -> None:
        """Run ``threads`` threads of a kernel, after what was launched before and before what is read out next."""
        ...

    def stream(self) -> AbstractContextManager[Any]:
        """A context in which array operations and launches queue up behind one another."""
        ...


class Cpu:
    """numba on the calling thread."""

    name = "cpu"

    def put(self, array: np.ndarray) -> np.ndarray:
        return np.array(array, order="C")

    def get(self, array: np.ndarray) -> np.ndarray:
        return array

    def launch(self, kernel: Kernel, threads: int, *arguments: Any) -> None:
        kernel.twin(np.uint32(threads), *arguments)

    def stream(self) -> AbstractContextManager[Any]:
        return nullcontext()


class Cuda:
    """CuPy on torch's current stream, so that kernels and torch see each other's arrays in order."""

    name = "cuda"

    def __init__(self) -> None:
        self._cupy = _import_cupy()

    def put(self, array: np.ndarray) -> Any:
        with self.stream():
            return self._cupy.array(array, order="C")

    def get(self, array: Any) -> np.ndarray:
        with self.stream():
            return self._cupy.asnumpy(array)

    def launch(self, kernel: Kernel, threads: int, *arguments: Any) -> None:
        with self.stream():
            function = _module(kernel.source).get_function(kernel.name)
            blocks = -(-threads // kernel.block)
            function((blocks,), (kernel.block,), (np.uint32(threads), *arguments))

    def stream(self) -> AbstractContextManager[Any]:
        import torch

        context = ExitStack()
        context.enter_context(self._cupy.cuda.Device(torch.cuda.current_device()))  # where there are several
        context.enter_context(self._cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream))
        return context


def open_device(name: str) -> Device:
    """The device "cpu" or "cuda"; "auto" is "cuda" where it can be used and "cpu" elsewhere.

    Raises ``UserError`` that says what "cuda" lacks: CuPy, a driver, a GPU, or a CUDA version that torch shares.
    """
    if name not in DEVICES:
        raise UserError(f"there is no device {name!r}: give sampler.device={', '.join(DEVICES[:-1])} or {DEVICES[-1]}.")
    if name == "cpu":
        return Cpu()
    if name == "auto" and not _has_driver():  # the usual case, told without importing torch and CuPy
        return Cpu()
    try:
        check_cuda()
    except UserError as error:
        if name == "cuda":
            raise
        print(f"sampling on the CPU: {error}", flush=True)
        return Cpu()
    return Cuda()


def _has_driver() -> bool:
    """Can the library that every CUDA driver brings be loaded, and is there a CuPy to use it?"""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return importlib.util.find_spec("cupy") is not None


def check_cuda() -> None:
    """Raise ``UserError`` with the first thing that keeps CuPy and torch from sharing a GPU, and its cure."""
    import torch

    cupy = _import_cupy()
    runtime = cupy.cuda.runtime
    driver, major = runtime.driverGetVersion(), runtime.runtimeGetVersion() // 1000
    try:
        count = runtime.getDeviceCount() if driver else 0
    except runtime.CUDARuntimeError:  # no GPU, or a driver that is too old for CuPy
        count = 0
    if 0 < driver // 1000 < major:
        raise UserError(
            f"the NVIDIA driver of this machine knows CUDA {driver // 1000} and CuPy needs CUDA {major}: install the "
            f"extra cuda{driver // 1000} of lattice-ml instead or a newer driver, or give sampler.device=cpu."
        )
    if not count:
        lacking = "no GPU" if driver else "no NVIDIA driver"
        raise UserError(
            f"{lacking} is to be found on this machine: give sampler.device=cpu, or go where nvidia-smi lists a GPU."
        )
    built = torch.version.cuda
    if built is None or not torch.cuda.is_available():
        raise UserError(
            f"torch {torch.__version__} cannot use this machine's GPU, so configurations cannot be handed to it: "
            "install a CUDA build of torch, or give sampler.device=cpu."
        )
    if int(built.split(".")[0]) != major:
        raise UserError(
            f"CuPy is built for CUDA {major} and torch for CUDA {built}: install the extra that matches torch, "
            f"pip install 'lattice-ml[cuda{built.split('.')[0]}]', or give sampler.device=cpu."
        )


def to_torch(array: Any) -> torch.Tensor:
    """A tensor on the memory of a device array, not a copy, by DLPack."""
    import torch

    return torch.from_dlpack(array)


def source_text(source: Path) -> str:
    """A ``.cu`` file with its own headers pasted in, each once: what is compiled depends on nothing else on disk."""
    seen: set[str] = set()

    def paste(text: str, folder: Path) -> str:
        def header(match: re.Match[str]) -> str:
            name = match[1]
            if name in seen:
                return ""
            seen.add(name)
            path = next(where / name for where in (folder, HEADERS) if (where / name).exists())
            return paste(path.read_text().replace("#pragma once", ""), path.parent)

        return re.sub(r'^#include "([^"]+)"', header, text, flags=re.MULTILINE)

    return paste(source.read_text(), source.parent)


@functools.cache
def _module(source: Path) -> Any:
    """The compiled file; CuPy keeps the binary in its own cache on disk, by the text and the options."""
    return _import_cupy().RawModule(code=source_text(source), options=OPTIONS)


def _import_cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        import torch

        major = "12" if (torch.version.cuda or "").startswith("12.") else "13"
        raise UserError(
            f"sampler.device=cuda needs CuPy, which cannot be imported here ({error}): "
            f"pip install 'lattice-ml[cuda{major}]', or give sampler.device=cpu."
        ) from error
    return cupy
