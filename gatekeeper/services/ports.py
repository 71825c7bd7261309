"""What the services need from the outside world, and the House every verb is handed.

A port's docstrings state durability, concurrency, retry duty and errors; adapters satisfy them and
one contract suite runs against each (tests/contract).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from gatekeeper.db.unit_of_work import Database
from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.links import Claim, DeliveryMode, Purpose
from gatekeeper.domain.notices import Letter, NoticeKind
from gatekeeper.domain.tiers import Tiers
from gatekeeper.domain.uploads import Staging, UploadId
from gatekeeper.services.tally import Tally


class Source(Protocol):
    """Bytes on their way in: `read` returns b"" at their end and raises where they broke off."""

    def read(self, size: int = -1, /) -> bytes: ...


class ByteSource(Protocol):
    """Some bytes of one blob, ready to leave: at most the range asked for.

    `fileno` stands at the first byte so that a server may send it from the kernel, and raises
    io.UnsupportedOperation where the bytes do not lie on this machine; `seek` stands at a byte of
    the whole blob, for a server whose kernel could not, and never widens the range. `read` raises
    Unavailable when the store stops answering: what was read before is right and not the whole.
    """

    def fileno(self) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, /) -> None: ...
    def close(self) -> None: ...


class ObjectStore(Protocol):
    """Blobs by their SHA-256. Safe to call from several threads and processes at once.

    Every method raises Unavailable when the store cannot answer (nothing is half done then) and
    may be tried again by the caller.
    """

    @property
    def staging(self) -> StagingArea:
        """Where uploads in parts lie until they are blobs."""

    def put(
        self,
        source: Source,
        size_bytes: int,
        progress: Callable[[int], None] | None = None,
        announced_sha256: str = "",
    ) -> Stored:
        """Hash and store a stream of exactly `size_bytes`; on return the blob is durable.

        Memory stays flat (1 MiB reads). A blob that is held already is kept, not rewritten; its
        directory entry is made durable again. Raises Invalid when the stream is shorter or longer
        or has another digest than was announced, and whatever `source` raises; nothing is kept.
        """

    def size(self, sha256: str) -> int | None:
        """Return the blob's size in bytes, None when it is not held."""

    def open(self, sha256: str, start: int = 0, end: int | None = None) -> ByteSource:
        """Open bytes [start, end) of a blob; raises IntegrityBroken when it is not held."""

    def verify(self, sha256: str, progress: Callable[[int], None] | None = None) -> bool:
        """Read the blob and say whether its bytes still have this digest."""

    def walk(self) -> Iterator[tuple[str, int]]:
        """Go through (sha256, bytes) of every blob held, in no order."""

    def sweep(self, older_than_seconds: int) -> int:
        """Delete what unfinished puts left longer ago; return how many."""

    def path(self, sha256: str) -> str | None:
        """Return where the blob lies, for nginx on the same disk; None where there is no disk.

        Nothing is asked: the blob may be missing.
        """

    def presign(self, sha256: str, seconds: int, disposition: str) -> str | None:
        """Return an address of the store that opens this one blob; None where it has none.

        It holds for `seconds`, clamped to 60 to 900, for whoever has it, whatever happens here.
        `disposition` becomes the answer's Content-Disposition. Nothing is asked: the blob may be
        missing. Raises Unavailable when the credentials it is signed with end earlier.
        """

    def check(self) -> None:
        """Prove at start that no stranger reads the store; raises Exposed where one does."""

    def is_ready(self) -> bool:
        """Say whether the store is there and may be used; cheap, so a full disk is not noticed."""


class StagingArea(Protocol):
    """Uploads in parts, which are no blobs: nothing else in the store sees or names them.

    Safe to call from several threads and processes at once. Every method raises Unavailable when
    the store cannot answer, and may be tried again: parts that are there stay. What asks about one
    upload raises NotFound when it was given up.
    """

    def begin(self, upload_id: UploadId, size_bytes: int, part_bytes: int) -> Staging:
        """Begin an upload of a known size, in parts of one size but the last."""

    def address(self, staging: Staging, number: int, seconds: int) -> str | None:
        """Return an address of the store that takes this one part by PUT; None where it has none.

        It takes a body of the part's very length and nothing else, for `seconds`, clamped to 60 to
        900, from whoever has it, while the upload is open. Raises NotFound for no part of it.
        """

    def receive(self, staging: Staging, number: int, source: Source) -> None:
        """Keep one part; durable on return, and whole or not there at all.

        A part that is there already is replaced. Raises NotFound for no part of the upload, Invalid
        when the stream is shorter or longer than the part, and whatever `source` raises.
        """

    def parts(self, staging: Staging) -> frozenset[int]:
        """Return the numbers of the parts that are there, whole; also after `finish`."""

    def read(self, staging: Staging, start: int, end: int) -> bytes:
        """Return bytes [start, end) of an upload that is not finished.

        Every part must have come, and no other may come after that. Raises Invalid when parts are
        missing.
        """

    def finish(
        self, staging: Staging, sha256: str, progress: Callable[[int], None] | None = None
    ) -> Stored:
        """Read what came once, hash it, and keep it as a blob: what was hashed is what is kept.

        The upload stays until it is given up, so that this may be repeated after a crash. `sha256`
        is what was announced, '' when nothing was. Raises Invalid when parts are missing or the
        bytes are other ones than announced; no blob was made then.
        """

    def give_up(self, staging: Staging) -> None:
        """Delete an upload with its parts; one that is gone already is no error."""

    def sweep(self, older_than_seconds: int, active: Container[UploadId]) -> int:
        """Give up uploads begun longer ago that are not among the active ones; return how many."""

    def spool(self) -> AbstractContextManager[BinaryIO]:
        """Open a file for bytes of one request that are read again before they are kept.

        It has no name, and goes with the block or the process, whichever ends first. Raises
        Unavailable, also for an OSError of the block.
        """


class LinkSigner(Protocol):
    """Signs and verifies claims; one salt a purpose, so no token serves another one."""

    def sign(self, purpose: Purpose, claim: Claim) -> str:
        """Return a token of at most 512 characters, safe in a path segment."""

    def verify(self, purpose: Purpose, token: str) -> Claim:
        """Return the claim; raises BadLink for anything but the very token `sign` returned.

        Times are not judged here (domain/links.check_times).
        """


class Mailer(Protocol):
    """Hands letters over. Called outside any transaction; may be called twice for one letter."""

    def send(self, letter: Letter) -> None:
        """Return once the letter was handed over; raises MailFailed otherwise."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How large uploads may be, how many one person may have at once, and how they are cut.

    `by_address`: parts go to addresses of the store, where it has them.
    """

    max_file_bytes: int
    max_open: int
    max_open_bytes: int
    part_bytes: int
    by_address: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """Plain values from the settings that verbs need; units are in the names."""

    site_title: str
    public_url: str
    session_idle_seconds: int
    session_lifetime_seconds: int
    token_longest_days: int
    link_ttl_seconds: int | None
    delivery_mode: DeliveryMode
    address_seconds: int
    max_answer_chars: int
    lfs_threshold_bytes: int
    uploads: UploadLimits
    public_mail_domains: frozenset[str]
    countries: Mapping[str, str]
    keeps_letters: bool
    is_demo: bool


@dataclass(frozen=True, slots=True)
class House:
    """What every verb works with; made once by app.py or the command line."""

    db: Database
    objects: ObjectStore
    links: LinkSigner
    mail: Mailer
    write_letter: Callable[[NoticeKind, Mapping[str, str]], tuple[str, str, str]]
    tiers: Tiers
    policy: Policy
    tally: Tally
