"""A name on the disk stands for a whole file, and one process at a time creates a store."""

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from lattice_ml.ground import atomic
from lattice_ml.ground.atomic import AtomicStore, disk_errors, lock, remove_partials
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import PARTIAL, write_file


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    target = tmp_path / "c.0"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((target.exists(), os.fstat(number).st_size)))
    write_file(target, b"whole")
    assert seen == [(False, 5)]
    assert target.read_bytes() == b"whole"


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    write_file(tmp_path / "c.0", b"before")

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "c.0", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["c.0"]
    assert (tmp_path / "c.0").read_bytes() == b"before"


def test_zarr_writes_its_objects_this_way(tmp_path, monkeypatch):
    import zarr

    written = []
    monkeypatch.setattr("lattice_ml.ground.atomic.write_file", lambda path, content: written.append(path.name))
    array = zarr.create_array(AtomicStore(tmp_path), shape=(4,), chunks=(4,), dtype="u2", zarr_format=3)
    array[:] = 3
    assert written == ["zarr.json", "0"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / "configurations").mkdir()
    for name in (f".c.0.abc{PARTIAL}", "c.1"):
        (tmp_path / "configurations" / name).write_bytes(b"half")
    remove_partials(tmp_path)
    assert [path.name for path in (tmp_path / "configurations").iterdir()] == ["c.1"]


def test_the_lock_is_waited_for_and_falls_to_the_next_when_its_holder_dies(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(atomic, "PATIENCE", 0.1)
    code = (
        "import sys, time; from pathlib import Path; from lattice_ml.ground.atomic import lock\n"
        f"with lock(Path({str(tmp_path)!r})):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def enter():
            with lock(tmp_path):
                pass

        assert "another process has held" in refused(enter)
        monkeypatch.setattr(atomic, "PATIENCE", 60.0)
        killed = threading.Timer(0.3, holder.kill)
        killed.start()
        began = time.monotonic()
        enter()
        assert 0.2 < time.monotonic() - began < 30
        killed.join()


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EACCES, "cannot be written")],
)
def test_what_the_disk_refuses_is_said_in_one_sentence(tmp_path, number, says):
    with pytest.raises(UserError, match=says), disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))


def test_other_errors_keep_their_traceback(tmp_path):
    with pytest.raises(OSError, match="loop"), disk_errors(tmp_path):
        raise OSError(errno.ELOOP, "loop")
