"""The index of runs: what differs stands side by side, and a damaged run is listed as such."""

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import pytest
import yaml
from report_page import RESULTS, Page

from lattice_ml import report
from lattice_ml.ground.errors import UserError


def index_of(runs):
    return Page(report.write_index(runs).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def three_runs(finished_run, tmp_path_factory):
    """Two finished runs that differ in lr and seed, and one that was killed."""
    home = tmp_path_factory.mktemp("home") / "runs"
    for k, name in enumerate(("001", "002", "003")):
        folder = shutil.copytree(finished_run, home / "aim_rho3" / name)
        config = {"name": "aim_rho3", "seed": k, "task": {"lr": 0.1 * 2**k}, "paths": {"runs": name}, "data": {"n": 64}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        results = {**RESULTS, "seed": k, "finished": f"2026-01-0{k + 1}T00:00:00+00:00"}
        (folder / "results.json").write_text(json.dumps(results))
        report.write(folder)
    for name in ("results.json", "report.html"):
        (home / "aim_rho3" / "003" / name).unlink()
    return home


@pytest.fixture
def runs(three_runs, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(three_runs, tmp_path / "runs")


def test_the_index_compares_runs_side_by_side(runs):
    page = index_of(runs)
    assert "3 runs, newest first: 2 finished, 1 unfinished." in page.text
    assert [link["href"] for link in page.find("a")] == ["aim_rho3/002/report.html", "aim_rho3/001/report.html"]
    assert "Status unfinished" in page.text  # just begun, so it comes first
    assert "Test accuracy – 0.9881 ± 0.0037 0.9881 ± 0.0037" in page.text
    assert "task.lr 0.4 0.2 0.1" in page.text
    assert "data.n" not in page.text  # the same in all
    assert "paths.runs" not in page.text
    shown = re.sub(r"[\u00a0\u2060]", " ", page.text).replace("  ", " ")
    assert re.search(r"ρ₀ = 3, L \| L\+G 0.402 ± 0.012 0.402 ± 0.012", shown)
    assert "ρ₀ = 1, L | L+G – the scan starts in L+G" in shown
    images = page.find("img")
    assert len(images) == 3
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in images)


def test_the_index_asks_nothing_of_the_network(runs):
    html = report.write_index(runs).read_text(encoding="utf-8")
    assert not Page(html).find("script")
    assert "url(" not in html
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", html)
    assert "default-src 'none'" in html


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [" + ", ".join([f"*{a}"] * 9) + "]\n" for a, b in pairwise("abcdefghi")
)
BROKEN = {
    "config cut short": ("config.yaml", "a: ["),
    "config of another kind": ("config.yaml", "- 1\n- 2"),
    "config that would run code": ("config.yaml", "a: !!python/object/apply:os.system ['touch /tmp/owned']"),
    "config of a billion": ("config.yaml", BOMB),
    "config of bytes": ("config.yaml", "\x00\xff"),
    "config with odd keys": ("config.yaml", "1: {2: [null, [3]], null: ~}\n[4, 5]: 2026-01-01"),
    "results cut short": ("results.json", '{"experiment": "ai'),
    "results of another kind": ("results.json", "[1]"),
    "results too deep": ("results.json", "[" * 100_000),
    "results too large": ("results.json", '{"metrics": {"test_accuracy": 1' + "0" * 400 + "}}"),
    "results of nothing": ("results.json", '{"boundaries": [null, 3, {"rho0": NaN}], "metrics": [], "finished": {}}'),
    "results with half a letter": ("results.json", '{"experiment": "\\ud800", "seed": "\\udfff"}'),
    "a picture that is none": ("figures/phase_diagram.png", "no picture"),
}


@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_run_is_listed_as_such_and_never_a_traceback(runs, name, content):
    (runs / "aim_rho3" / "001" / name).write_text(content, encoding="latin-1")
    page = index_of(runs)
    assert "aim_rho3/001" in page.text
    assert "aim_rho3/002" in page.text
    if "cut short" in next(k for k, v in BROKEN.items() if v == (name, content)):
        assert "could not be read" in page.text
        assert "1 damaged" in page.text


def test_foreign_folders_are_listed_as_such(runs):
    (runs / "notes").mkdir()
    (runs / "notes" / "todo.txt").write_text("tidy up")
    (runs / "aim_rho3" / "old\udcff").mkdir()  # a name that is no UTF-8
    (runs / "loop").symlink_to(runs)
    page = index_of(runs)
    assert "notes – no config.yaml" in page.text
    assert "aim_rho3/old? – no config.yaml" in page.text


def test_names_in_the_index_are_escaped(runs):
    attack = "<img src=x onerror=alert(1)>"
    shutil.copytree(runs / "aim_rho3" / "001", runs / attack / "001")
    (runs / "javascript:alert(1)").mkdir()
    shutil.copytree(runs / "aim_rho3" / "001", runs / "javascript:alert(1)" / "001")
    page = index_of(runs)
    assert all(image["src"].startswith("data:") for image in page.find("img"))
    assert attack in page.text
    assert all(re.match(r"[\w%.-]+/", link["href"]) for link in page.find("a"))


def test_the_index_is_one_command(runs):
    command = [sys.executable, "-m", "lattice_ml.report"]
    done = subprocess.run([*command, str(runs)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(runs / "index.html"), "")
    assert (runs / "index.html").is_file()


@pytest.mark.parametrize(("where", "says"), [("nowhere", "not a folder"), ("aim_rho3/001", "is one run")])
def test_a_wrong_folder_is_one_sentence(runs, where, says):
    with pytest.raises(UserError, match=says):
        report.write_index(runs / where)
    ended = subprocess.run(
        [sys.executable, "-m", "lattice_ml.report", str(runs / where)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert says in ended.stderr


def test_an_empty_folder_of_runs_says_how_to_make_one(tmp_path):
    assert "python train.py" in index_of(tmp_path).text
