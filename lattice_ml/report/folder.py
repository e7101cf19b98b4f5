"""What lies in a run folder, read with suspicion: a file may be missing, half written, damaged or somebody else's."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from lattice_ml.report.numbers import table


def read_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The object in a JSON file, and what is wrong with it: a run cut short may leave none, or half of one."""
    if not path.is_file():
        return {}, [f"There is no {path.name} here: the run has not finished."] if path.name == "results.json" else []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        return {}, [f"{path.name} could not be read ({error}): run the same command line again to write it anew."]
    return (content, []) if isinstance(content, dict) else ({}, [f"{path.name} does not hold a JSON object."])


def read_figures(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Every picture of the folder with its words: captioned ones in the order of the captions, then the others.

    A figure is ``{"name", "title", "caption", "alt", "data", "arrays"}``, ``data`` the PNG in base64. Also returns
    what is wrong: a picture that is cut short or no picture at all is named and left out.
    """
    captions, complaints = read_json(folder / "captions.json")
    found = {picture.stem: picture for picture in sorted(folder.glob("*.png"))}
    figures = []
    for name in [*(name for name in captions if name in found), *(name for name in found if name not in captions)]:
        picture = embedded(found[name])
        if picture is None:
            complaints.append(f"figures/{name}.png is damaged and not shown: draw it again from figures/{name}.npz.")
            continue
        words = table(captions.get(name))
        title = str(words.get("title") or name.replace("_", " ").capitalize())
        caption = str(words.get("caption") or "")
        figures.append(
            {
                "name": name,
                "title": title,
                "caption": caption,
                "alt": str(words.get("alt") or "").strip() or f"Figure: {title}. {caption}".strip(),
                "data": picture,
                "arrays": f"figures/{name}.npz" if (folder / f"{name}.npz").is_file() else "",
            }
        )
    return figures, complaints


def embedded(picture: Path, width: int | None = None) -> str | None:
    """The PNG in base64, no wider than ``width`` pixels if that is given; None if no picture can be made of it."""
    from PIL import Image

    try:
        content = picture.read_bytes()
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.load()
            if width is not None and image.width > width:
                small = image.convert("RGB").resize((width, max(1, round(image.height * width / image.width))))
                buffer = io.BytesIO()
                small.quantize(64).save(buffer, "PNG", optimize=True)
                content = buffer.getvalue()
    except Exception:  # a damaged file raises anything from OSError to struct.error; a huge one is refused
        return None
    return base64.b64encode(content).decode("ascii")


def published(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the literature states of the run's system, from ``published.yaml`` in the system's own folder; or nothing.

    Nothing either if the rules differ from the source's (other rates): its numbers are then about something else.
    """
    import yaml

    system = table(results.get("system"))
    name = str(system.get("name", ""))
    if not name.isidentifier():  # "../.." is no system
        return {}
    page = files("lattice_ml") / "systems" / name / "published.yaml"
    if not page.is_file():
        return {}
    content = yaml.safe_load(page.read_text(encoding="utf-8"))
    return content if all(system.get(key) == value for key, value in content["system"].items()) else {}


def template(name: str) -> jinja2.Template:
    """A template of this folder, with every value escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lattice_ml", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
