"""train.py in processes of its own that start warm: everything is imported, and UMAP compiled, once for all of them.

With the argument ``imports`` UMAP is not compiled. Reads one JSON object a line, {"cwd", "arguments", "environment",
"kill", "signal", "log"}, forks a process that runs train.py (or "script") with these arguments, and answers with its
return code. What it prints goes into "log", errors into "errors" if that is given. ``kill`` is null, or names the
moment at which the process gets the signal:

    ["embed"]                       in the middle of UMAP
    ["batch", epoch, number]        before that training batch
    ["epoch", epoch]                after that epoch's row of metrics.csv, before its checkpoints
    ["half", name, count]           when half of the count-th file of that name is written
    ["before", name, count]         when it is written, before it has its name
    ["after", name, count]          when it has
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = [
    *(
        "captum.attr",
        "lightning.pytorch.loggers",
        "matplotlib.pyplot",
        "sklearn.cluster",
        "torchmetrics.classification",
    ),
    *("lattice_ml.ground.checkpoints", "lattice_ml.report", "lattice_ml.workflows.phase_diagram.workflow"),
]
"""What a run imports sooner or later."""


def warm_up(compiled: bool) -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    if not compiled:
        return
    from lattice_ml.phases.embed import lay_out

    lay_out(np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32), 15, 0)


def arm(moment: list, ending: str) -> None:
    """Let this process get the signal of that name at the moment."""
    kind, *where = moment

    def die() -> None:
        os.kill(os.getpid(), signal.Signals[ending])

    if kind == "embed":
        import lattice_ml.phases.embed as embed

        embed.lay_out = lambda *_: die()
    elif kind in ("batch", "epoch"):
        from lattice_ml.runs.batch_noise import BatchNoise
        from lattice_ml.runs.history import History

        if kind == "batch":
            seed = BatchNoise.on_train_batch_start

            def start(self, trainer, module, batch, number):
                seed(self, trainer, module, batch, number)
                if [trainer.current_epoch, number] == where:
                    die()

            BatchNoise.on_train_batch_start = start
        else:
            end = History.on_train_epoch_end

            def ended(self, trainer, module):
                end(self, trainer, module)
                if [trainer.current_epoch] == where:
                    die()

            History.on_train_epoch_end = ended
    else:
        import lattice_ml.ground.files as files

        name, count = where
        seen = 0
        sync, replace = os.fsync, Path.replace

        def concerned(path: str) -> bool:
            nonlocal seen
            seen += Path(path).name.startswith(f".{name}.")
            return seen == count

        def fsync(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if kind == "half" and concerned(path):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                die()
            sync(descriptor)

        def put(self: Path, target: Path) -> Path:
            mine = concerned(str(self)) if kind != "half" else False
            if mine and kind == "before":
                die()
            done = replace(self, target)
            if mine:
                die()
            return done

        files.os.fsync, Path.replace = fsync, put


def child(request: dict) -> None:
    os.chdir(request["cwd"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    errors = request.get("errors")
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if errors else log, 2)
    sys.argv = [str(ROOT / request.get("script", "train.py")), *request["arguments"]]
    os.environ.update(request["environment"])
    if request["kill"]:
        arm(request["kill"], request["signal"])
    code = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"  # the other layers refuse to be forked
    warm_up(compiled=sys.argv[1:] != ["imports"])
    print("warm", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            child(request)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
