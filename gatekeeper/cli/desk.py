"""What the commands share: the data directory, the House, output as words or JSON, exit codes.

0 done · 1 refused or failed · 2 wrong usage · 3 integrity broken · 4 nothing found.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from gatekeeper import app, clock
from gatekeeper.domain.access import Refused
from gatekeeper.domain.errors import GatekeeperError, IntegrityBroken, NotFound, Unavailable
from gatekeeper.domain.people import OPERATOR, Context
from gatekeeper.services.ports import House
from gatekeeper.settings import Settings, SettingsError, load

P = ParamSpec("P")
R = TypeVar("R")

REFUSED, USAGE, BROKEN, NOTHING = 1, 2, 3, 4


@dataclass(slots=True)
class Desk:
    """Where a command works: the data directory, its settings, and the House once it is needed."""

    data: Path
    overrides: dict[str, Any] = field(default_factory=dict)
    is_demo: bool = False
    serves: bool = False
    _house: House | None = None

    @property
    def settings(self) -> Settings:
        """Read the settings."""
        return load(overrides=self.overrides)[0]

    @property
    def house(self) -> House:
        """Open the House of a data directory that was set up and whose schema is current."""
        if self._house is None:
            settings = self.settings
            if not app.has_keys(self.data) and not settings.secrets.entry_key.get_secret_value():
                raise SettingsError(f"{self.data} is not set up: run `gatekeeper init` first")
            demo = self.is_demo or (self.data / "logins.json").exists()
            house = app.make_house(settings, self.data, demo=demo, patient=not self.serves)
            if not house.db.is_current():
                raise SettingsError("the schema is behind: run `gatekeeper db upgrade`")
            self._house = house
        return self._house

    def context(self) -> Context:
        """Make the Context of one act of the operator."""
        return clock.context_for(OPERATOR)

    def close(self) -> None:
        """Give waiting entries their leaves and let go of the database."""
        if self._house is not None:
            self._house.db.sequence_all()
            self._house.db.close()
            self._house = None


pass_desk = click.make_pass_decorator(Desk)


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Turn what verbs raise into a sentence on stderr and the exit code of its kind."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        desk = click.get_current_context().find_object(Desk)
        try:
            return function(*args, **kwargs)
        except IntegrityBroken as error:
            raise Failure(str(error), BROKEN) from error
        except NotFound as error:
            raise Failure(str(error), NOTHING) from error
        except (GatekeeperError, SettingsError, Refused) as error:
            raise Failure(str(error), REFUSED) from error
        finally:
            if desk is not None:
                desk.close()

    return run


class Failure(click.ClickException):
    """A sentence for stderr and the exit code of its kind."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class


def choice(kind: type[StrEnum]) -> click.Choice[str]:
    """Offer the values of an enum."""
    return click.Choice([str(value) for value in kind])


class Moment(click.ParamType[datetime]):
    """A moment as ISO 8601 writes it, `Z` and offsets included; in UTC where it says nothing."""

    name = "moment"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the text; a usage error for anything else."""
        if isinstance(value, datetime):
            return value
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"write {value!r} as 2026-01-31 or 2026-01-31T12:00:00Z", param, ctx)
        return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of words.")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows as aligned words or as a JSON list; exit 4 when there are none."""
    if as_json:
        click.echo(json.dumps(list(rows), default=str, ensure_ascii=False, indent=2))
    elif rows:
        _table(rows)
    if not rows:
        if not as_json:
            click.echo("Nothing found.", err=True)
        sys.exit(NOTHING)


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(rows[0])
    widths = {c: max(len(c), *(len(str(row[c])) for row in rows)) for c in columns}
    click.echo("  ".join(f"{c.upper():<{widths[c]}}" for c in columns).rstrip())
    for row in rows:
        click.echo("  ".join(f"{row[c]!s:<{widths[c]}}" for c in columns).rstrip())


def two_parts(text: str, what: str) -> tuple[str, str]:
    """Split `owner/name`; a usage error when it is not that."""
    owner, slash, name = text.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise click.UsageError(f"{what} is written owner/name, not {text!r}")
    return owner, name


def lock_data(data: Path) -> int:
    """Take the lock of a data directory; raises Unavailable when another server holds it."""
    descriptor = os.open(data / "serve.lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unavailable(f"another server runs on {data}") from error
    return descriptor
