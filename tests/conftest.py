"""What all tests share."""

import os
import signal
from collections.abc import Iterator

import pytest
from postgres_server import REQUIRED, Server, programs

# A shell that starts tests in the background lets them ignore Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server on the loopback interface; skipped where none is installed, unless it must be there."""
    place = programs()
    if place is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"PostgreSQL is not installed, and {REQUIRED} is set")
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    server = Server(place)
    yield server
    server.remove()
