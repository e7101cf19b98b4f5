"""Memory of a pretended GPU, as strict about what may touch it as CuPy is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class DeviceArray(NDArrayOperatorsMixin):
    """Of numpy it knows what CuPy knows, by name, and it keeps host arrays out, as CuPy does.

    _memory: the array itself, for ``CudaHost``.
    """

    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("this array is on the device: use device.get")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if not hasattr(cupy, ufunc.__name__):
            raise TypeError(f"CuPy has no {ufunc.__name__}")
        return _outward(getattr(ufunc, method)(*_inward(inputs), **_inward(keywords)))

    def __array_function__(self, function: Callable, _: Any, arguments: Any, keywords: Any) -> Any:
        if not hasattr(cupy, function.__name__):
            raise TypeError(f"CuPy has no {function.__name__}")
        return _outward(function(*_inward(arguments), **_inward(keywords)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(cupy.ndarray, name):
            raise AttributeError(f"a CuPy array has no {name}")
        value = getattr(self._memory, name)
        if not callable(value):
            return _outward(value)
        return lambda *arguments, **keywords: _outward(value(*_inward(arguments), **_inward(keywords)))

    def __getitem__(self, key: Any) -> Any:
        return _outward(self._memory[_inward(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._memory[_inward(key)] = _inward(value)

    def __len__(self) -> int:
        return len(self._memory)

    def __bool__(self) -> bool:
        return bool(self._memory)

    def __int__(self) -> int:
        return int(self._memory)

    def __float__(self) -> float:
        return float(self._memory)

    def __dlpack__(self, **keywords: Any) -> Any:
        return self._memory.__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return self._memory.__dlpack_device__()


def _inward(value: Any) -> Any:
    """Arguments of a CuPy call as numpy needs them, at any depth."""
    if isinstance(value, DeviceArray):
        return value._memory
    if isinstance(value, np.ndarray):
        raise TypeError("a device array and a host array do not mix: use device.put or device.get")
    if isinstance(value, dict):
        return {key: _inward(item) for key, item in value.items()}
    return type(value)(map(_inward, value)) if isinstance(value, tuple | list) else value


def _outward(value: Any) -> Any:
    """What CuPy would return: arrays of the device, those with no dimensions included."""
    if isinstance(value, np.ndarray | np.generic):
        return DeviceArray(np.asarray(value))
    return type(value)(map(_outward, value)) if isinstance(value, list) else value
