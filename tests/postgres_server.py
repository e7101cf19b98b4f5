"""A PostgreSQL of our own on the loopback interface, for the tests of what keeps its state in one."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

REQUIRED = "LATTICE_ML_REQUIRE_POSTGRES"
PASSWORD = "correct-horse-battery"


def programs() -> Path | None:
    """Where initdb and pg_ctl are, if they are installed."""
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class Server:
    """A database cluster in a folder of its own, as the user postgres where the tests run as root."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._folder = Path(tempfile.mkdtemp(prefix="lattice_ml_postgres_"))
        self._data = self._folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        word = self._folder / "word"
        word.write_text(PASSWORD)
        if getpass.getuser() == "root":
            for path in (self._folder, word):
                shutil.chown(path, "postgres")
        self._run("initdb", "-D", self._data, "-U", "lattice", "-A", "scram-sha-256", "--pwfile", word, "--no-sync")
        self.start()

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://lattice:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: object) -> None:
        within = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        command = [*within, str(self._place / program), *map(str, words)]
        environment = {**os.environ, "LC_ALL": "C", "HOME": str(self._folder)}
        ended = subprocess.run(
            command, cwd=self._folder, env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout
