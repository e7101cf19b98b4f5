"""The kernels once more under AddressSanitizer and UndefinedBehaviorSanitizer, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.cuda_host

HERE = Path(__file__).parent
PLANTED = """
import sys
from pathlib import Path
import numpy as np
from cuda_host.host import CudaHost
from lattice_ml.kernels.device import Kernel

host = CudaHost(Path(sys.argv[1]), build="sanitized")
kernel = Kernel(Path(sys.argv[2]), sys.argv[3], twin=print, block=32)
out = host.put(np.zeros(40, dtype=np.uint32))
given = [] if kernel.name == "overrun" else [host.put(np.full(40, float(sys.argv[4]), dtype=np.float32))]
host.launch(kernel, 40, *given, out)
print("came through")
"""


def sanitized(*command):
    """Run Python with the sanitizers' library loaded first, as they want it; numpy's memory then has red zones."""
    library = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {
        "LD_PRELOAD": library.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "CUDA_HOST_SANITIZED": "1",
        "PYTHONPATH": str(HERE.parent),
        "NUMBA_OPT": "0",  # the twins compile faster
    }
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)


def planted(builds, *arguments):
    return sanitized("-c", PLANTED, str(builds), str(HERE / "planted.cu"), *arguments)


def test_parity(tmp_path):
    """What takes the fixture ``device``, with numba twins and all."""
    done = sanitized(
        *("-m", "pytest", *(str(HERE / f"test_{name}.py") for name in ("parity", "philox", "flux_checkerboard"))),
        *("-m", "not cuda", "-q", "-x"),
        *("-p", "no:cacheprovider", f"--basetemp={tmp_path / 'sanitized'}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_write_out_of_bounds(builds):
    done = planted(builds, "overrun")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
    assert "WRITE of size 4" in done.stderr
    assert "planted.cu" in done.stderr


def test_undefined_behaviour(builds):
    assert planted(builds, "narrow", "4e9").stdout == "came through\n"
    done = planted(builds, "narrow", "5e9")
    assert done.returncode != 0
    assert "5e+09 is outside the range of representable values of type 'unsigned int'" in done.stderr
