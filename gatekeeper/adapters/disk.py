"""Writing on a local disk so that a name never appears before its bytes are durable.

Source: security.md 6.2.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gatekeeper.domain.errors import Unavailable


@contextmanager
def faults() -> Iterator[None]:
    """Turn what the disk refuses into Unavailable; a full one is said so."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        what = "the disk is full" if full else "the store cannot be written"
        raise Unavailable(f"{what}; nothing was kept") from error


@contextmanager
def new_file(directory: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file to write; it goes with the block unless it was renamed.

    Raises: Unavailable, also for an OSError of the block.
    """
    with faults():
        descriptor, name = tempfile.mkstemp(dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as target:
                yield target, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def spooled(directory: Path) -> Iterator[BinaryIO]:
    """Open a file without a name, to write and to read again; it goes with the block.

    It goes with the process too, however that ends. Raises: Unavailable, also for an OSError of
    the block.
    """
    with faults(), tempfile.TemporaryFile(dir=directory) as file:
        yield file


def sync(target: BinaryIO) -> None:
    """Make what was written durable; a failure is final (never retried on the same bytes)."""
    target.flush()
    os.fsync(target.fileno())


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
