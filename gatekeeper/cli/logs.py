"""The log: an event a line, as words or as JSON, and nothing in it that opens a door.

Secrets are kept out where lines are written; this is the second fence: whatever looks like a token,
a link, a session, a password or an address is struck out of messages and exceptions alike, and
whatever could end a line or colour a terminal is escaped.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from gatekeeper.settings import Log

OUT = "[...]"
_NAMES = r"(?:old_)?password|passwd|secret|csrf_token|gk_session|typed_name|x-amz-[a-z-]+"
_VALUE = r"""(?:"[^"]{0,999}"|'[^']{0,999}'|[^\s,;&)}]+)"""
_NAMED = r"\b(" + _NAMES + r")([\"']?\s{0,9}[=:]\s{0,9})" + _VALUE
# Repeats that may fail late are bounded: no text takes long. The first that fits names a text.
_SECRETS = tuple(
    (re.compile(pattern, flags), kept)
    for pattern, flags, kept in (
        # What a database tells of the row it refused.
        (r"\b(DETAIL|CONTEXT|Failing row contains)\b.*", 0, r"\1 " + OUT),
        (r"(://[^/\s:@]{0,99}):[^/\s]{0,999}@", 0, rf"\1:{OUT}@"),
        (r"\b(Bearer|Basic|Cookie:|Set-Cookie:)\s{1,9}\S.*", re.IGNORECASE, r"\1 " + OUT),
        (r"(/(?:d|verify|reset|register|api/lfs)/)[^/\s\"'<>]+", 0, rf"\1{OUT}"),
        (r"\b(gk_|hf_)\w+", 0, rf"\1{OUT}"),
        (_NAMED, re.IGNORECASE, rf"\1\2{OUT}"),
        # Sessions, signatures, keys; a digest in hex is none.
        (r"(?<![\w-])(?![0-9a-f]{40,64}(?![\w-]))[\w-]{43,}(?![\w-])", re.ASCII, OUT),
    )
)
_PERSONAL = (
    (re.compile(r"[^\s@<>\"'(),;:=]{1,64}@[^\s@<>\"'(),;:]{1,255}\.\w+"), "[address]"),
    (re.compile(r"\bip=\S+"), "ip=[...]"),
)


# Where none of this is, nothing above fits: most events are lines of requests, and there are many.
_SUSPECT = re.compile(
    r"@|=|//|/(?:d|verify|reset|register|api/lfs)/[^<]|gk_|hf_|bearer|basic|cookie|detail|context"
    rf"|failing|{_NAMES}|[\w-]{{43}}",
    re.IGNORECASE | re.ASCII,
)


def redacted(text: str, *, personal: bool = False) -> str:
    """Return a text without what looks like a secret and, unless `personal`, an address."""
    if not _SUSPECT.search(text):
        return text
    for pattern, kept in _SECRETS if personal else (*_SECRETS, *_PERSONAL):
        text = pattern.sub(kept, text)
    return text


class Line(logging.Formatter):
    """Words: time, level, logger, message; an exception follows, each line of it indented."""

    def __init__(self, *, personal: bool) -> None:
        super().__init__()
        self._personal = personal

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        found = self.fields(record)
        words = " ".join(f"{key}={value}" for key, value in found["fields"].items())
        head = f"{found['at']} {found['level']} {found['logger']} {found['message']} {words}"
        lines = [escaped(head.rstrip())]
        lines += [f"  {escaped(line)}" for line in found.get("exception", "").splitlines()]
        return "\n".join(lines)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what is known of an event, struck clean."""

        def clean(value: Any) -> Any:
            return redacted(value, personal=self._personal) if isinstance(value, str) else value

        more: dict[str, Any] = getattr(record, "fields", {})
        if _SUSPECT.search(" ".join(map(str, more.values()))):
            more = {key: clean(value) for key, value in more.items()}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
            "fields": more,
        }
        if record.exc_info:
            found["exception"] = clean(self.formatException(record.exc_info))
        return found


class Json(Line):
    """One object of JSON a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        found = self.fields(record)
        return json.dumps({**found.pop("fields"), **found}, default=str)


def escaped(text: str) -> str:
    """Return a text in which nothing ends a line, moves a cursor or turns the writing around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def formatter(log: Log) -> logging.Formatter:
    """Return the formatter of the settings."""
    kind = Json if log.format == "json" else Line
    return kind(personal=log.personal)


def configure(log: Log, file: Path | None = None) -> None:
    """Log to stderr or a file, gunicorn and warnings included."""
    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file)
    handler.setFormatter(formatter(log))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(capture=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class ServerLog(GunicornLogger):  # type: ignore[misc]  # gunicorn has no type hints
    """Gunicorn's events, told by our handler: its own would write addresses as they came."""

    def setup(self, cfg: Any) -> None:
        """Hand every event up to the root."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
