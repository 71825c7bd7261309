"""Personal data and big texts as facts carry them: the fact holds a digest, the row the value.

`Sealed` binds personal data through a salted commitment, so that erasing value and salt leaves a
random-looking 32 bytes and every proof valid. `Content` binds public text through its SHA-256.
Source: security.md 3.5.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

_DOMAIN = b"gk-commit/v1\x00"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One erasable value: `commitment` (64 hex) stays; `value` and `salt` (64 hex) may be gone."""

    commitment: str
    value: str | None = None
    salt: str | None = None

    def opened(self) -> str:
        """Return the value, or the empty string once it was erased."""
        return self.value or ""


def commitment(field: str, value: str, salt: bytes) -> str:
    """Return HMAC-SHA-256(salt, domain || field || value) as 64 hex digits."""
    message = _DOMAIN + field.encode() + b"\x00" + value.encode()
    return hmac.new(salt, message, hashlib.sha256).hexdigest()


def seal(field: str, value: str, salt: bytes) -> Sealed:
    """Seal `value` as `field` with a fresh 32-byte salt of its own."""
    return Sealed(commitment(field, value, salt), value, salt.hex())


def holds(field: str, sealed: Sealed) -> bool:
    """Say whether value and salt, where still present, open the commitment."""
    if sealed.value is None or sealed.salt is None:
        return sealed.value is None and sealed.salt is None
    return hmac.compare_digest(
        commitment(field, sealed.value, bytes.fromhex(sealed.salt)), sealed.commitment
    )


@dataclass(frozen=True, slots=True)
class Content:
    """One public text by its SHA-256 (64 hex); `body` travels with the fact, not in the entry."""

    sha256: str
    body: str | None = None


def content(body: str) -> Content:
    """Name a text by the SHA-256 of its UTF-8 bytes."""
    return Content(hashlib.sha256(body.encode()).hexdigest(), body)
