"""The ``.cu`` files, unchanged, compiled by g++ and run through the ``Device`` interface on a machine with no GPU.

``CudaHost`` is stricter than a CPU where a GPU is: what ``put`` returns is a ``DeviceArray``, which numpy functions
take only if CuPy has them too and which never mixes with arrays of the host; ``get`` is a copy; a kernel's arguments
must have the very types that the CUDA function declares, since a launch would pass other bits without a word.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from cuda_host.build import entry, library, load
from cuda_host.device_array import DeviceArray

from lattice_ml.kernels.device import Device, Kernel

ORDERS = ("forward", "reverse", "shuffled")


class RaceError(AssertionError):
    """Two threads of one launch meet in an array."""


class CudaHost:
    """A ``Device`` whose kernels are the CUDA sources. Several threads of Python must not share one.

    folder: where the builds are kept. order: of all threads of a launch. build: "plain", "sanitized" or "races", which
    raises ``RaceError`` at the first launch in which two threads race.
    """

    name = "cuda"

    def __init__(self, folder: Path, order: str = "forward", seed: int = 0, build: str = "plain") -> None:
        if order not in ORDERS:
            raise ValueError(f"there is no order {order!r}: {', '.join(ORDERS)}")
        self.folder, self.order, self.build, self._random = folder, order, build, np.random.default_rng(seed)

    def put(self, array: np.ndarray) -> Any:
        if isinstance(array, DeviceArray):
            return DeviceArray(array._memory.copy(order="C"))
        return DeviceArray(np.array(array, order="C"))

    def get(self, array: Any) -> np.ndarray:
        return np.array(array._memory)

    def stream(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def launch(self, kernel: Kernel, threads: int, *arguments: Any) -> None:
        if not 1 <= threads < 2**32 - kernel.block:
            raise ValueError(f"{kernel.name} cannot be launched with {threads} threads")
        loaded = load(library(self.folder, kernel.source, self.build))
        called = entry(loaded, kernel.name)
        values = [np.uint32(threads), *arguments]
        if len(values) != len(called.types):
            raise TypeError(f"{kernel.name} takes {len(called.types)} arguments and got {len(values)}")
        passed = []
        for n, (declared, value) in enumerate(zip(called.types, values, strict=True)):
            _check(f"argument {n} of {kernel.name}", declared, value)
            passed.append(value._memory.ctypes.data if isinstance(value, DeviceArray) else value.item())
        blocks = -(-threads // kernel.block)
        order = self._in_order(blocks * kernel.block)
        if self.build != "races":
            called.run(order.ctypes.data, blocks, kernel.block, None, *passed)
            return
        written = [n for n, declared in enumerate(called.types) if declared.endswith("*") and " const" not in declared]
        for n in written:
            loaded.races_watch(ctypes.c_void_p(passed[n]), ctypes.c_size_t(values[n].nbytes))
        called.run(order.ctypes.data, blocks, kernel.block, loaded.races_begin_thread, *passed)
        loaded.races_end.restype = ctypes.c_char_p
        if found := loaded.races_end().decode():
            raise RaceError(f"{kernel.name}: {found} (the writable ones are arguments {written})")

    def _in_order(self, threads: int) -> np.ndarray:
        numbers = np.arange(threads, dtype=np.uint32)
        if self.order == "shuffled":
            return self._random.permutation(numbers)
        return numbers if self.order == "forward" else np.ascontiguousarray(numbers[::-1])


class Paired:
    """Another device whose every launch is repeated by the numba twin: all arrays must then have the same bits."""

    def __init__(self, device: Device) -> None:
        self.device, self.name, self.launches = device, device.name, 0
        self.put, self.get, self.stream = device.put, device.get, device.stream

    def launch(self, kernel: Kernel, threads: int, *arguments: Any) -> None:
        twin = [a if isinstance(a, np.generic) else self.get(a) for a in arguments]
        self.device.launch(kernel, threads, *arguments)
        kernel.twin(np.uint32(threads), *twin)
        self.launches += 1
        for n, (ours, expected) in enumerate(zip(arguments, twin, strict=True), start=1):
            if isinstance(expected, np.ndarray):
                same = self.get(ours).view(np.uint8) == expected.view(np.uint8)
                assert same.all(), f"launch {self.launches}, of {kernel.name}: argument {n} differs from the twin's"


def assert_order_does_not_matter(folder: Path, run: Callable[[CudaHost], np.ndarray]) -> np.ndarray:
    """Run something in every order of threads and with the race detector; return its result, the same in all.

    Raises ``AssertionError`` that names the orders that disagree, or ``RaceError``. The order of threads shows what
    depends on who comes first; a lost update (``x += 1`` by two threads at the same time) no serial order shows, and
    that is what the race detector is for.
    """
    first = run(CudaHost(folder, "forward"))
    devices = {
        "reverse": CudaHost(folder, "reverse"),
        "shuffled": CudaHost(folder, "shuffled"),
        "shuffled again": CudaHost(folder, "shuffled", seed=1),
        "shuffled, with the race detector": CudaHost(folder, "shuffled", seed=2, build="races"),
    }
    for order, device in devices.items():
        assert np.array_equal(first, run(device)), f"threads in order ({order}) give another result than forward"
    return first


def _check(what: str, declared: str, value: Any) -> None:
    """Raise ``TypeError`` unless a launch on a GPU would pass the bits that the kernel reads."""
    dtype = np.dtype(declared[:2])
    if not declared.endswith("*"):
        if not isinstance(value, np.generic) or value.dtype != dtype:
            raise TypeError(f"{what} is a scalar {dtype}, not {value!r} of {type(value)}")
    elif not isinstance(value, DeviceArray) or value._memory.dtype != dtype:
        raise TypeError(f"{what} is a device array of {dtype}, not {getattr(value, 'dtype', type(value))}")
    elif not value._memory.flags.c_contiguous:
        raise TypeError(f"{what} is not C-contiguous")
