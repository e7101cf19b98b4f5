"""What tests of reports share: the numbers of a run, and a page taken apart."""

from html.parser import HTMLParser

from lattice_ml import report

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
