"""``.cu`` files compiled by g++ into shared libraries, through ``shim.h``."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lattice_ml.kernels.device import source_text

HERE = Path(__file__).parent
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
COMPILER = ("g++", "-std=c++17", "-fPIC", "-ffp-contract=off", *WARNINGS)
BUILDS: Mapping[str, tuple[str, ...]] = {
    "plain": ("-O2",),
    # Needs libasan.so preloaded, see test_sanitizers.py.
    "sanitized": ("-O1", "-g1", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
    # No loop becomes a call of memset or memcpy, which would go unseen.
    "races": ("-O1", "-fsanitize=thread", "-fno-tree-loop-distribute-patterns"),
}


@functools.cache
def library(folder: Path, source: Path, how: str) -> Path:
    """The shared library of all kernels of a file, kept in ``folder``. how: one of ``BUILDS``."""
    cuda, shim = source_text(source), HERE / "shim.h"
    preprocessed = _run(["g++", "-E", "-P", "-x", "c++", "-"], cuda).stdout  # some names are made by macros
    kernels = re.findall(r"__global__ void (?:__launch_bounds__\([^)]*\) )?(\w+)\(", preprocessed)
    text = "\n".join([f'#line 1 "{source.name}"', cuda, *(f"LAUNCHER({kernel})" for kernel in kernels), ""])
    options = [*COMPILER, *BUILDS[how], "-include", str(shim), "-x", "c++"]
    stem = f"{source.stem}-{how}"
    if how != "races":
        return _make(folder, f"{stem}.so", [*options, "-shared"], text, shim.read_text())
    # Linked by hand, so that calls of ThreadSanitizer find our functions and not its own.
    watched = _make(folder, f"{stem}.o", [*options, "-c"], text, shim.read_text())
    detector = _make(folder, "races.o", [*COMPILER, "-O2", "-x", "c++", "-c"], (HERE / "races.cpp").read_text())
    return _make(folder, f"{stem}.so", ["g++", "-shared", "-Wl,-z,defs", str(watched), str(detector)])


def _make(folder: Path, name: str, command: list[str], source: str = "", *needed: str) -> Path:
    """A file that a compiler makes of a source, found again by what it is made of, like the errors of one that failed.

    Workers that make it at the same time make it twice.
    """
    made = hashlib.sha256("\0".join([*command, source, *needed]).encode()).hexdigest()[:16]
    result = folder / f"{made}-{name}"
    errors, draft = result.with_suffix(".errors"), result.with_suffix(f".{os.getpid()}{result.suffix}")
    if errors.exists():
        raise RuntimeError(errors.read_text())
    if not result.exists():
        command = [*command, *(["-"] if source else []), "-o", str(draft)]
        done = _run(command, source)
        if done.returncode:
            errors.write_text(f"{' '.join(command)}\n{done.stderr}")
            raise RuntimeError(errors.read_text())
        os.replace(draft, result)
    return result


def _run(command: list[str], source: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LD_PRELOAD": ""}  # where sanitizers are loaded, they are not for the compiler
    return subprocess.run(command, input=source, env=environment, capture_output=True, text=True, check=False)


class Entry:
    """The C function that runs a launch, and the types of the kernel's arguments as ``shim.h`` writes them."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        signature, launcher = getattr(library, f"{name}_signature"), getattr(library, f"{name}_launcher")
        signature.restype, launcher.restype = ctypes.c_char_p, ctypes.c_void_p
        self.types = signature().decode().split(";")[:-1]
        passed = [ctypes.c_void_p if t.endswith("*") else np.ctypeslib.as_ctypes_type(t) for t in self.types]
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, *passed)
        self.run = prototype(launcher())


load = functools.cache(ctypes.CDLL)
entry = functools.cache(Entry)
