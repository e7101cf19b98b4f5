"""A finished run as a page to keep."""

import json

from lattice_ml.report.record import main

RESULTS = {
    "experiment": "flux_counting",
    "run": "001",
    "seed": 3,
    "finished": "2026-11-22T22:10:00+00:00",
    "system": {"name": "complex_scalar", "extents": [8, 8], "lam": 1.0},
    "protocol": {"ensemble": {"replicas": 10}},
    "metrics": {"EQ_1 mse on 8x8 (mean)": {"value": 1e-4, "error": None}, "EQ_1 parameters": {"value": 1800}},
    "timings": {"train": 62.0, "total": 70.0},
    "versions": {"torch": "2.13.0"},
}


def finished_run(folder):
    figures = folder / "runs/flux_counting/001/figures"
    figures.mkdir(parents=True)
    (figures / "true_counts.png").write_bytes(b"a picture")
    captions = {"true_counts": {"title": "Counts", "caption": "Means.", "alt": "A line."}, "gone": {"title": "Gone"}}
    (figures / "captions.json").write_text(json.dumps(captions))
    (figures.parent / "results.json").write_text(json.dumps(RESULTS))
    (figures.parent / "report.html").write_text("<html></html>")
    return figures.parent


def test_the_page_holds_numbers_pictures_and_the_command(tmp_path, capsys):
    assert main([str(finished_run(tmp_path)), str(tmp_path / "docs")]) == 0
    page = (tmp_path / "docs/flux_counting.md").read_text()
    assert capsys.readouterr().out.strip() == str(tmp_path / "docs/flux_counting.md")
    assert "python train.py experiment=flux_counting" in page
    assert "2026-11-22 22:10 UTC" in page
    assert "| EQ_1 mse on 8x8 (mean) | 0.0001 | 0.0002108 |" in page
    assert "| EQ_1 parameters | 1,800 |  |" in page
    assert "![A line.](flux_counting/true_counts.png)" in page
    assert "Gone" not in page
    assert (tmp_path / "docs/flux_counting/true_counts.png").read_bytes() == b"a picture"
    assert json.loads((tmp_path / "docs/flux_counting/results.json").read_text()) == RESULTS


def test_an_unfinished_run_has_no_page(tmp_path, capsys):
    run = finished_run(tmp_path)
    (run / "report.html").unlink()
    assert main([str(run), str(tmp_path / "docs")]) == 2
    assert "not a finished run" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()
