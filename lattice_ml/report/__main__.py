"""Compare runs: ``python -m lattice_ml.report runs/`` writes ``runs/index.html`` and prints its path."""

from __future__ import annotations

import argparse
import sys

from lattice_ml.ground.errors import UserError
from lattice_ml.report.index import write_index


def main(arguments: list[str] | None = None) -> int:
    """Write the index page; a user's mistake is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m lattice_ml.report", description=__doc__)
    parser.add_argument("runs", nargs="?", default="runs", help="the folder of the runs (default: runs)")
    try:
        print(write_index(parser.parse_args(arguments).runs))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
