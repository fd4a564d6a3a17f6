# SPDX-License-Identifier: Apache-2.0
"""What every HTTP application of the project is made of: Flask, without what none of them uses.

A simulated cloud is made anew for each session in virtual time, and its services answer hundreds of requests
in it. So a rule is parsed once a process, no code is generated to build URLs (1 ms a rule, of 300 rules),
no view is looked at for being a coroutine, and there are no sessions with cookies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.rules import RulePart

_PARSED: dict[str, tuple[tuple[RulePart, ...], dict[str, BaseConverter]]] = {}
"""The rules of all applications; they use the same converters."""


class Application(Flask):
    """An application whose views are plain functions, and which builds no URLs."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: it is no coroutine."""
        return func


class _Rule(Rule):
    """A rule that matches and builds no URLs."""

    def _parse_rule(self, rule: str) -> Iterable[RulePart]:
        """Return the parts of a rule: of one that was seen before, those of then."""
        known = _PARSED.get(rule)
        if known is None:
            known = _PARSED[rule] = tuple(super()._parse_rule(rule)), dict(self._converters)
        parts, converters = known
        self._converters.update(converters)
        self.arguments.update(converters)
        return parts

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _builds_nothing


def _builds_nothing(*_: object, **__: object) -> tuple[str, str]:
    raise NotImplementedError("the applications link to each other by the address that was used")


class _NoSessions(SessionInterface):
    """Who a request is from is said by its token, not by a cookie."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Any) -> NullSession:
        """Return the session that nothing can be kept in."""
        return self._none

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Keep nothing."""


Application.url_rule_class = _Rule
Application.session_interface = _NoSessions()
