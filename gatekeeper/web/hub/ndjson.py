"""A commit's body: one JSON object a line, of `key` and `value`, the header first.

The bytes of files go to a file of ours as they come, so that neither many nor large ones fill the
memory, and nothing is stored before the last line was read. Source: hf-wire.md 4.2.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable, Iterator
from typing import BinaryIO

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from gatekeeper.services.publishing.commits import Change, Commit, Named, Removed, Sent
from gatekeeper.services.publishing.files import MAX_FILES
from gatekeeper.web.hub import asked

SLACK_BYTES = 16 << 10  # of a line, for what is not content


def read(source: BinaryIO, spool: BinaryIO, most_file_bytes: int) -> Commit:
    """Read a commit whose files have at most so many bytes each; their bytes go to `spool`.

    Raises: BadRequest for what is no commit, RequestEntityTooLarge for a longer line.
    """
    lines = _lines(source, most_file_bytes * 4 // 3 + SLACK_BYTES)
    key, value = next(lines, ("", None))
    if key != "header":
        raise BadRequest("line 1: a commit begins with its header")
    header = asked.checked(asked.CommitHeader, value, "header")
    changes: list[Change] = []
    for number, (key, value) in enumerate(lines, 2):
        changes.append(_change(key, value, f"line {number}", spool))
    return Commit(changes, header.message, header.parentCommit or "")


def _lines(source: BinaryIO, longest: int) -> Iterator[tuple[str, object]]:
    number = 0
    while line := source.readline(longest + 1):
        number += 1
        if number > MAX_FILES + 1:  # blank ones too: each is work
            raise BadRequest(f"a commit changes at most {MAX_FILES} files")
        if len(line) > longest:
            raise RequestEntityTooLarge(
                f"line {number}: a file this large is sent by git-LFS, not with the commit"
            )
        if line.strip():
            yield _parsed(line, number)


def _parsed(line: bytes, number: int) -> tuple[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"line {number}: this is no JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        raise BadRequest(f"line {number}: an object with `key` and `value`")
    return found["key"], found.get("value")


def _change(key: str, value: object, where: str, spool: BinaryIO) -> Change:
    match key:
        case "file":
            file = asked.checked(asked.CommitFile, value, where)
            return _sent(file, where, spool)
        case "lfsFile":
            named = asked.checked(asked.CommitLfsFile, value, where)
            return Named(named.path, named.oid, named.size)
        case "deletedFile" | "deletedFolder":
            gone = asked.checked(asked.CommitDeleted, value, where)
            return Removed(gone.path, is_folder=key == "deletedFolder")
        case _:
            raise BadRequest(f"{where}: no change is called {key[:40]!r}")


def _sent(file: asked.CommitFile, where: str, spool: BinaryIO) -> Sent:
    try:
        content = base64.b64decode(file.content, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadRequest(f"{where}: the content is no base64") from error
    start = spool.tell()
    spool.write(content)
    return Sent(file.path, len(content), _reader(spool, start, len(content)))


def _reader(spool: BinaryIO, start: int, size_bytes: int) -> Callable[[], BinaryIO]:
    def read_again() -> BinaryIO:
        spool.seek(start)
        return io.BytesIO(spool.read(size_bytes))

    return read_again
