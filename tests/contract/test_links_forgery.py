"""Nobody but us makes a link: not by one character, not by a hundred thousand tries.

Each try goes through `downloads.redeem`, as a request does; none may be accepted or recorded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
from itsdangerous import Signer, URLSafeSerializer, URLSafeTimedSerializer

from gatekeeper.adapters.tokens_signed import SignedTokens
from gatekeeper.domain.errors import BadLink
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.links import Claim, Purpose
from gatekeeper.services import audit, downloads, grants
from gatekeeper.services.ports import House
from tests.builders import World, grant
from tests.cast import Member, context
from tests.rooms import depth

BASE64URL = string.ascii_letters + string.digits + "-_"
OTHERS = ".=+/% \n\x00~é"


def token_of(world: World, member: Member, path: str = "model.safetensors") -> str:
    """Issue a link and return its token."""
    issued = downloads.issue_link(world.house, context(member.actor), world.ref("T3", path))
    return issued.path.split("/")[2]


def opens(house: House, token: str) -> bool:
    """Say whether a token is accepted; anything but a plain refusal is an error of the test."""
    try:
        downloads.redeem(house, context(), token, serves=True)
    except BadLink:
        return False
    return True


@pytest.fixture
def token(world: World) -> str:
    """A real link of the researcher's, which opens."""
    token = token_of(world, world.cast.researcher)
    assert opens(world.house, token)
    return token


def accepted(world: World, tries: Iterator[str]) -> tuple[list[str], int]:
    """Try every token; return those that were accepted and how many there were."""
    before = audit.head(world.house)
    count, found = 0, []
    for count, text in enumerate(tries, start=1):  # noqa: B007  counted after the loop
        if opens(world.house, text):
            found.append(text)
    assert audit.head(world.house) == before, "a forged link was recorded"
    return found, count


def test_every_one_character_change_is_refused(world: World, token: str) -> None:
    tries = (
        token[:place] + character + token[place + 1 :]
        for place in range(len(token))
        for character in BASE64URL + OTHERS
        if character != token[place]
    )
    found, count = accepted(world, tries)
    assert found == []
    assert count >= len(token) * 63


def test_every_appended_prepended_inserted_or_missing_character_is_refused(
    world: World, token: str
) -> None:
    every = BASE64URL + OTHERS

    def tries() -> Iterator[str]:
        for character in every:
            yield token + character
            yield token + character * 2
            yield character + token
            for place in (10, token.index("."), token.index(".") + 1):
                yield token[:place] + character + token[place:]
        for place in range(len(token)):
            yield token[:place] + token[place + 1 :]
            yield token[:place]

    assert accepted(world, tries())[0] == []


def test_texts_that_decode_to_the_same_claim_are_refused(world: World, token: str) -> None:
    """Base64 leaves spare bits in a last digit and ignores padding: other texts, same bytes."""
    payload, signature = token.split(".")
    twins = []
    for part in (payload, signature):
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for last in BASE64URL:
            twin = part[:-1] + last
            if twin != part and base64.urlsafe_b64decode(twin + "=" * (-len(twin) % 4)) == raw:
                twins.append(token.replace(part, twin))
        twins += [token.replace(part, part + "="), token.replace(part, part + "==")]
    assert len(twins) > 4, "the token has no spare bits: the test shows nothing"
    assert accepted(world, iter(twins))[0] == []


def edit(chance: random.Random, text: str, _: str) -> str:
    """Change one to five characters."""
    for _turn in range(chance.randint(1, 5)):
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(BASE64URL) + text[place + 1 :]
    return text


def splice(chance: random.Random, text: str, other: str) -> str:
    """Begin as one token and end as another."""
    cut = chance.randrange(len(text))
    return text[:cut] + other[cut:]


def marry(_: random.Random, text: str, other: str) -> str:
    """Put one token's signature under another's claim."""
    return f"{text.partition('.')[0]}.{other.partition('.')[2]}"


def cut_out(chance: random.Random, text: str, _: str) -> str:
    """Leave a part out."""
    a, b = sorted(chance.sample(range(len(text)), 2))
    return text[:a] + text[b:]


def turn_about(chance: random.Random, text: str, _: str) -> str:
    """Change case, order or number."""
    return chance.choice([text.swapcase(), text.upper(), text.lower(), text[::-1], text * 2])


def rewrite(chance: random.Random, text: str, _: str) -> str:
    """Say something else over the same signature."""
    payload, _dot, signature = text.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    fields[chance.randrange(len(fields))] = chance.choice([0, 2, "x", None, 2**40])
    forged = base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode())
    return f"{forged.rstrip(b'=').decode()}.{signature}"


def invent(chance: random.Random, _text: str, _other: str) -> str:
    """Write any text of the right alphabet."""
    return "".join(chance.choices(BASE64URL + ".", k=chance.randint(0, 520)))


MUTATIONS = (edit, splice, marry, cut_out, turn_about, rewrite, invent)


def mutations(chance: random.Random, tokens: list[str]) -> Iterator[str]:
    """Give mutated tokens for ever."""
    while True:
        mutate = chance.choice(MUTATIONS)
        text = mutate(chance, chance.choice(tokens), chance.choice(tokens))
        if text not in tokens:
            yield text


def test_of_a_hundred_thousand_mutated_tokens_none_is_accepted_or_recorded(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    member = world.cast.researcher
    paths = ("model.safetensors", "config.json", "deep/vocab.txt")
    tokens = [token_of(world, member, path) for path in paths for _ in range(3)]
    wanted = depth(10_000, 100_000)
    tries = mutations(random.Random(1), tokens)
    found, count = accepted(world, islice(tries, wanted))
    with capsys.disabled():
        print(f"\nforgery: {count} mutated tokens, {len(found)} accepted, 0 entries written")
    assert found == []
    assert count == wanted


def claim_in(world: World, token: str) -> Claim:
    """Open a token of ours."""
    return world.house.links.verify(Purpose.DOWNLOAD, token)


def test_a_token_by_another_key_purpose_digest_or_scheme_is_refused(
    world: World, token: str
) -> None:
    claim = claim_in(world, token)
    fields = [1, claim.jti, claim.subject, claim.check, claim.not_before, claim.expires]
    payload = token.partition(".")[0].encode()
    key, salt = b"k" * 32, "gatekeeper/download/v1"
    plain = base64.urlsafe_b64encode(hmac.new(key, payload, hashlib.sha256).digest()).rstrip(b"=")
    tries = [
        SignedTokens([key]).sign(Purpose.DOWNLOAD, claim),
        *(world.house.links.sign(p, claim) for p in Purpose if p is not Purpose.DOWNLOAD),
        f"{payload.decode()}.{plain.decode()}",
        f"{payload.decode()}.{'A' * 43}",
        f"{payload.decode()}.",
        payload.decode(),
        Signer(key, salt=salt, digest_method=hashlib.sha1).sign(payload).decode(),
        URLSafeSerializer(key, salt=salt).dumps(fields),
        URLSafeTimedSerializer(key, salt=salt).dumps(fields),
    ]
    assert accepted(world, iter(tries))[0] == []


def test_a_claim_we_sign_and_never_issued_opens_nothing(world: World, token: str) -> None:
    """Even with the link key: the database, and not the signature, says what was issued."""
    claim = claim_in(world, token)
    other = claim_in(world, token_of(world, world.cast.researcher, "config.json"))
    forged = [
        replace(claim, jti="0" * 24),
        replace(claim, subject=world.cast.owner.id),
        replace(claim, check="0" * 64),
        replace(claim, check=other.check),
        replace(claim, jti=other.jti),
    ]
    tries = (world.house.links.sign(Purpose.DOWNLOAD, c) for c in forged)
    assert accepted(world, tries)[0] == []


def test_a_link_whose_claim_was_prolonged_ends_when_it_was_issued_to_end(
    world: World, token: str
) -> None:
    claim = replace(claim_in(world, token), expires=2**33)
    prolonged = world.house.links.sign(Purpose.DOWNLOAD, claim)
    with world.house.db.reading() as read:
        link = read.grants.link(claim.jti)  # type: ignore[arg-type]
    assert link is not None
    late = context(now=link.expires_at + timedelta(seconds=1))
    with pytest.raises(BadLink):
        downloads.redeem(world.house, late, prolonged, serves=True)


def test_a_link_opens_nothing_before_it_was_issued(world: World, token: str) -> None:
    early = context(now=context().now - timedelta(minutes=2))
    with pytest.raises(BadLink, match="not valid yet"):
        downloads.redeem(world.house, early, token, serves=True)


def test_a_link_ends_with_its_grant_also_when_another_grant_follows(
    world: World, token: str
) -> None:
    member = world.cast.researcher
    (first,) = grants.mine(world.house, context(member.actor))
    grants.change(world.house, context(), first.id, GrantCommand.REVOKE, EndReason.ERROR, "")
    grant(world.house, member, world.models["T3"], world.cast.approver)
    assert opens(world.house, token_of(world, member))
    assert not opens(world.house, token)


def test_over_http_a_forged_link_is_refused_without_a_byte_of_the_file(
    world: World, token: str, client: object
) -> None:
    get = client.get  # type: ignore[attr-defined]
    canary = b"zqweights"
    assert canary in get(f"/d/{token}/model.safetensors").data
    for character in BASE64URL:
        for text in (token + character, token[:-1] + character, character + token[1:]):
            if text != token:
                answer = get(f"/d/{text}/model.safetensors")
                assert answer.status_code == 403
                assert canary not in answer.data
