"""The worker's side of uploads: read once, hash, keep as a blob; and give up what nobody came for.

No timer publishes anything: a verified upload waits for its person.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from gatekeeper.domain.catalogue import Stored
from gatekeeper.domain.errors import Invalid, NotFound, Unavailable
from gatekeeper.domain.people import Context
from gatekeeper.domain.uploads import Upload, UploadId, UploadState
from gatekeeper.services.ports import House

DONE_FOR = timedelta(days=7)  # for what came whole, published or not
LEASE, RENEWED_EVERY = timedelta(seconds=60), timedelta(seconds=15)
SWEPT_AFTER_SECONDS = 24 * 3600
# Makes a blob of an upload, and says now and then how many bytes are done.
Keep = Callable[[Callable[[int], None]], Stored]


def verify_next(house: House, clock: Callable[[], Context]) -> bool:
    """Read one completed upload, hash it and keep it as a blob; False when none waits.

    Several workers take different ones. A worker that dies is followed by another once its lease
    has ended. Raises: Unavailable; the upload waits then.
    """
    ctx = clock()
    with house.db.reading() as read:
        if not read.uploads.waits(ctx.now):
            return False
    with house.db.acting(ctx) as act:
        upload = act.uploads.claim(ctx.now, ctx.now + LEASE)
    if upload is None:
        return False
    verify(house, clock, upload, ctx.now, from_parts(house, upload))
    return True


def from_parts(house: House, upload: Upload) -> Keep:
    """Return how the parts of an upload become a blob."""
    return partial(house.objects.staging.finish, upload.staging, upload.announced_sha256)


def verify(
    house: House, clock: Callable[[], Context], upload: Upload, claimed_at: datetime, keep: Keep
) -> None:
    """Read an upload that was claimed, hash it, and keep it as a blob, or say what is wrong.

    Raises: Unavailable; the upload waits then.
    """
    lease = _Lease(house, clock, upload.id, claimed_at)
    try:
        stored = keep(lease.keep)
    except (Invalid, NotFound) as error:
        detail = error.errors[0].detail if isinstance(error, Invalid) else str(error)
        _end(house, clock(), upload, UploadState.FAILED, detail=detail)
    else:
        found = {"sha256": stored.sha256, "git_sha1": stored.git_sha1}
        _end(house, clock(), upload, UploadState.READY, **found)


def _end(house: House, ctx: Context, upload: Upload, state: UploadState, **found: str) -> None:
    until = ctx.now + DONE_FOR
    with house.db.acting(ctx) as act:
        is_ours = act.uploads.move(upload.id, UploadState.VERIFYING, state, until, found=found)
    if is_ours:  # else somebody goes on with the parts, or has ended it
        forget_parts(house, upload)


class _Lease:
    """Says now and then that an upload is still being read."""

    def __init__(
        self, house: House, clock: Callable[[], Context], upload_id: UploadId, now: datetime
    ) -> None:
        self._house = house
        self._clock = clock
        self._upload_id = upload_id
        self._renewed_at = now

    def keep(self, _done_bytes: int) -> None:
        """Renew the lease when it is time."""
        ctx = self._clock()
        if ctx.now - self._renewed_at >= RENEWED_EVERY:
            self._renewed_at = ctx.now
            with self._house.db.acting(ctx) as act:
                act.uploads.renew(self._upload_id, ctx.now + LEASE)


def forget_expired(house: House, ctx: Context) -> None:
    """Give up uploads that nobody came back to in time, a batch at once."""
    while True:
        with house.db.reading() as read:
            if not (expired := read.uploads.expired(ctx.now)):
                return
        with house.db.acting(ctx) as act:
            act.uploads.drop([upload.id for upload in expired])
        for upload in expired:
            forget_parts(house, upload)


def sweep(house: House, ctx: Context) -> None:
    """Give up what nobody came back to, and what the store has of uploads that nobody knows."""
    forget_expired(house, ctx)
    with house.db.reading() as read:
        active = read.uploads.active(ctx.now)
    house.objects.staging.sweep(SWEPT_AFTER_SECONDS, active)
    house.objects.sweep(SWEPT_AFTER_SECONDS)


def forget_parts(house: House, upload: Upload) -> None:
    """Delete parts that no row names; `sweep` does it where the store cannot now."""
    with suppress(Unavailable):
        house.objects.staging.give_up(upload.staging)
