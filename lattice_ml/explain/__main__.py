"""``python -m lattice_ml.explain runs/<name>/<id> method=attribution``: see ``lattice_ml/cli/explain.py``."""

import sys

from lattice_ml.cli.explain import main

if __name__ == "__main__":
    sys.exit(main())
