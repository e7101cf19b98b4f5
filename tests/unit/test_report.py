"""The report: complete, self-contained, safe to open, and there even if the run is not finished."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
import yaml

from lattice_ml import figures, report
from lattice_ml.errors import UserError
from lattice_ml.figures import confusion, pca

RESULTS = {
    "experiment": "aim_rho3",
    "run": "0001",
    "finished": "2026-01-02T03:04:05+00:00",
    "system": {"name": "active_ising", "extents": [81, 81], "D": 1.0, "eps": 0.9},
    "protocol": {"start": "band", "waiting": 1500},
    "labels": {
        "transitions": [{"transition": "L|L+G", "T": 0.395, "error": 0.006, "method": "umap", "rho0": 3.0}],
        "clusters": 5,
    },
    "metrics": {"test_accuracy": {"value": 0.98812, "error": 0.00371, "n": 810}, "parameters": 9715},
    "boundaries": [
        {"rho0": 1.0, "transition": "L|L+G", "T": None, "method": "cnn", "reason": "the scan starts in L+G"},
        {"rho0": 3.0, "transition": "L|L+G", "T": 0.40213, "error": 0.0123, "method": "cnn"},
        {"rho0": 3.0, "transition": "L+G|G", "T": 0.6641, "error": 0.0123, "method": "cnn"},
    ],
    "timings": {"sample": 603.2, "train": 398.0, "explain": 0.8},
    "versions": {"torch": "2.9.0"},
    "seed": 7,
    "warnings": ["one thing to know"],
}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects tags with their attributes and the visible text, and checks that tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def find(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(folder):
    return Page(report.write(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "0001"
    figures.save(
        folder / "figures",
        "pca",
        {"ratios": [0.5, 0.2], "profiles": np.eye(2, 9), "spread": np.zeros((2, 9))},
        pca.draw,
    )
    counts = {"counts": [[3, 1], [0, 4]], "phases": ["L", "G"]}
    for name in ("phase_diagram", "confusion", "uncaptioned"):
        figures.save(folder / "figures", name, counts, confusion.draw)
    captions = {
        "confusion": {"title": "Confusion", "caption": "Counts.", "alt": "A two by two matrix"},
        "pca": {"title": "Components", "caption": "Shares.", "alt": ""},
        "absent": {"title": "Never drawn", "caption": "", "alt": ""},
    }
    (folder / "figures" / "captions.json").write_text(json.dumps(captions))
    (folder / "results.json").write_text(json.dumps(RESULTS))
    (folder / "config.yaml").write_text("seed: 7\nsystem:\n  name: '<b>active</b>'\n")
    return folder


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(finished_run, tmp_path / "aim_rho3" / "0001")


def test_every_figure_is_embedded_with_words_for_those_who_cannot_see_it(run):
    page = page_of(run)
    images = page.find("img")
    assert len(images) == 4
    assert all(image["src"].startswith("data:image/png;base64,iVBORw0KGgo") for image in images)
    assert all(image["alt"].strip() for image in images)
    # The diagram first, then the order of the captions, then what has none.
    names = [figure["id"] for figure in page.find("figure")]
    assert names == ["figure-phase_diagram", "figure-confusion", "figure-pca", "figure-uncaptioned"]
    assert "Never drawn" not in page.text
    assert "figures/pca.npz" in page.text


def test_nothing_is_asked_of_the_network(run):
    html = report.write(run).read_text(encoding="utf-8")
    page = Page(html)
    assert not page.find("script")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "background"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "@import" not in html
    assert "url(" not in html
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    (policy,) = [meta["content"] for meta in page.find("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy


def test_the_numbers_of_results_json_are_shown(run):
    text = page_of(run).text
    for shown in (
        "0.402", "± 0.012", "0.664", "the scan starts in L+G", "0.9881 ± 0.0037", "810", "9,715", "one thing to know",
        "10 min 3 s", "16 min 42 s", "seed 7", "2026-01-02 03:04 UTC", "waiting 1500", "torch 2.9.0", "clusters 5",
        "0.3950", "extents 81, 81",
    ):  # fmt: skip
        assert shown in text
    summary = re.sub(r"[\u00a0\u2060]", " ", text).replace("  ", " ")
    assert "At density ρ₀ = 3 the boundaries are L | L+G at T = 0.402 ± 0.012" in summary


def test_one_title_and_headings_without_a_gap(run):
    page = page_of(run)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.find("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.find("meta"))


def test_every_text_is_escaped(run):
    attack = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    evil = json.loads(json.dumps(RESULTS))
    evil |= {"experiment": attack, "run": attack, "finished": attack, "seed": attack, "warnings": [attack]}
    evil["system"] = {attack: attack}
    evil["metrics"] = {attack: {"value": attack, "error": attack, "n": attack}}
    evil["boundaries"] = [{"rho0": attack, "transition": f"{attack}|G", "T": None, "reason": attack, "method": attack}]
    evil["labels"] = {"transitions": [{"transition": attack, "T": 0.4, "error": 0.1, "method": attack, "rho0": attack}]}
    evil["timings"] = {attack: 1.0}
    (run / "results.json").write_text(json.dumps(evil))
    (run / "config.yaml").write_text(f"</pre></details>{attack}")
    words = {"title": attack, "caption": attack, "alt": attack}
    (run / "figures" / "captions.json").write_text(json.dumps({"pca": words}))

    page = page_of(run)
    assert not page.find("script")
    assert len(page.find("img")) == 4
    assert all(image["src"].startswith("data:") for image in page.find("img"))
    assert attack in page.text


@pytest.mark.parametrize("left_out", [*RESULTS, "config.yaml", "figures", "captions.json", "results.json"])
def test_a_report_without_one_part_is_a_report(run, left_out):
    if left_out in RESULTS:
        (run / "results.json").write_text(json.dumps({k: v for k, v in RESULTS.items() if k != left_out}))
    elif left_out == "figures":
        (run / "figures").rename(run / "elsewhere")
    elif left_out == "captions.json":
        (run / "figures" / left_out).unlink()
    else:
        (run / left_out).unlink()
    page = page_of(run)
    assert page.find("h1")
    assert "None" not in page.text


def test_an_empty_folder_says_that_the_run_has_not_finished(tmp_path):
    page = page_of(tmp_path)
    assert "There is no results.json here" in page.text
    assert not page.find("figure")


@pytest.mark.parametrize("content", ["", '{"experiment": "ai', "[1, 2]", "\x00\xff"])
def test_a_results_file_cut_short_is_reported(run, content):
    (run / "results.json").write_text(content, encoding="latin-1")
    assert "results.json" in page_of(run).text


@pytest.mark.parametrize("value", [None, "text", 3, [], {}, [None], {"a": None}, float("nan")])
def test_sections_of_an_unexpected_kind_do_no_harm(run, value):
    (run / "results.json").write_text(json.dumps(dict.fromkeys(RESULTS, value)))
    assert page_of(run).find("h1")


def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="is not a run folder"):
        report.write(tmp_path / "nowhere")


def test_writing_again_replaces_the_page_and_leaves_nothing_behind(run):
    first = report.write(run).read_bytes()
    assert report.write(run).read_bytes() == first
    assert not list(run.glob("*.part"))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.40213, 0.0123, "0.402 ± 0.012"),
        (0.4, 0.01, "0.400 ± 0.010"),
        (1234.5, 12.3, "1234 ± 12"),
        (0.7176, None, "0.7176"),
        (0.7176, 0.0, "0.7176"),
        (0.7176, float("nan"), "0.7176"),
        (9715, None, "9,715"),
        (None, None, "–"),
        (float("nan"), 0.1, "–"),
        ("best", None, "best"),
    ],
)
def test_a_value_is_shown_to_the_place_of_its_error(value, error, text):
    assert report.with_error(value, error) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.84, "0.8 s"), (59.97, "1 min 0 s"), (723, "12 min 3 s"), (7500, "2 h 5 min")]
)
def test_durations_read_as_people_say_them(seconds, text):
    assert report.duration(seconds) == text


def test_a_damaged_picture_is_named_and_left_out(run):
    picture = run / "figures" / "pca.png"
    picture.write_bytes(picture.read_bytes()[:-300])
    (run / "figures" / "confusion.png").write_text("<svg onload=alert(1)>")
    page = page_of(run)
    assert len(page.find("img")) == 2
    for name in ("pca", "confusion"):
        assert f"figures/{name}.png is damaged" in page.text


def test_the_papers_numbers_stand_beside_the_runs_own(run):
    text = page_of(run).text
    assert "Phys. Rev. E 99, 023304 (2019)" in text
    assert "0.402 ± 0.012 0.25 … 0.55" in text
    assert "0.664 ± 0.012 0.56 … 0.95" in text
    assert "parameters 9,715 9,715" in text
    assert "The torus there" not in text  # it is the paper's
    rows = re.findall(r"<tr.*?</tr>", report.write(run).read_text(), flags=re.DOTALL)
    (other,) = [row for row in rows if "the scan starts in L+G" in row]  # rho0 = 1: the paper's number is not known
    assert "…" not in other


@pytest.mark.parametrize(
    "system",
    [{"name": "active_ising", "D": 1.0, "eps": 0.5}, {"name": "ising"}, {"name": "../../systems/active_ising"}],
)
def test_nobody_is_quoted_on_other_rules(run, system):
    (run / "results.json").write_text(json.dumps({**RESULTS, "system": system}))
    assert "Casert" not in page_of(run).text


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
