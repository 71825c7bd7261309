"""The gatekeeper command, whose server also writes each request down: `observed.py FILE ARGUMENT…`.

A line is method, target, status and the client's version. No header but User-Agent is looked at,
and what may be a secret in an address, a signed link or an upload's ticket, is left out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import Any

from gatekeeper import app
from gatekeeper.cli import main

_CLIENT = re.compile(r"(?:hf_hub|huggingface-cli|transformers|python-requests|curl)/[\w.]+")
_LONG = re.compile(r"[\w.~-]{32,}|(?:gk|hf)_\w+")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def line(environ: dict[str, Any], status: str) -> str:
    """Write one request."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    shown = _LONG.sub(lambda m: m[0] if _DIGEST.fullmatch(m[0]) else "(left-out)", target)
    clients = " ".join(_CLIENT.findall(environ.get("HTTP_USER_AGENT", ""))) or "-"
    return f"{environ['REQUEST_METHOD']} {shown} {status[:3]} {clients}\n"


class Observed:
    """A WSGI application that writes down what it is asked and how it answers."""

    def __init__(self, inner: Any, path: str) -> None:
        self._inner = inner
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as the application does."""

        def start(status: str, *more: Any) -> Any:
            os.write(self._out, line(environ, status).encode())
            return start_response(status, *more)

        answer: Iterable[bytes] = self._inner(environ, start)
        return answer


def _observe(path: str) -> None:
    make = app.create_app

    def create(*arguments: Any) -> Any:
        made = make(*arguments)
        made.wsgi_app = Observed(made.wsgi_app, path)  # type: ignore[method-assign]
        return made

    app.create_app = create


if __name__ == "__main__":
    _observe(sys.argv.pop(1))
    main()
