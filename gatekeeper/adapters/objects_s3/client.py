"""How the store is spoken to: clients for each kind of waiting, and what their errors mean."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

import botocore.session
from boto3.session import Session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from gatekeeper.domain.errors import Unavailable

log = logging.getLogger("gatekeeper.store")

PATIENT_SECONDS = 60
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 900
CREDENTIALS_OUTLIVE_SECONDS = 60
ATTEMPTS = 3
AGAIN_WITHIN_SECONDS = 0.5
TAKEN = {409, 412}


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which bucket, and how it is reached; `answer_seconds` bounds the wait for a first byte."""

    name: str
    region: str
    endpoint_url: str | None
    public_endpoint_url: str | None
    addressing: str
    answer_seconds: float
    connections: int


class Clients:
    """The clients of one process, each made when first used and so after the fork.

    boto3's clients may be used from several threads; making one takes tens of milliseconds.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @cached_property
    def session(self) -> Session:
        """Where the credentials come from: the usual AWS variables, files and roles."""
        session = botocore.session.Session()
        session.register_component("data_loader", _descriptions())
        return Session(botocore_session=session)

    @cached_property
    def quick(self) -> Any:
        """For what a person waits for: answers within `answer_seconds`; `again` repeats."""
        return self._make(self._bucket.endpoint_url, self._once(self._bucket.answer_seconds))

    @cached_property
    def patient(self) -> Any:
        """For uploads and lists: long answers, several attempts with back-off."""
        retries = {"mode": "standard", "total_max_attempts": 4}
        waits = Config(connect_timeout=5, read_timeout=PATIENT_SECONDS, retries=retries)
        return self._make(self._bucket.endpoint_url, waits)

    @cached_property
    def signer(self) -> Any:
        """For addresses: asks nothing, and signs for the host that people reach."""
        url = self._bucket.public_endpoint_url or self._bucket.endpoint_url
        return self._make(url, self._once(self._bucket.answer_seconds))

    def stranger(self) -> Any:
        """Make a client without credentials."""
        waits = self._once(PATIENT_SECONDS).merge(Config(signature_version=UNSIGNED))
        return self._make(self._bucket.endpoint_url, waits)

    def sign(self, operation: str, asked: dict[str, Any], seconds: int) -> str:
        """Return an address that does one thing for `seconds`, clamped to 60 to 900.

        Raises: Unavailable when the credentials it is signed with end earlier.
        """
        holds = max(SHORTEST_SECONDS, min(seconds, LONGEST_SECONDS))
        self._check_credentials(holds)
        with asking("an address"):
            url: str = self.signer.generate_presigned_url(
                operation, Params={"Bucket": self._bucket.name, **asked}, ExpiresIn=holds
            )
        return url

    def _check_credentials(self, seconds: int) -> None:
        with asking("credentials"):
            found = self.session.get_credentials()
            if found is not None:
                found.get_frozen_credentials()  # renews those that can be renewed
        if found is None:
            raise Unavailable("there are no credentials for the store")
        ends: datetime | None = getattr(found, "_expiry_time", None)  # botocore names it so alone
        needed = timedelta(seconds=seconds + CREDENTIALS_OUTLIVE_SECONDS)
        if ends is not None and ends - moment() < needed:
            raise Unavailable("the store's credentials end before the address would")

    def listed(self, operation: str, items: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Go through all that a list of the bucket has under a prefix. Raises: Unavailable."""
        pages = self.patient.get_paginator(operation)
        with asking("list"):
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=prefix):
                yield from page.get(items, ())

    def give_up(self, key: str, upload_id: str) -> bool:
        """Give up an upload in parts; False when it was finished or given up before."""
        where = {"Bucket": self._bucket.name, "Key": key, "UploadId": upload_id}
        with asking("abort"):
            try:
                again(self.quick.abort_multipart_upload, **where)
            except ClientError as error:
                if status_of(error) == 404:
                    return False
                raise
        return True

    @staticmethod
    def _once(seconds: float) -> Config:
        return Config(
            connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1}
        )

    def _make(self, url: str | None, config: Config) -> Any:
        # Without this boto3 signs addresses with SigV2 in some regions.
        always = Config(
            signature_version="s3v4",
            s3={"addressing_style": self._bucket.addressing},
            max_pool_connections=self._bucket.connections,
            # We name the checksums we want; one of boto3's own would bind every signed address.
            request_checksum_calculation="when_required",
        )
        return self.session.client(
            "s3",
            endpoint_url=url,
            region_name=self._bucket.region,
            config=always.merge(config),
        )


@cache
def _descriptions() -> Any:
    """Load boto's descriptions of the protocol once a process: a tenth of a second each time."""
    return create_loader()


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what boto3 raises into Unavailable; the log says more than the person is told."""
    try:
        yield
    except ClientError as error:
        log.warning("the store refused %s: %s %s", what, status_of(error), code_of(error))
        raise Unavailable("the store did not do what it was asked") from error
    except (BotoCoreError, OSError) as error:
        log.warning("the store did not answer %s: %s", what, type(error).__name__)
        raise Unavailable("the store does not answer") from error


def again(call: Callable[..., Any], **asked: Any) -> Any:
    """Ask, and ask again at once where the store failed quickly; a store that hangs is left."""
    began = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call(**asked)
        except (BotoCoreError, ClientError) as error:
            is_late = time.monotonic() - began > AGAIN_WITHIN_SECONDS
            is_theirs = not isinstance(error, ClientError) or status_of(error) >= 500
            if attempt == ATTEMPTS or is_late or not is_theirs:
                raise
    raise AssertionError("unreachable")


def unless_taken(call: Callable[..., Any], **asked: Any) -> bool:
    """Make an object whose key must be free; False when somebody else made it first."""
    try:
        call(**asked)
    except ClientError as error:
        if status_of(error) in TAKEN:
            return False
        raise
    return True


def status_of(error: ClientError) -> int:
    """Return the HTTP status the store answered with, 0 where it gave none."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def code_of(error: ClientError) -> str:
    """Return the store's own word for what was wrong."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def moment() -> datetime:
    """Read the clock, to compare with the store's."""
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251
