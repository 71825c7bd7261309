"""Signed claims by itsdangerous: HMAC-SHA-256, a key ring, one salt a purpose, one canonical text.

itsdangerous alone accepts several texts for one token (the spare bits of the last base64 digit, and
appended `=`), so a token is compared with the only text its parts may have. No timestamps of its
own: two hosts' clocks differ (domain/links judges times). Source: security.md 2.1, 2.2.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from functools import lru_cache

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.links import MAX_TOKEN_CHARS, Claim, Purpose

_SHAPE = re.compile(r"[A-Za-z0-9_-]{40,460}\.[A-Za-z0-9_-]{43}")
_VERSION = 1
REMEMBERED = 4096


class SignedTokens:
    """A `LinkSigner`; signs with the newest key of the ring and verifies with all of them."""

    def __init__(self, ring: Sequence[bytes]) -> None:
        if not ring or any(len(key) < 32 for key in ring):
            raise ValueError("the key ring needs at least one key of 32 bytes")
        self._signers = {
            purpose: Signer(
                [_derived(key, purpose) for key in ring],
                sep=".",
                key_derivation="none",  # done above, once
                digest_method=hashlib.sha256,
            )
            for purpose in Purpose
        }
        # Ranges and resumed downloads bring the same text again; nothing false is remembered.
        self._read = lru_cache(maxsize=REMEMBERED)(self._verify)

    def sign(self, purpose: Purpose, claim: Claim) -> str:
        """Return `payload.signature`, each in unpadded base64url."""
        fields = [_VERSION, claim.jti, claim.subject, claim.check, claim.not_before, claim.expires]
        payload = base64_encode(json.dumps(fields, separators=(",", ":")).encode())
        token = self._signers[purpose].sign(payload).decode()
        if len(token) > MAX_TOKEN_CHARS:
            raise ValueError(f"a token of {len(token)} characters is over {MAX_TOKEN_CHARS}")
        return token

    def verify(self, purpose: Purpose, token: str) -> Claim:
        """Return the claim of exactly the text `sign` returned; raises BadLink otherwise."""
        return self._read(purpose, token)

    def _verify(self, purpose: Purpose, token: str) -> Claim:
        if len(token) > MAX_TOKEN_CHARS or not _SHAPE.fullmatch(token):
            raise BadLink("this link is not complete")
        try:
            payload = self._signers[purpose].unsign(token)
            parts = token.split(".")
            canonical = all(base64_encode(base64_decode(p)).decode() == p for p in parts)
            version, jti, subject, check, not_before, expires = json.loads(base64_decode(payload))
        except (BadData, ValueError, TypeError) as error:
            raise BadLink("this link was altered or was not made here") from error
        if not canonical or version != _VERSION:
            raise BadLink("this link was altered or was not made here")
        return Claim(jti, subject, check, not_before, expires)


def _derived(key: bytes, purpose: Purpose) -> bytes:
    """Return the key of one purpose, as itsdangerous derives it (`hmac`, with a salt)."""
    return hmac.digest(key, f"gatekeeper/{purpose}/v{_VERSION}".encode(), "sha256")
