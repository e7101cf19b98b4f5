"""No secret lands in a run folder: passwords in addresses, and what secret-bearing environment variables hold."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HIDDEN = "***"
CREDENTIALS = re.compile(r"(?P<before>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@?#\"'<>]*:)[^\s\"'<>]+(?=@)")
"""The password of ``scheme://user:password@host``; up to the last @, as a password may hold that and a slash."""
BARE_TOKEN = re.compile(r"(?P<before>\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s:/@?#\"'<>]{20,}(?=@)")
"""A token in the place of the user, as in the addresses of git remotes."""
QUERY = re.compile(
    r"(?P<before>[?&](?:password|passwd|pwd|token|secret|api_?key|access_?key)=)[^\s&#'\"<>]+", re.IGNORECASE
)
SECRET_NAMES = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIALS?)$")
SHORTEST = 8
"""A shorter value of such a variable is not looked for: it would stand in innocent words too."""


def redact(text: str) -> str:
    """The text with ``***`` for every password in an address and every value of a secret environment variable."""
    for pattern in (CREDENTIALS, BARE_TOKEN, QUERY):
        text = pattern.sub(rf"\g<before>{HIDDEN}", text)
    for secret in secrets_of_environment():
        text = text.replace(secret, HIDDEN)
    return text


def redacted(node: Any) -> Any:
    """A tree of plain values with every text in it redacted."""
    if isinstance(node, dict):
        return {redacted(key): redacted(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [redacted(value) for value in node]
    return redact(node) if isinstance(node, str) else node


@contextmanager
def redacted_command_line() -> Iterator[None]:
    """Within, ``sys.argv`` is redacted: W&B keeps a copy of it when a run is begun."""
    before = sys.argv
    sys.argv = [redact(word) for word in before]
    try:
        yield
    finally:
        sys.argv = before


def secrets_of_environment() -> list[str]:
    """The values of variables whose names end like WANDB_API_KEY, the longest first."""
    found = {
        value for name, value in os.environ.items() if SECRET_NAMES.search(name.upper()) and len(value) >= SHORTEST
    }
    return sorted(found, key=len, reverse=True)
