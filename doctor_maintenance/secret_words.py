# SPDX-License-Identifier: Apache-2.0
"""Words that must not be shown: in URLs that only those who know one may use, and never in a log.

Aodh has no way to show who it is when it posts an alarm. So an alarm URL ends with a word that nobody can
guess, and whoever does not know it finds nothing there.

Libraries log what they send, each in its own way. So a secret is not hidden where it is logged but where all
logs are written: whoever knows a secret tells :func:`hide` of it once.
"""

from __future__ import annotations

import logging
import secrets
from urllib.parse import urlsplit, urlunsplit

SHOWN = "…"
"""What is shown instead of a secret."""

_SHORTEST = 6
"""A shorter word hides nothing and would tear holes into every line."""

_hidden: dict[str, None] = {}


def new_word() -> str:
    """Return a word that nobody can guess and that may stand in a URL."""
    return secrets.token_urlsafe(24)


def guarded(path: str, word: str | None) -> str:
    """Return the path as a caller who knows the word writes it.

    Args:
        path: the path, without a slash at its end.
        word: the secret word; None: the path is open.
    """
    return path if word is None else f"{path}/{word}"


def origin(url: str) -> str:
    """Return a URL without what may be a secret in it: scheme, host and port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, f"/{SHOWN}", "", ""))


def hide(word: str | None) -> None:
    """Let no log of this process show a word from now on, nor the password of one that is a URL; None is no word."""
    if word is None or len(word) < _SHORTEST:
        return
    _hidden[word] = None
    if "://" in word:  # libraries show the parts of such a URL
        hide(urlsplit(word).password)


def without_secrets(text: str) -> str:
    """Return a text without the hidden words."""
    for word in tuple(_hidden):
        if word in text:
            text = text.replace(word, SHOWN)
    return text


class HidingFormatter(logging.Formatter):
    """Writes log lines, and tracebacks, without the hidden words.

    A line is one line whatever is in it: what came over the network cannot write a line of its own, nor
    control the terminal of who reads it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return without_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line without its traceback."""
        line = super().formatMessage(record)
        if line.isprintable():
            return line
        return "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in line
        )
