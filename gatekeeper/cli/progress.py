"""How far a long command is, on stderr: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from gatekeeper.services.publishing.files import Progress

quiet_option = click.option("--quiet", is_flag=True, help="Do not say how far it is.")


@contextmanager
def of_files(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show a bar a file on a terminal, a line a file elsewhere."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield _bar_a_file(bars)
    else:
        yield _line_a_file


@contextmanager
def of_bytes(what: str, total_bytes: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show one bar on a terminal, a line each tenth elsewhere; it is told of each part read."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bars() as bars:
            task = bars.add_task(what, total=total_bytes)
            yield lambda read_bytes: bars.update(task, advance=read_bytes)
    else:
        yield _line_a_tenth(what, total_bytes)


def _bars() -> Bars:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Bars(*columns, TransferSpeedColumn(), console=Console(stderr=True))


def _bar_a_file(bars: Bars) -> Callable[[Progress], None]:
    tasks: dict[str, TaskID] = {}

    def move(progress: Progress) -> None:
        if progress.path not in tasks:
            tasks[progress.path] = bars.add_task(progress.path, total=progress.size_bytes)
        bars.update(tasks[progress.path], completed=progress.done_bytes)

    return move


def _line_a_file(progress: Progress) -> None:
    if progress.done_bytes == progress.size_bytes:
        what = "kept" if progress.skipped else "stored"
        click.echo(f"{what} {progress.path} ({progress.size_bytes} bytes)", err=True)


def _line_a_tenth(what: str, total_bytes: int) -> Callable[[int], None]:
    done_bytes = 0

    def move(read_bytes: int) -> None:
        nonlocal done_bytes
        before, done_bytes = done_bytes * 10 // total_bytes, done_bytes + read_bytes
        if done_bytes * 10 // total_bytes > before:
            click.echo(f"{what}: {done_bytes} of {total_bytes} bytes", err=True)

    return move
