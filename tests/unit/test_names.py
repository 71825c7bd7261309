"""Names of owners, models and branches, paths of files, tokens and passwords."""

from __future__ import annotations

import string
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.catalogue import (
    check_path,
    check_ref_name,
    check_repo_name,
    is_commit_id,
    is_open_path,
)
from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.people import (
    RESERVED_NAMES,
    check_owner_name,
    check_password,
    check_person_name,
    is_token_shaped,
    write_token,
)


def refuses(check: Callable[[str], object], name: str) -> bool:
    """Say whether a check raises Invalid; any other exception is an error of the test."""
    try:
        check(name)
    except Invalid:
        return True
    return False


@pytest.mark.parametrize("name", ["a", "northfield", "open-mined", "a.b_c-d", "0x", "a" * 39])
def test_an_owner_may_bear_a_plain_name(name: str) -> None:
    assert check_owner_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", "a-", ".a", "a..b", "a--b", "a" * 40, "a b", "a/b", "ä", "a\n", "a\x00",
     "x.git", "ａ"],
)  # fmt: skip
def test_an_owner_may_not_bear_another_name(name: str) -> None:
    assert refuses(check_owner_name, name)


def test_no_owner_bears_a_reserved_name() -> None:
    of_the_interface = (
        "releases apply applications access agreements account review audit own transparency "
        "report case register sign-in sign-out feed.atom d healthz readyz metrics .well-known api "
        "datasets spaces resolve static"
    )
    for name in (*of_the_interface.split(), *RESERVED_NAMES):
        assert refuses(check_owner_name, name), name


@pytest.mark.parametrize("name", ["lyra-1558m", "Lyra_7B.v2", "a", "_x", "a" * 96])
def test_a_model_may_bear_what_the_hub_accepts(name: str) -> None:
    assert check_repo_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "a.", "a--b", "a..b", "a.git", "a/b", "a b", "a" * 97, "a\n"]
)
def test_a_model_may_not_bear_what_the_hub_refuses(name: str) -> None:
    assert refuses(check_repo_name, name)


@pytest.mark.parametrize("name", ["main", "feat/x", "v1.0", "a_b-c", "0" * 39, "0" * 41])
def test_a_branch_may_bear_what_git_accepts(name: str) -> None:
    assert check_ref_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a" * 40, "0" * 40, "/a", "a/", "a//b", "a..b", ".a", "a/.", "x.lock", "x.lock/y", "a.",
     "-a", "a b", "a~b", "a^", "a:b", "a\\b", "a\x7f", "a\n", "x" * 201],
)  # fmt: skip
def test_a_branch_may_not_bear_what_git_refuses_or_what_reads_as_a_commit(name: str) -> None:
    assert refuses(check_ref_name, name)


def test_a_commit_is_forty_lower_hex_digits() -> None:
    assert is_commit_id("0123456789abcdef" * 2 + "01234567")
    assert not is_commit_id("0123456789ABCDEF" * 2 + "01234567")
    assert not is_commit_id("0" * 39)


@pytest.mark.parametrize(
    "path",
    ["README.md", "deep/er/file.txt", "ünïcode/模型.bin", "a" * 255, ".gitattributes", "-rf", "~",
     "x/.git", "con", "a b", "100%", "a?b#c", "é"],
)  # fmt: skip
def test_a_plain_relative_path_may_be_published(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../b", "a/./b", "./a", "a//b", "a/", "a\\b", "a\x00b", "a\nb",
     "a\r", "a\u202eb", "a\u200bb", " a", "a ", "a/ b", "e\u0301", ".git/config", ".git", "a" * 256,
     "/".join(["abc"] * 129), "a\ud800b", "\u2028"],
)  # fmt: skip
def test_a_path_that_could_lead_astray_may_not_be_published(path: str) -> None:
    assert refuses(check_path, path)


@given(st.text(max_size=40))
def test_what_passes_as_a_path_never_leaves_its_directory(text: str) -> None:
    if not refuses(check_path, text):
        parts = text.split("/")
        assert not text.startswith("/")
        assert not {"", ".", ".."} & set(parts)
        assert text.isprintable() or all(c not in text for c in "\r\n\x00\\")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", True), ("readme", True), ("LICENSE", True), ("license.md", True),
        ("docs/README.md", False), ("config.json", False), ("MY_README.md", False),
    ],
)  # fmt: skip
def test_only_the_root_card_and_licence_of_a_gated_model_are_open(
    path: str, expected: bool
) -> None:
    assert is_open_path(path, frozenset()) is expected
    assert is_open_path(path, frozenset({path}))


def test_a_token_is_its_secret_in_base62_and_the_checksum_of_that() -> None:
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase

    def base62(number: int, width: int) -> str:
        return base62(number // 62, width - 1) + alphabet[number % 62] if width else ""

    for secret in (bytes(32), bytes(range(32)), b"\xff" * 32):
        body = base62(int.from_bytes(secret, "big"), 43)
        assert write_token(secret) == f"gk_{body}{base62(zlib.crc32(body.encode()), 6)}"
        assert is_token_shaped(write_token(secret))


@given(st.binary(min_size=32, max_size=32), st.integers(3, 51), st.characters(codec="ascii"))
def test_a_token_with_one_character_changed_is_no_token(
    secret: bytes, place: int, character: str
) -> None:
    token = write_token(secret)
    changed = token[:place] + character + token[place + 1 :]
    assert is_token_shaped(changed) == (changed == token)


@pytest.mark.parametrize("text", ["", "gk_", "hf_" + "a" * 49, "gk_" + "0" * 49])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert not is_token_shaped(text)
    assert not is_token_shaped(write_token(bytes(32)) + text + "\n")


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\x00b", "a\u202eb"])
def test_a_full_name_is_printable_and_short(name: str) -> None:
    assert refuses(check_person_name, name)
    assert check_person_name("  Amara \n Osei ") == "Amara Osei"


@pytest.mark.parametrize(
    "password", ["short", "a" * 257, "aaaaaaaaaaaa", "ababababab", "Amara Osei"]
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str) -> None:
    assert refuses(lambda p: check_password(p, "a@uni.example", "amara osei"), password)
    check_password("a few plain words", "a@uni.example", "amara osei")
