"""The pretended GPU refuses what a real one would get wrong or refuse."""

from pathlib import Path

import numpy as np
import pytest
from cuda_host.host import CudaHost

from lattice_ml.kernels.device import Kernel, to_torch

pytestmark = pytest.mark.cuda_host

RELAX = Kernel(Path(__file__).with_name("planted.cu"), "relax", twin=print)


@pytest.fixture
def host(builds):
    return CudaHost(builds)


def arguments(host):
    field = host.put(np.zeros((3, 3), dtype=np.uint32))
    return [host.put(np.arange(9, dtype=np.uint32)), np.uint32(3), np.uint32(3), field]


def test_right_arguments(host):
    host.launch(RELAX, 9, *arguments(host))


@pytest.mark.parametrize(
    ("n", "wrong", "told"),
    [
        (0, lambda good: good.astype(np.uint64), "argument 1 of relax is a device array of uint32, not uint64"),
        (0, lambda _: np.arange(9, dtype=np.uint32), "argument 1 of relax is a device array of uint32, not uint32"),
        (0, lambda good: good[::2], "argument 1 of relax is not C-contiguous"),
        (1, lambda _: 3, "argument 2 of relax is a scalar uint32, not 3 of <class 'int'>"),
        (1, lambda _: np.int64(3), "argument 2 of relax is a scalar uint32"),
        (3, lambda good: good.T, "argument 4 of relax is not C-contiguous"),
    ],
)
def test_wrong_arguments(host, n, wrong, told):
    given = arguments(host)
    given[n] = wrong(given[n])
    with pytest.raises(TypeError, match=told):
        host.launch(RELAX, 9, *given)


def test_wrong_number_of_arguments(host):
    with pytest.raises(TypeError, match="relax takes 5 arguments and got 4"):
        host.launch(RELAX, 9, *arguments(host)[:-1])


@pytest.mark.parametrize("threads", [0, 2**32 - 1])
def test_wrong_number_of_threads(host, threads):
    with pytest.raises(ValueError, match=f"with {threads} threads"):
        host.launch(RELAX, threads, *arguments(host))


def test_host_and_device_arrays_do_not_mix(host):
    there, here = host.put(np.arange(4)), np.arange(4)
    for mix in (
        lambda: there + here,
        lambda: here * there,
        lambda: np.concatenate([here, there]),
        lambda: there[here],
        lambda: there.__setitem__(slice(None), here),
        lambda: np.asarray(there),
        lambda: np.isin(there, here),
    ):
        with pytest.raises(TypeError):
            mix()
    with pytest.raises(TypeError, match="CuPy has no"):
        np.insert(there, 0, 1)
    with pytest.raises(AttributeError, match="a CuPy array has no"):
        there.setflags(write=False)


def test_what_cupy_can_do(host):
    there = host.put(np.arange(6, dtype=np.uint16).reshape(2, 3))
    assert there.shape == (2, 3)
    assert host.get(np.stack([there, there.copy()], axis=1)).shape == (2, 2, 3)
    assert int((there.astype(np.int64) - 1 >> np.int64(1)).sum()) == 3
    there[:, 0] = there[:, 1] * np.uint16(2)
    there += np.uint16(1)
    assert host.get(there).tolist() == [[3, 2, 3], [9, 5, 6]]


def test_get_and_put_copy(host):
    here = np.arange(3)
    there = host.put(here)
    here[0] = 7
    host.get(there)[1] = 7
    assert host.get(there).tolist() == [0, 1, 2]


def test_to_torch_shares_memory(host):
    there = host.put(np.arange(3, dtype=np.uint16))
    tensor = to_torch(there)
    there[1] = np.uint16(9)
    assert tensor.tolist() == [0, 9, 2]


@pytest.mark.parametrize("word", ["__syncthreads();", "__shared__ unsigned x;", "__shfl_sync(0u, 1u, 0);"])
def test_what_the_shim_leaves_out(builds, tmp_path, word):
    source = tmp_path / "meets.cu"
    source.write_text(f'extern "C" __global__ void meets(unsigned) {{ {word} }}')
    with pytest.raises(RuntimeError, match=word[:10]):
        CudaHost(builds).launch(Kernel(source, "meets", twin=print), 1)


def test_denormals_are_flushed(builds, tmp_path):
    """As CuPy has NVRTC do it, and on this device alone."""
    source = tmp_path / "halve.cu"
    source.write_text('extern "C" __global__ void halve(unsigned, float* x) { *x = *x * 0.5f; }')
    host = CudaHost(builds)
    x = host.put(np.array([np.finfo(np.float32).tiny]))
    host.launch(Kernel(source, "halve", twin=print, block=32), 1, x)
    assert host.get(x)[0] == 0
    assert np.finfo(np.float32).tiny * np.float32(0.5) > 0
