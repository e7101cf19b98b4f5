"""``report.html`` and ``index.html`` in a real headless Chromium: on a phone, a desk and paper, without a network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from lattice_ml import report

REQUIRED = "LATTICE_ML_REQUIRE_CHROMIUM"
"""Set in CI, where a missing browser is a failure."""

try:
    import pypdf  # noqa: F401 - used in a process of its own
    from selenium import webdriver
except ImportError:
    if os.environ.get(REQUIRED):
        raise
    pytest.skip("selenium and pypdf are not installed: pip install -e '.[test]'", allow_module_level=True)

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
PHONE, DESK = (390, 844), (1280, 900)
PAPER = (686, 971)  # CSS pixels of A4 inside margins of 14 mm and 16 mm
WIDER_THAN_THE_PAGE = """
const page = document.documentElement, found = [], width = arguments[0];  // innerWidth of a phone grows with the page
if (page.scrollWidth > width) found.push(`page: ${page.scrollWidth} > ${width}`);
for (const element of document.body.querySelectorAll("*")) {
  let inner = element, region = null;  // what lies in a region that scrolls by itself does not widen the page
  while ((inner = inner.parentElement)) if (/auto|scroll/.test(getComputedStyle(inner).overflowX)) region = inner;
  if (!region && element.getBoundingClientRect().right > width + 0.5 && element.offsetParent)
    found.push(`${element.tagName} ${element.className}: ${element.getBoundingClientRect().right}`);
}
return found;
"""
CUT_OFF = """
return [...document.body.querySelectorAll("*")]
  .filter(element => element.offsetParent && getComputedStyle(element).overflow !== "visible")
  .filter(element => element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)
  .map(element => `${element.tagName} ${element.className} hides ${element.scrollWidth}x${element.scrollHeight} in `
    + `${element.clientWidth}x${element.clientHeight}`);
"""
IMAGES = "return [...document.images].map(i => [i.complete && i.naturalWidth > 0, i.getAttribute('alt') || ''])"


READ = """
import io, json, sys
import pypdf
pages = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages
text, images = "".join(page.extract_text() for page in pages), sum(len(page.images) for page in pages)
print(json.dumps({"text": text, "images": images}))
"""


class Chromium:
    """A browser with an empty profile; ``open`` a page, then ask what is wrong with it."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
        self.driver.execute_cdp_cmd("Network.enable", {})

    def open(self, page: Path, size: tuple[int, int] = DESK, media: str = "screen") -> None:
        """Load the page afresh, in a window of this size, as a phone if it is narrow."""
        self.logs()  # what an earlier page left
        width, height = size
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        self.driver.get(page.as_uri())

    def logs(self) -> tuple[list[str], list[str]]:
        """Messages of the console, and addresses that were asked for, since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        asked += [e["params"]["url"] for e in events if e["method"] == "Network.webSocketCreated"]
        return [entry["message"] for entry in self.driver.get_log("browser")], asked

    def complaints(self, page: Path, size: tuple[int, int]) -> list[str]:
        """Everything that a reader of the page could complain of, at this size."""
        self.open(page, size)
        console, asked = self.logs()
        images = self.driver.execute_script(IMAGES)
        assert page.as_uri() in asked, "the log of the network does not even hold the page itself"
        return [
            *(f"console: {message}" for message in console),
            *(f"asked for {url[:80]}" for url in asked if url != page.as_uri() and not url.startswith("data:")),
            *(f"too wide: {element}" for element in self.driver.execute_script(WIDER_THAN_THE_PAGE, size[0])),
            *(f"image {k} does not load" for k, (loaded, _) in enumerate(images) if not loaded),
            *(f"image {k} has no alt text" for k, (_, alt) in enumerate(images) if not alt.strip()),
        ]

    def paper(self, page: Path) -> tuple[str, int]:
        """The page as printed on A4: its text, and how many pictures it has.

        Read in a process of its own: late in a session of all tests pypdf found the cached ``b" "`` of this interpreter
        to be ``b"\\0"``, and every table of letters unreadable.
        """
        self.open(page, media="")  # as printing has it
        printed = self.driver.execute_cdp_cmd(
            "Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False}
        )
        read = subprocess.run(
            [sys.executable, "-c", READ], input=base64.b64decode(printed["data"]), capture_output=True, check=True
        )
        found = json.loads(read.stdout)
        return found["text"], found["images"]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    if CHROMIUM is None or CHROMEDRIVER is None:
        why = "no chromium and chromedriver here: apt-get install chromium chromium-driver"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{why} ({REQUIRED} is set)")
        pytest.skip(why)
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def long_run(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy run with everything longer than life: many boundaries with errors, and words that do not break."""
    folder = shutil.copytree(toy_run, tmp_path_factory.mktemp("long") / "0123")
    results = json.loads((folder / "results.json").read_text())
    transitions = ("L|L+G", "L+G|G")
    results["boundaries"] = [
        {"rho0": rho0, "transition": name, "T": 0.1 * rho0 + 0.1 * k, "error": 0.0123, "method": method}
        for rho0 in (0.5000762079, 1.0, 2.0, 3.0, 5.0, 8.0)
        for k, name in enumerate(transitions)
        for method in ("cnn", "band amplitude")
    ]
    results["metrics"]["a_quantity_with_a_name_that_goes_on_and_on"] = {"value": 0.123456, "error": 0.0123, "n": 10**9}
    results["warnings"] = ["w" * 200]
    results["protocol"]["ensemble"]["path"] = "/a/" + "very_" * 40 + "long.zarr"
    results["experiment"] = "an_experiment_" * 8
    (folder / "results.json").write_text(json.dumps(results))
    with (folder / "config.yaml").open("a") as config:
        config.write(f"long: {'x' * 300}\n")
    report.write(folder)
    return folder


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("run", ["toy_run", "long_run"])
def test_the_report_has_nothing_to_complain_of(
    chromium: Chromium, run: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(run)
    assert chromium.complaints(folder / "report.html", size) == []
    assert len(chromium.driver.execute_script(IMAGES)) == len(list((folder / "figures").glob("*.png"))) > 5
    chromium.driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert chromium.driver.execute_script(WIDER_THAN_THE_PAGE, size[0]) == []


def test_what_is_wrong_with_a_page_is_seen(chromium: Chromium, tmp_path: Path) -> None:
    """The test of the tests: a page with every fault."""
    page = tmp_path / "page.html"
    page.write_text(
        "<meta name=viewport content='width=device-width'><p style='width:600px'>wide</p><img src='data:image/png,no'>"
        "<img src='http://127.0.0.1:48219/x.png' alt='away'><script>console.error('oh')</script>"
        "<div style='overflow:hidden;height:9px'>cut<br>off</div>"
    )
    complaints = "\n".join(chromium.complaints(page, PHONE))
    for fault in (
        "oh",
        "asked for http://127.0.0.1:48219/x.png",
        "too wide: P",
        "does not load",
        "image 0 has no alt text",
    ):
        assert fault in complaints
    assert chromium.driver.execute_script(CUT_OFF)


@pytest.mark.parametrize("run", ["toy_run", "long_run"])
def test_on_paper_nothing_is_cut_off(chromium: Chromium, run: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(run)
    page = folder / "report.html"
    chromium.open(page, PAPER, media="print")
    assert chromium.driver.execute_script(WIDER_THAN_THE_PAGE, PAPER[0]) == []
    assert chromium.driver.execute_script(CUT_OFF) == []
    printed, images = chromium.paper(page)
    words = unicodedata.normalize("NFKC", printed)  # no ligatures
    text = "".join(words.split())
    config = (folder / "config.yaml").read_text()
    for line in config.splitlines():  # folded away on the screen, all there on paper
        assert "".join(line.split()) in text
    assert images >= len(list((folder / "figures").glob("*.png")))


def test_the_report_says_all_that_a_reader_needs(chromium: Chromium, toy_run: Path) -> None:
    chromium.open(toy_run / "report.html", PHONE)
    body = chromium.driver.find_element("tag name", "body")
    shown = " ".join(body.text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "").split())
    results = json.loads((toy_run / "results.json").read_text())
    captions = json.loads((toy_run / "figures" / "captions.json").read_text())
    for words in captions.values():
        assert words["title"] in shown
        assert " ".join(words["caption"].split()) in shown
    for expected in (
        f"seed {results['seed']}", "ensemble.waiting 600", "ensemble.start band", "extents 81, 9",
        f"torch {results['versions']['torch']}", "Where the time went", "Casert et al.", "Phys. Rev. E 99, 023304",
        "0.25 … 0.55", "0.56 … 0.95", "The torus there is 81 × 81, here 81 × 9",
    ):  # fmt: skip
        assert expected in shown
    for row in results["boundaries"]:
        assert row.get("reason", "") in shown
    chromium.driver.find_element("tag name", "summary").click()
    assert "waiting: 600.0" in chromium.driver.find_element("css selector", "details pre").text


@pytest.fixture(scope="module")
def many_runs(toy_run: Path, long_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight runs of two experiments, one unfinished, one damaged, and two folders that are none."""
    runs = tmp_path_factory.mktemp("home") / "runs"
    for k in range(1, 6):
        folder = shutil.copytree(toy_run, runs / "toy" / f"{k:03d}", ignore=shutil.ignore_patterns("wandb", "*.ckpt"))
        config = (folder / "config.yaml").read_text().replace("lr: 0.001", f"lr: 0.00{k}")
        (folder / "config.yaml").write_text(config)
    shutil.copytree(long_run, runs / "an_experiment_with_a_long_name_that_never_ends" / "001")
    for name in ("report.html", "results.json"):
        (runs / "toy" / "004" / name).unlink()
    (runs / "toy" / "005" / "results.json").write_text('{"experiment": "to')
    (runs / "holiday" / "photographs").mkdir(parents=True)
    (runs / "toy" / "broken").mkdir()
    (runs / "toy" / "broken" / "config.yaml").write_text("a: [")
    return runs


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_index_has_nothing_to_complain_of(chromium: Chromium, many_runs: Path, size: tuple[int, int]) -> None:
    page = report.write_index(many_runs)
    assert chromium.complaints(page, size) == []
    find = chromium.driver.find_elements
    statuses = [element.text for element in find("css selector", ".status")]
    assert sorted(statuses) == ["damaged", "finished", "finished", "finished", "finished", "unfinished"]
    others = chromium.driver.find_element("css selector", ".others").text
    assert "holiday/photographs – no config.yaml" in others
    assert "toy/broken – " in others
    # Every link leads to a report that is there.
    links = [element.get_attribute("href") for element in find("css selector", "thead a")]
    assert len(links) == 5
    for link in links:
        chromium.driver.get(link)
        assert chromium.driver.find_elements("css selector", "figure")
