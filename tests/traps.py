"""What goes off where it is sprung, and leaves a mark: a module that is imported or called, a pickle that is read."""

from __future__ import annotations

import os

TRAP = """
import os, pathlib
def spring(*args, **kwargs):
    pathlib.Path(os.environ["MARK"]).touch()
class Trap:
    def __init__(self, *args, **kwargs):
        spring()
spring()
"""


class Malice:
    """Its unpickling runs a command."""

    def __init__(self, shell: str) -> None:
        self.shell = shell

    def __reduce__(self):
        return os.system, (self.shell,)
