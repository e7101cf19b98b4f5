"""Every kernel compiles for every architecture, spills nothing, keeps to its budget and can fill half of a GPU."""

import inspect

import cupy
import pytest
from cuda_host.budget import load
from cuda_host.occupancy import occupancy
from cuda_host.ptxas import ARCHITECTURES, CUPY_ADDS, PACKAGE, CompileError, kernels, most_threads, sources, usage

pytestmark = pytest.mark.cuda_host

LEAST_OCCUPANCY = 0.5
BLOCKS = {(kernel.source, kernel.name): kernel.block for kernel in kernels()}
each_source = pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)


def test_every_cuda_kernel_has_a_twin():
    """A name that is misspelt would be found at a launch on a GPU only."""
    assert set(BLOCKS) == {(source, name) for source in sources() for name in usage(source, "sm_80")}


@each_source
def test_the_budget_lists_what_exists(source):
    listed = load()[source.relative_to(PACKAGE).as_posix()]
    assert list(listed) == sorted(usage(source, "sm_80"))
    assert all(list(bounds) == list(ARCHITECTURES) for bounds in listed.values())


def test_the_budget_lists_nothing_else():
    assert list(load()) == [source.relative_to(PACKAGE).as_posix() for source in sources()]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@each_source
def test_usage(source, architecture):
    budget = load()[source.relative_to(PACKAGE).as_posix()]
    for name, used in usage(source, architecture).items():
        bounds, block = budget[name][architecture], BLOCKS[source, name]
        assert used.spills == 0, f"{name} spills {used.spills} bytes"
        assert used.registers <= bounds["registers"], f"{name} uses {used.registers} registers"
        assert used.shared <= bounds["shared"], f"{name} uses {used.shared} bytes of shared memory"
        filled = occupancy(architecture, used.registers, block, used.shared)
        assert filled >= LEAST_OCCUPANCY, f"{name}: {used.registers} registers leave an occupancy of {filled:.0%}"


@each_source
def test_launch_bounds_allow_the_block(source):
    for name, most in most_threads(source).items():
        assert BLOCKS[source, name] <= most
        assert BLOCKS[source, name] % 32 == 0


def test_spills_and_shared_memory_are_seen(tmp_path):
    """The detector detects: 200 values that live at the same time, in 32 registers."""
    source = tmp_path / "greedy.cu"
    sums = "".join(f"for (int n = 0; n < 200; ++n) x[n] = x[n] * x[(n + {k}) % 200] + {k}.0f;\n" for k in (3, 7, 11))
    source.write_text(
        'extern "C" __global__ void __launch_bounds__(1024, 2) greedy(float* out) {\n'
        "__shared__ float kept[100];\nfloat x[200];\nkept[threadIdx.x] = out[threadIdx.x];\n"
        f"#pragma unroll\nfor (int n = 0; n < 200; ++n) x[n] = out[n];\n#pragma unroll\n{sums}"
        "#pragma unroll\nfor (int n = 0; n < 200; ++n) out[n] = x[n] + kept[n % 100];\n}\n"
    )
    used = usage(source, "sm_80")["greedy"]
    assert used.registers <= 32
    assert used.spills > 0
    assert used.stack > 0
    assert used.shared == 400
    assert most_threads(source) == {"greedy": 1024}


def test_options_are_those_of_cupy():
    """What CuPy adds to the options of a kernel is known, and that the shim must flush denormals, from its source."""
    source = inspect.getsource(cupy.cuda.compiler)
    assert all(f"options += ('{option}',)" in source for option in CUPY_ADDS)


def test_errors_are_told(tmp_path):
    source = tmp_path / "wrong.cu"
    source.write_text('extern "C" __global__ void wrong() { nothing(); }')
    with pytest.raises(CompileError, match='identifier "nothing" is undefined'):
        usage(source, "sm_80")
