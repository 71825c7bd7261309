"""The names of objects in the bucket: digests and random ids, nothing that a person typed."""

from __future__ import annotations

from gatekeeper.adapters.digests import check_digest, check_upload_id

BLOBS = "sha256/"
STAGING = "staging/"
PROBE = "probe/for-strangers"


def blob_key(sha256: str) -> str:
    """Return where a blob lies; raises IntegrityBroken for what is no digest."""
    return f"{BLOBS}{check_digest(sha256)[:2]}/{sha256}"


def staging_key(upload_id: str) -> str:
    """Return where an upload is put together; raises IntegrityBroken for what is no id."""
    return f"{STAGING}{check_upload_id(upload_id)}"


def last_step(key: str) -> str:
    """Return the digest or id that a key ends in."""
    return key.rpartition("/")[2]
