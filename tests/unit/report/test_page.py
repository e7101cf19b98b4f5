"""The report: complete, self-contained, safe to open, and there even if the run is not finished."""

import json
import re
from itertools import pairwise

import pytest
from report_page import RESULTS, Page, page_of

from lattice_ml import report
from lattice_ml.ground.errors import UserError


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
