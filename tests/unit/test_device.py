"""Devices: the CPU, what keeps a machine from sampling on a GPU, and the text of CUDA sources."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from numba import njit

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import device
from lattice_ml.kernels.device import Cpu, Cuda, Kernel, open_device, source_text, to_torch


def refused(name="cuda"):
    """The one sentence in which opening a device ends."""
    with pytest.raises(UserError) as caught:
        open_device(name)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


@njit
def add(threads, step, numbers):
    for n in range(threads):
        numbers[n] += step


ADD = Kernel(Path("add.cu"), "add", twin=add)


# The CPU.


def test_cpu_put_copies():
    here = np.asfortranarray(np.arange(6, dtype=np.uint16).reshape(2, 3))
    there = Cpu().put(here)
    here[0, 0] = 9
    assert there.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert there.dtype == np.uint16
    assert there.flags.c_contiguous


def test_cpu_get_is_the_array():
    there = Cpu().put(np.arange(3))
    assert Cpu().get(there) is there


def test_cpu_launches_the_twin():
    cpu = Cpu()
    with cpu.stream():
        numbers = cpu.put(np.zeros(5, dtype=np.uint64))
        cpu.launch(ADD, 3, np.uint64(2**63), numbers)
    assert cpu.get(numbers).tolist() == [2**63] * 3 + [0, 0]


def test_cpu_by_name():
    assert isinstance(open_device("cpu"), Cpu)


# Handing over to torch.


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.float32])
def test_to_torch_shares_memory(dtype):
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    tensor = to_torch(array)
    assert tensor.data_ptr() == array.ctypes.data
    assert str(tensor.dtype).removeprefix("torch.") == np.dtype(dtype).name
    array[1, 2] = 99
    assert tensor[1, 2].item() == 99
    tensor[0, 0] = 7
    assert array[0, 0] == 7


# What is missing.


class StandIn(ModuleType):
    """CuPy as far as it is asked for: versions, and a GPU count or the error of one."""

    def __init__(self, driver: int = 13000, runtime: int = 13000, gpus: int | str = 1):
        super().__init__("cupy")

        class CUDARuntimeError(RuntimeError):
            pass

        def count():
            if isinstance(gpus, str):
                raise CUDARuntimeError(gpus)
            return gpus

        self.launched, self.streams, self.devices = [], [], []
        self.array, self.asnumpy = lambda array, order: np.array(array, order=order), np.array
        self.RawModule = self.compiled
        self.cuda = SimpleNamespace(
            Device=lambda number: self.devices.append(number) or nullcontext(),
            ExternalStream=lambda pointer: self.streams.append(pointer) or nullcontext(),
            runtime=SimpleNamespace(
                CUDARuntimeError=CUDARuntimeError,
                driverGetVersion=lambda: driver,
                runtimeGetVersion=lambda: runtime,
                getDeviceCount=count,
            ),
        )

    def compiled(self, *, code, options):
        self.code, self.options = code, options

        def function(name):
            return lambda grid, block, arguments: self.launched.append((name, grid, block, arguments))

        return SimpleNamespace(get_function=function)


@pytest.fixture
def machine(monkeypatch):
    """Pretends a CuPy and a torch, and clears what was compiled for another."""

    def pretend(cupy, built="13.0", usable=True):
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.setattr(device, "_has_driver", lambda: cupy is not None)
        monkeypatch.setattr(torch.version, "cuda", built)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=77))
        return cupy

    device._module.cache_clear()
    yield pretend
    device._module.cache_clear()


def test_unknown_device():
    assert refused("gpu") == "there is no device 'gpu': give sampler.device=auto, cpu or cuda."


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_this_machine_has_no_gpu():
    """With the real CuPy and the real torch."""
    assert "is to be found on this machine: give sampler.device=cpu" in refused()
    assert isinstance(open_device("auto"), Cpu)


@pytest.mark.parametrize(("built", "extra"), [("12.8", "cuda12"), ("13.0", "cuda13"), (None, "cuda13")])
def test_no_cupy(machine, built, extra):
    machine(None, built=built)
    text = refused()
    assert text.startswith("sampler.device=cuda needs CuPy, which cannot be imported here (")
    assert text.endswith(f"pip install 'lattice-ml[{extra}]', or give sampler.device=cpu.")
    assert isinstance(open_device("auto"), Cpu)


@pytest.mark.parametrize(
    ("stand_in", "torch_is", "told"),
    [
        (StandIn(driver=0, gpus="insufficient driver"), {}, "no NVIDIA driver is to be found on this machine"),
        (StandIn(gpus="no CUDA-capable device"), {}, "no GPU is to be found on this machine"),
        (StandIn(gpus=0), {}, "no GPU is to be found on this machine"),
        (
            StandIn(driver=12080, gpus="insufficient driver"),
            {},
            "the NVIDIA driver of this machine knows CUDA 12 and CuPy needs CUDA 13: install the extra cuda12",
        ),
        (StandIn(), {"built": None, "usable": False}, "install a CUDA build of torch"),
        (StandIn(), {"usable": False}, f"torch {torch.__version__} cannot use this machine's GPU"),
        (
            StandIn(runtime=12090),
            {},
            "CuPy is built for CUDA 12 and torch for CUDA 13.0: install the extra that matches torch, "
            "pip install 'lattice-ml[cuda13]'",
        ),
        (StandIn(), {"built": "12.8"}, "pip install 'lattice-ml[cuda12]'"),
    ],
)
def test_what_a_machine_lacks(machine, stand_in, torch_is, told):
    machine(stand_in, **torch_is)
    text = refused()
    assert told in text
    assert text.endswith("give sampler.device=cpu.") or "give sampler.device=cpu, or go where" in text
    assert isinstance(open_device("auto"), Cpu)


# A GPU, as far as it can be pretended: tests/cuda_host runs the kernels, `pytest -m cuda` the real one.


def test_all_is_there(machine):
    machine(StandIn(driver=13010, runtime=13000))
    assert isinstance(open_device("cuda"), Cuda)
    assert isinstance(open_device("auto"), Cuda)


def test_launch_on_cuda(machine, tmp_path):
    cupy = machine(StandIn())
    source = tmp_path / "add.cu"
    source.write_text("// nothing")
    cuda = open_device("cuda")
    numbers = cuda.put(np.zeros(257, dtype=np.float32))
    cuda.launch(Kernel(source, "add", twin=add, block=64), 257, np.uint64(5), numbers)
    cuda.get(numbers)
    ((name, grid, block, arguments),) = cupy.launched
    assert (name, grid, block) == ("add", (5,), (64,))
    assert [type(argument) for argument in arguments] == [np.uint32, np.uint64, np.ndarray]
    assert arguments[0] == 257
    assert arguments[2] is numbers
    assert cupy.code == "// nothing"
    assert "--fmad=false" in cupy.options
    assert set(cupy.streams) == {77}
    assert len(cupy.streams) == 3, "put, launch and get queue up on torch's stream"


# The text of CUDA sources.


def test_every_header_once(tmp_path):
    (tmp_path / "one.cuh").write_text('#pragma once\n#include "two.cuh"\n#include "philox.cuh"\nint one;\n')
    (tmp_path / "two.cuh").write_text('#pragma once\n#include "philox.cuh"\nint two;\n')
    source = tmp_path / "all.cu"
    source.write_text('#include "two.cuh"\n#include "one.cuh"\n#include "two.cuh"\nint all;\n')
    text = source_text(source)
    assert "#include" not in text
    assert "#pragma once" not in text
    assert [text.count(f"int {word};") for word in ("one", "two", "all")] == [1, 1, 1]
    assert text.count("struct Words {") == 1
    assert text.index("struct Words {") < text.index("int two;") < text.index("int one;") < text.index("int all;")
