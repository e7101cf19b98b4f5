"""Five hundred random mistakes at the command line: each is one sentence and exit code 2, or a sound configuration.

Most run in this process, through what `entry` runs: its check of the words, Hydra's parser, composition, the schema.
Composing from files takes a tenth of a second, so the mistakes that choose no group are applied to a copy of one
composition, by Hydra's own code. A few run as the commands that they are.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import random
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from lattice_ml.cli.composing import CheckedLoader, readable
from lattice_ml.cli.config import CONF, validate
from lattice_ml.cli.entry import check_words, explain, one_sentence
from lattice_ml.cli.sample import check_sampling

ROOT = Path(__file__).resolve().parents[2]
BASES = {"train": ["experiment=aim_toy"], "sample": ["ensemble=aim_toy"]}
CHECKS = {"train": lambda config: validate(config).check_classes(), "sample": check_sampling}
NUMBER, ROUNDS, SEED = 500, 20, 7

VALUES = [
    *(
        "null",
        "true",
        "''",
        "abc",
        "0",
        "-1",
        "1.5",
        "1e400",
        "-1e308",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "0x10",
        "1e-320",
    ),
    *(str(10**30), str(2**31), str(2**63), "[]", "{}", "[1]", "[1,2,3]", "[[81],[9]]", "{a: 1}", "[null,null]"),
    *("{a: {b: {c: [1,{d: 2}]}}}", "['81','9']", "[-81,9]", "[81.5,9]", "[0,0]", "[nan,nan]", "[inf,9]", "0:1:0"),
    *("1:0:0.1", "0.2:0.9:0.4", "a:b:c", "0:1e9:1e-9", "λ", "'日本語 text'", "'🔥'", "'\\u202e'", "'a b'", "'../../x'"),
    *(
        "'/'",
        "'.'",
        "'a\\tb'",
        "'%s%n'",
        "'x' ",
        "???",
        "'???'",
        "${nothing}",
        "${seed}",
        "${.}",
        "${..}",
        "${oc.env:NO}",
    ),
    *("${oc.env:HOME}", "${oc.decode:'['}", "${nosuch:1}", "${now:%Y}", "'${unclosed'", "\\${seed}", "1,2", "range(3)"),
    *(
        "choice(1,2)",
        "int(x)",
        "float(y)",
        "glob(*)",
        "x" * 3000,
        "os.system",
        "lattice_ml.runs.run.Path",
        "torch.load",
    ),
]
SYNTAX = [
    *("=", "==", "a", "=1", "~", "+", "++", "+=1", "~=", "seed", "seed=[", "seed={", "seed=}", "seed=]", "seed=(1"),
    *("seed='", 'seed="', "seed=a'b", "seed=a:b:c:", "seed=@", "se ed=1", "seed =1", " seed=1", "seed= ", "$=1", "@=1"),
    *("a@b=c", "seed@x=1", "experiment@=x", "a..b=1", ".seed=1", "seed.=1", "/seed=1", "seed/x=1", "seed[0]=1", "🔥=1"),
    *("--", "---", "--nosuch", "-x", "--cfg", "--cfg=foo", "--run --multirun", "--resolve", "--config-dir=/nosuch"),
    *(
        "hydra.nosuch=1",
        "hydra=1",
        "hydra/launcher=nosuch",
        "hydra.mode=nosuch",
        "hydra.run.dir=null",
        "\x00=1",
        "a\nb=1",
    ),
    *("hydra.searchpath=[/nosuch]", "hydra.searchpath=[pkg://this]", "hydra.searchpath=3", "hydra.output_subdir=x"),
]


def refusals(script: str, words: list[str]) -> str:
    """What entry prints on stderr for these words: nothing for a sound configuration."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            with one_sentence(explain):
                check_words([*BASES[script], *words])
                CHECKS[script](compose(script, words))
            code = 0
        except SystemExit as ended:
            code = ended.code
    assert code == (2 if printed.getvalue() else 0), f"{script}.py {words}: exit code {code}, {printed.getvalue()}"
    return printed.getvalue()


def compose(script: str, words: list[str]) -> DictConfig:
    """As Hydra composes; from the files where a group is chosen, else onto a copy."""
    parsed = OverridesParser.create().parse_overrides(words)
    if any(needs_files(override.key_or_group) or override.package for override in parsed):
        config = loader().load_configuration(script, [*BASES[script], *words], RunMode.RUN)
        with open_dict(config):
            del config["hydra"]
        return config
    loader().validate_sweep_overrides_legal(parsed, RunMode.RUN, from_shell=True)
    config = copy.deepcopy(composed(script))
    with readable():
        ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
    return config


def needs_files(key: str) -> bool:
    return key.split(".")[0] == "hydra" or "/" in key or (CONF / key).is_dir()


@functools.cache
def loader() -> CheckedLoader:
    setup_globals()
    return CheckedLoader(False, create_config_search_path(str(CONF)))


@functools.cache
def composed(script: str) -> DictConfig:
    config = loader().load_configuration(script, BASES[script], RunMode.RUN)
    with open_dict(config):
        del config["hydra"]
    return config


@functools.cache
def settings(script: str) -> list[str]:
    """The dotted names of every section and every value."""
    names: list[str] = []

    def collect(node: object, prefix: str) -> None:
        for key, value in node.items() if isinstance(node, dict) else ():
            names.append(f"{prefix}{key}")
            collect(value, f"{prefix}{key}.")

    collect(OmegaConf.to_container(composed(script), resolve=False), "")
    return names


def mistake(script: str, chance: random.Random) -> str:
    """One random override, usually broken."""
    groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
    name, value = chance.choice(settings(script)), chance.choice(VALUES)
    kind = chance.random()
    if kind < 0.40:
        return f"{name}={value}"
    if kind < 0.50:
        return f"{chance.choice(['+', '++'])}{name}={value}"
    if kind < 0.58:
        return f"{chance.choice(['', '+', '++'])}{name}.{chance.choice(['nosuch', '_target_', 'a.b', '0'])}={value}"
    if kind < 0.68:
        return f"~{name}" + chance.choice(["", f"={value}"])
    if kind < 0.76:
        shuffled = "".join(chance.sample(name, len(name)))
        return f"{chance.choice(['', '+', '~'])}{shuffled}={value}"
    if kind < 0.84:
        group = chance.choice(groups)
        chosen = chance.choice(["nosuch", "default", "aim_toy", "ising", "[a,b]", "csv", "null", "../train", "1", "λ"])
        return f"{chance.choice(['', '+', '~'])}{group}{chance.choice(['', '@x', '@survey'])}={chosen}"
    return chance.choice(SYNTAX)


@pytest.fixture(autouse=True)
def no_hydra_left():
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("part", range(ROUNDS))
def test_a_random_mistake_is_one_sentence(part: int) -> None:
    chance = random.Random(SEED * ROUNDS + part)
    refused = 0
    for _ in range(NUMBER // ROUNDS):
        script = chance.choice(["train", "train", "sample"])
        words = [mistake(script, chance) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        try:
            printed = refusals(script, words)
        except Exception as error:
            raise AssertionError(f"{script}.py {words} ends in a traceback: {error!r}") from error
        if printed:
            refused += 1
            lines = printed.splitlines()
            assert len(lines) == 1, (script, words, printed)
            assert lines[0].startswith("error: "), (script, words, printed)
            assert lines[0].endswith((".", "?", "!")), (script, words, printed)
            assert len(lines[0]) < 1000, (script, words, printed)
    assert refused > NUMBER // ROUNDS // 2, "the fuzz no longer makes mistakes"


def test_a_dozen_of_them_as_commands(tmp_path: Path) -> None:
    """The processes that a user would start, two at a time; nothing is left behind."""
    chance = random.Random(SEED)
    asked: list[tuple[str, list[str]]] = []
    while len(asked) < 12:
        script = chance.choice(["train", "sample"])
        words = [mistake(script, chance)]
        if "\x00" not in words[0] and refusals(script, words):
            asked.append((script, words))

    def run(script: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / f"{script}.py"), *BASES[script], *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100)

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda asking: run(*asking), asked))
    for (script, words), end in zip(asked, ended, strict=True):
        assert end.returncode == 2, (script, words, end.stderr)
        assert len(end.stderr.strip().splitlines()) == 1, (script, words, end.stderr)
        assert end.stderr.startswith("error: "), (script, words)
        assert end.stdout == "", (script, words)
    assert list(tmp_path.iterdir()) == []
