"""Titles, captions and alternative texts of a run's figures: ``figures/captions.json``, which the report reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lattice_ml.ground.files import write_file


def caption(folder: Path, name: str, title: str, text: str, alt: str) -> None:
    """Set the entry of ``<folder>/<name>.png``. ``alt`` is for those who cannot see it."""
    captions = _read(folder)
    captions[name] = {"title": title, "caption": text, "alt": alt}
    _write(folder, captions)


def tell(folder: Path, story: Sequence[str]) -> None:
    """Put the figures into the order in which the report shows them; those that are not in the story come last."""
    captions = _read(folder)
    names = [name for name in story if name in captions]
    _write(folder, {name: captions[name] for name in dict.fromkeys([*names, *captions])})


def _read(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "captions.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _write(folder: Path, captions: dict[str, dict[str, str]]) -> None:
    write_file(folder / "captions.json", f"{json.dumps(captions, indent=2)}\n".encode())
