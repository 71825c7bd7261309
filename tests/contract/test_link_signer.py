"""What every `LinkSigner` keeps: the very text it gave, for its purpose, under its own keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.adapters.tokens_signed import SignedTokens
from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.links import MAX_TOKEN_CHARS, Claim, Purpose
from gatekeeper.services.ports import LinkSigner

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
SIGNERS: dict[str, Callable[[Sequence[bytes]], LinkSigner]] = {"itsdangerous": SignedTokens}
_HEX = "0123456789abcdef"
CLAIM = Claim("0123456789abcdef01234567", "per_0123456789abcdef01234567", "a" * 64, 0, 2**31)


@pytest.fixture(params=SIGNERS, scope="module")
def make(request: pytest.FixtureRequest) -> Callable[[Sequence[bytes]], LinkSigner]:
    """Every kind of signer, made from a ring of keys."""
    return SIGNERS[request.param]


@given(
    st.builds(
        Claim, st.text(_HEX, min_size=24, max_size=24), st.text("abc_019", max_size=40),
        st.text(_HEX, max_size=64), st.integers(0, 2**40), st.integers(0, 2**40),
    ),
    st.sampled_from(Purpose),
)  # fmt: skip
def test_a_claim_survives_and_fits_a_path_segment(
    make: Callable[[Sequence[bytes]], LinkSigner], claim: Claim, purpose: Purpose
) -> None:
    signer = make([NEW])
    token = signer.sign(purpose, claim)
    assert signer.verify(purpose, token) == claim
    assert len(token) <= MAX_TOKEN_CHARS
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert signer.sign(purpose, claim) == token


@pytest.mark.parametrize("made_for", Purpose)
@pytest.mark.parametrize("used_as", Purpose)
def test_no_token_serves_another_purpose(
    make: Callable[[Sequence[bytes]], LinkSigner], made_for: Purpose, used_as: Purpose
) -> None:
    token = make([NEW]).sign(made_for, CLAIM)
    if made_for is used_as:
        assert make([NEW]).verify(used_as, token) == CLAIM
    else:
        with pytest.raises(BadLink):
            make([NEW]).verify(used_as, token)


def test_the_newest_key_signs_and_every_key_of_the_ring_verifies(
    make: Callable[[Sequence[bytes]], LinkSigner],
) -> None:
    before, after = make([OLD]).sign(Purpose.DOWNLOAD, CLAIM), make([OLD, NEW])
    assert after.verify(Purpose.DOWNLOAD, before) == CLAIM
    fresh = after.sign(Purpose.DOWNLOAD, CLAIM)
    assert fresh == make([NEW]).sign(Purpose.DOWNLOAD, CLAIM)
    with pytest.raises(BadLink):
        make([OLD]).verify(Purpose.DOWNLOAD, fresh)


def test_a_key_taken_out_of_the_ring_opens_nothing(
    make: Callable[[Sequence[bytes]], LinkSigner],
) -> None:
    token = make([OLD]).sign(Purpose.DOWNLOAD, CLAIM)
    for ring in ([NEW], [OTHER, NEW]):
        with pytest.raises(BadLink):
            make(ring).verify(Purpose.DOWNLOAD, token)


@pytest.mark.parametrize("ring", [[], [b"short"], [NEW, b""]])
def test_a_weak_ring_is_refused(
    make: Callable[[Sequence[bytes]], LinkSigner], ring: list[bytes]
) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make(ring)


def test_a_claim_too_long_for_a_link_is_not_signed(
    make: Callable[[Sequence[bytes]], LinkSigner],
) -> None:
    with pytest.raises(ValueError, match="512"):
        make([NEW]).sign(Purpose.DOWNLOAD, Claim("j", "s" * 500, "c", 0, 1))


@pytest.mark.parametrize(
    "text", ["", ".", "a.b", "x" * 513, "x" * 10_000_000, "ä" * 100, "\x00" * 90, "e30.e30"]
)
def test_any_other_text_is_no_link_and_no_error(
    make: Callable[[Sequence[bytes]], LinkSigner], text: str
) -> None:
    with pytest.raises(BadLink):
        make([NEW]).verify(Purpose.DOWNLOAD, text)


@given(st.text(max_size=600))
def test_no_text_is_a_link_by_chance(
    make: Callable[[Sequence[bytes]], LinkSigner], text: str
) -> None:
    with pytest.raises(BadLink):
        make([NEW]).verify(Purpose.DOWNLOAD, text)
