"""Devices that tests of the CUDA sources take; a real GPU joins them under ``pytest -m cuda``."""

import os

import pytest
from cuda_host.host import ORDERS, CudaHost

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import open_device


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """Where builds of this session are kept, shared by the workers of pytest-xdist."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "cuda_host"
    folder.mkdir(exist_ok=True)
    return folder


SANITIZED = "CUDA_HOST_SANITIZED" in os.environ  # set by test_sanitizers.py, which starts these tests once more
HOSTS = ["sanitized"] if SANITIZED else [*ORDERS, "races"]


@pytest.fixture(scope="session", params=[*HOSTS, pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request, builds):
    """A device that runs CUDA sources: here in three orders of threads and under the race detector, or a GPU."""
    if request.param in ORDERS:
        return CudaHost(builds, request.param)
    if request.param != "cuda":
        return CudaHost(builds, "shuffled", seed=1, build=request.param)
    try:
        return open_device("cuda")
    except UserError as error:
        pytest.skip(str(error))
