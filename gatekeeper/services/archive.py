"""The file of a backup: a plain tar, read by a reader that takes nothing else than what we write.

Its names ascend, so that none comes twice: `1-head.json`, `2-data/`, `3-tables/`, `4-blobs/` by
SHA-256, `5-manifest.jsonl` (name, bytes and SHA-256 of each) and `6-seal`, an HMAC of the manifest
under the key of the ledger's entries: whoever has only the file cannot change a row in it. No name
ever becomes a path, and a header must be, to the byte, the one we would have written, so that
links, devices and extensions are no case of their own. Memory stays flat. Source: POSIX ustar; GNU
tar for sizes above 8 GiB.
Not here: what goes in and in which order things are made true (services/backup).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from gatekeeper.domain.errors import IntegrityBroken
from gatekeeper.services.ports import ByteSource

HEAD, MANIFEST, SEAL = "1-head.json", "5-manifest.jsonl", "6-seal"
DATA, TABLES, BLOBS = "2-data/", "3-tables/", "4-blobs/"
BLOCK, CHUNK_BYTES, MOST_HEAD_BYTES = 512, 1 << 20, 1 << 20
END = bytes(2 * BLOCK)
_NAME = re.compile(
    r"1-head\.json|2-data/[a-z]+(/[a-z]+|\.json)|3-tables/\d\d-[a-z_]+/\d{8}|4-blobs/[0-9a-f]{64}"
    r"|5-manifest\.jsonl|6-seal"
)


def _header(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _line(name: str, size_bytes: int, sha256: str) -> bytes:
    row = {"name": name, "size_bytes": size_bytes, "sha256": sha256}
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _seal(key: bytes, manifest_sha256: bytes) -> bytes:
    made = hmac.new(key, b"gk-backup/v1\x00" + manifest_sha256, hashlib.sha256)
    return made.hexdigest().encode() + b"\n"


class Writer:
    """Writes an archive to a file, member after member; without `finish` it is none."""

    def __init__(self, out: BinaryIO, key: bytes, manifest: BinaryIO) -> None:
        self._out = out
        self._key = key
        self._manifest = manifest

    def add(self, name: str, content: bytes) -> None:
        """Write a small member."""
        self._manifest.write(_line(name, len(content), hashlib.sha256(content).hexdigest()))
        self._write(name, content)

    def add_blob(
        self, sha256: str, size_bytes: int, source: ByteSource, progress: Callable[[int], None]
    ) -> None:
        """Write a blob; raises IntegrityBroken when its bytes are not what its name says."""
        self._out.write(_header(BLOBS + sha256, size_bytes))
        hashed, done = hashlib.sha256(), 0
        while chunk := source.read(CHUNK_BYTES):
            hashed.update(chunk)
            self._out.write(chunk)
            done += len(chunk)
            progress(len(chunk))
        if (done, hashed.hexdigest()) != (size_bytes, sha256):
            raise IntegrityBroken(f"blob {sha256} is damaged in the store; see `gatekeeper fsck`")
        self._out.write(_padding(size_bytes))
        self._manifest.write(_line(BLOBS + sha256, size_bytes, sha256))

    def finish(self) -> None:
        """Write manifest, seal and end."""
        size_bytes, hashed = self._manifest.tell(), hashlib.sha256()
        self._manifest.seek(0)
        self._out.write(_header(MANIFEST, size_bytes))
        while chunk := self._manifest.read(CHUNK_BYTES):
            hashed.update(chunk)
            self._out.write(chunk)
        self._out.write(_padding(size_bytes))
        self._write(SEAL, _seal(self._key, hashed.digest()))
        self._out.write(END)

    def _write(self, name: str, content: bytes) -> None:
        self._out.write(_header(name, len(content)) + content + _padding(len(content)))


@contextmanager
def writing(out: BinaryIO, key: bytes) -> Iterator[Writer]:
    """Write an archive, finished where the block is left without an exception."""
    with tempfile.TemporaryFile() as manifest:
        writer = Writer(out, key, manifest)
        yield writer
        writer.finish()


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % BLOCK)


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name, its size and where its bytes begin in the file."""

    name: str
    size_bytes: int
    start: int


class Archive:
    """Reads an archive from a file that can be sought; `check` it before believing anything."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)

    def members(self, prefix: str = "") -> Iterator[Member]:
        """Go through the members whose names begin so; raises IntegrityBroken at any oddity."""
        at, before = 0, ""
        while before != SEAL:
            member = self._member_at(at)
            if member.name <= before:
                _refuse(f"{member.name!r} is out of its order")
            if member.name.startswith(prefix):
                yield member
            at, before = self._after(member), member.name
        self._file.seek(at)
        if self._file.read(len(END) + 1) != END:
            _refuse("it does not end where it should")

    def _member_at(self, at: int) -> Member:
        self._file.seek(at)
        block = self._file.read(BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.TarError, ValueError):
            _refuse(f"no header of ours stands at byte {at}")
        if not _NAME.fullmatch(info.name) or info.size < 0:
            _refuse(f"{info.name[:100]!r} is no name of ours")
        if block != _header(info.name, info.size):
            _refuse(f"the header of {info.name!r} is not one of ours")
        return Member(info.name, info.size, at + BLOCK)

    def _after(self, member: Member) -> int:
        """Return where the next header stands."""
        self._file.seek(member.start + member.size_bytes)
        padding = _padding(member.size_bytes)
        if self._file.read(len(padding)) != padding or self._file.tell() > self._size:
            _refuse(f"{member.name!r} is cut off or filled up oddly")
        return self._file.tell()

    def read(self, member: Member) -> bytes:
        """Return the bytes of a small member."""
        if member.size_bytes > MOST_HEAD_BYTES:
            _refuse(f"{member.name!r} has {member.size_bytes} bytes")
        self._file.seek(member.start)
        return self._file.read(member.size_bytes)

    def open(self, member: Member) -> io.BufferedReader:
        """Open a member; one at a time."""
        return io.BufferedReader(_Part(self._file, member), CHUNK_BYTES)

    def small(self, prefix: str) -> dict[str, bytes]:
        """Return the small members whose names begin so, by the rest of their names."""
        found = dict[str, bytes]()
        for member in self.members():
            if member.name > prefix and not member.name.startswith(prefix):
                break
            if member.name.startswith(prefix):
                found[member.name.removeprefix(prefix)] = self.read(member)
        return found

    def blob_bytes(self) -> int:
        """Return how many bytes its blobs have."""
        return sum(member.size_bytes for member in self.members(BLOBS))

    def check(self, key: bytes) -> None:
        """Check every name, size and digest against the manifest, and the manifest's seal.

        The bytes of blobs are not read: whoever stores one learns its digest. Raises
        IntegrityBroken for a file that is damaged, cut off, not ours, or sealed with another key.
        """
        manifest, size_bytes, is_told = hashlib.sha256(), 0, False
        for member in self.members():
            if member.name == SEAL:
                sealed = hmac.compare_digest(self.read(member), _seal(key, manifest.digest()))
                if not (sealed and is_told):
                    _refuse("its seal does not hold: it was changed, or sealed with another key")
            elif member.name == MANIFEST:
                if (member.size_bytes, self._digest(member)) != (size_bytes, manifest.hexdigest()):
                    _refuse("it does not hold what its manifest says")
                is_told = True
            else:
                line = _line(member.name, member.size_bytes, self._digest(member))
                manifest.update(line)
                size_bytes += len(line)

    def _digest(self, member: Member) -> str:
        if member.name.startswith(BLOBS):
            return member.name.removeprefix(BLOBS)
        with self.open(member) as part:
            return hashlib.file_digest(part, "sha256").hexdigest()


class _Part(io.RawIOBase):
    """The bytes of one member, as a stream of its own."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self._file = file
        self._left = member.size_bytes
        file.seek(member.start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        chunk = self._file.read(min(len(view), self._left))
        view[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)


def _refuse(detail: str) -> NoReturn:
    raise IntegrityBroken(f"this is no whole archive of `gatekeeper backup`: {detail}")
