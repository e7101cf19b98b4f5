"""What the loggers leave behind, read with the formats' own schemas: W&B offline, TensorBoard, and nothing at all."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from lattice_ml import figures
from lattice_ml.cli.config import Job, validate
from lattice_ml.runs.loggers import open_loggers
from lattice_ml.runs.run import Run, open_run

CONF = Path(__file__).resolve().parents[2] / "conf"
BLOCK = 32768


def records(path: Path) -> Iterator[Any]:
    """The records of a ``.wandb`` file: a LevelDB log (blocks of 32 KiB, pieces with checksum, length and kind)."""
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    position, pieces = 7, b""
    while position + 7 <= len(data):
        left = BLOCK - position % BLOCK
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        if left < 7 or kind == 0:
            position += left
            continue
        pieces += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            record = Record()
            record.ParseFromString(pieces)
            pieces = b""
            yield record


def logged(job: Job, run: Run) -> tuple[Any, ...]:
    """What ``open_loggers`` takes of a job."""
    return job.workflow.logger, run, job.workflow.ensembles


def of_kind(found: list[Any], kind: str) -> list[Any]:
    return [getattr(record, kind) for record in found if record.WhichOneof("record_type") == kind]


def items(rows: Any) -> dict[str, Any]:
    """The updates of a config, summary or history record, by name."""
    return {"/".join(row.nested_key) or row.key: json.loads(row.value_json) for row in rows}


def md5(path: Path) -> str:
    return base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode()


@pytest.fixture(scope="module")
def offline(toy_run: Path) -> Path:
    (folder,) = (toy_run / "wandb").glob("offline-run-*")
    return folder


@pytest.fixture(scope="module")
def written(offline: Path) -> list[Any]:
    (file,) = offline.glob("*.wandb")
    return list(records(file))


def test_config_and_scalars_of_every_epoch(written: list[Any], toy_run: Path) -> None:
    config = {}
    for record in of_kind(written, "config"):
        config |= items(record.update)
    assert config["ensemble"]["extents"] == [81, 9]
    assert config["task"]["lr"] == 0.001
    history = [items(record.item) for record in of_kind(written, "history")]
    with (toy_run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss", "val/loss", "val/acc"):
        logged = [row[name] for row in history if name in row]
        np.testing.assert_allclose(logged, [float(row[name]) for row in rows])
    summary = {}
    for record in of_kind(written, "summary"):
        summary |= items(record.update)
    results = json.loads((toy_run / "results.json").read_text())
    assert summary["test_accuracy"] == results["metrics"]["test_accuracy"]["value"]
    assert summary["parameters"] == results["metrics"]["parameters"]["value"]


def test_every_figure_is_there_pixel_for_pixel(offline: Path, toy_run: Path) -> None:
    drawn = sorted((toy_run / "figures").glob("*.png"))
    assert len(drawn) > 5
    for picture in drawn:
        (sent,) = (offline / "files" / "media" / "images" / "figures").glob(f"{picture.stem}_[0-9]*.png")
        with Image.open(sent) as there, Image.open(picture) as here:
            pixels = np.asarray(there.convert("RGB"))
            assert there.format == "PNG"
            assert pixels.dtype == np.uint8
            np.testing.assert_array_equal(pixels, np.asarray(here.convert("RGB")))
        assert pixels.mean() > 50, "rendered black"


def test_boundary_table_and_confusion_matrix(offline: Path, toy_run: Path) -> None:
    tables = offline / "files" / "media" / "table"
    boundaries = json.loads(next(tables.glob("boundaries_*.table.json")).read_text())
    results = json.loads((toy_run / "results.json").read_text())
    assert boundaries["data"] == [[row.get(name) for name in boundaries["columns"]] for row in results["boundaries"]]
    assert {"rho0", "transition", "control", "value", "error", "method"} <= set(boundaries["columns"])
    confusion = json.loads(next(tables.glob("confusion_matrix_*.table.json")).read_text())
    drawn = figures.load(toy_run / "figures" / "confusion.npz")
    counts = np.zeros_like(drawn["counts"])
    phases = list(drawn["phases"])
    for labelled, predicted, count in confusion["data"]:
        counts[phases.index(labelled), phases.index(predicted)] = count
    np.testing.assert_array_equal(counts, drawn["counts"])
    assert counts.sum() > 0


def test_the_run_uses_its_ensembles_which_are_references(written: list[Any], toy: tuple[Path, str]) -> None:
    used = [artifact for artifact in of_kind(written, "artifact") if artifact.use_after_commit]
    assert [artifact.name for artifact in used] == ["ensemble-toy", "ensemble-toy_survey"]
    for artifact, store in zip(used, ("toy-seed0.zarr", "toy_survey-seed0.zarr"), strict=True):
        assert artifact.type == "dataset"
        path = (toy[0] / "stores" / store).absolute()
        (entry,) = artifact.manifest.contents  # the metadata alone, none of the chunks
        assert entry.ref == (path / "zarr.json").as_uri()
        assert not entry.local_path
        assert entry.digest == md5(path / "zarr.json")
        metadata = json.loads(artifact.metadata)
        assert metadata["path"] == str(path)
        assert metadata["zarr.json sha256"] == hashlib.sha256((path / "zarr.json").read_bytes()).hexdigest()
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
        identity = json.loads(metadata["identity"])
        assert identity == {key: attributes[key] for key in ("schema", "system", "plan", "sampler")}


def test_the_run_logs_its_model(written: list[Any], toy_run: Path) -> None:
    (model,) = [artifact for artifact in of_kind(written, "artifact") if artifact.type == "model"]
    assert model.name == "model-toy-001"
    assert "best" in model.aliases
    assert not model.use_after_commit
    contents = {entry.path: entry for entry in model.manifest.contents}
    assert set(contents) == {"best.ckpt", "config.yaml"}
    best = (toy_run / "checkpoints" / "best.ckpt").absolute()
    assert contents["best.ckpt"].local_path == str(best)
    assert contents["best.ckpt"].digest == md5(best)
    assert json.loads(model.metadata)["sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()


def test_all_that_a_later_upload_needs_lies_in_the_run_folder(written: list[Any], toy_run: Path) -> None:
    sent = [e.local_path for a in of_kind(written, "artifact") for e in a.manifest.contents if not e.ref]
    assert len(sent) >= 4
    for path in sent:
        assert Path(path).is_relative_to(toy_run.absolute())
        assert Path(path).is_file()


def test_the_run_ends_with_exit_code_0_and_wandb_sync_finds_it(written: list[Any], offline: Path) -> None:
    (ending,) = of_kind(written, "exit")
    assert ending.exit_code == 0
    command = [sys.executable, "-m", "wandb", "sync", "--dry-run", str(offline)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "300"})
    assert found.returncode == 0, found.stderr
    assert offline.name in found.stdout + found.stderr


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, None])
def test_wandb_is_finished_on_every_way_out(error: type[BaseException] | None, monkeypatch, tmp_path: Path) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["experiment=aim_toy", f"paths.runs={tmp_path}/runs", f"paths.stores={tmp_path}/none"]
        config = compose("train", overrides=overrides)
    before = os.environ.get("WANDB_DATA_DIR")
    expected = contextlib.nullcontext() if error is None else pytest.raises(error)
    job = validate(config)
    with open_run(job.place, 1) as run, expected, open_loggers(*logged(job, run)) as loggers:
        assert wandb.run is not None
        loggers[0].log_metrics({"val/loss": 0.25})
        if error is not None:
            raise error
    assert wandb.run is None
    assert os.environ.get("WANDB_DATA_DIR") == before
    (file,) = (run.folder / "wandb").glob("offline-run-*/*.wandb")
    deadline = time.monotonic() + 60  # W&B's own process may still be writing its last record
    while not of_kind(found := list(records(file)), "exit") and time.monotonic() < deadline:
        time.sleep(0.05)
    (ending,) = of_kind(found, "exit")
    assert ending.exit_code == (0 if error is None else 1)
    assert items(of_kind(found, "history")[0].item)["val/loss"] == 0.25


def test_tensorboard_has_the_scalars_the_figures_and_the_table(toy_run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(toy_run / "tensorboard"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    board.Reload()
    tags = board.Tags()
    with (toy_run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss", "val/loss", "val/acc"):
        np.testing.assert_allclose(
            [e.value for e in board.Scalars(name)], [float(row[name]) for row in rows], rtol=1e-6
        )
    results = json.loads((toy_run / "results.json").read_text())
    (accuracy,) = board.Scalars("results/test_accuracy")
    assert accuracy.value == pytest.approx(results["metrics"]["test_accuracy"]["value"])
    assert set(tags["images"]) == {f"figures/{path.stem}" for path in (toy_run / "figures").glob("*.png")}
    (picture,) = board.Images("figures/confusion")
    with Image.open(toy_run / "figures" / "confusion.png") as drawn:
        assert (picture.width, picture.height) == drawn.size
    (table,) = board.Tensors("boundaries/text_summary")
    assert results["boundaries"][0]["reason"] in table.tensor_proto.string_val[0].decode()


def test_without_a_logger_nothing_but_metrics_csv_is_kept(tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = ["experiment=aim_toy", f"paths.runs={tmp_path}/runs", "logger=csv"]
        config = compose("train", overrides=overrides)
    job = validate(config)
    with open_run(job.place, 1) as run:
        with open_loggers(*logged(job, run)) as loggers:
            assert loggers == []
        assert not (run.folder / "wandb").exists()
        assert not (run.folder / "tensorboard").exists()
