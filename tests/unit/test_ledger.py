"""The Merkle tree against RFC 6962: known answers, and a naive tree written from its text."""

from __future__ import annotations

import hashlib

import pytest

from gatekeeper.domain.ledger import CompactRange, leaf_hash, node_hash
from gatekeeper.domain.sealed import Sealed, commitment, content, holds, seal


def mth(entries: list[bytes]) -> bytes:
    """Compute MTH(D[n]) word for word from RFC 6962, section 2.1."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


# The entries and roots that implementations of Certificate Transparency test against.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_root_is_the_known_answer(size: int) -> None:
    tree = CompactRange().extend(leaf_hash(entry) for entry in INPUTS[:size])
    assert tree.root().hex() == ROOTS[size]
    assert mth(INPUTS[:size]).hex() == ROOTS[size]


def test_the_root_is_that_of_a_naive_tree_at_every_size() -> None:
    entries = [str(n).encode() for n in range(260)]
    tree = CompactRange()
    for size, entry in enumerate(entries):
        assert tree.root() == mth(entries[:size])
        tree = tree.append(leaf_hash(entry))
        assert tree.size == size + 1
        assert len(tree.hashes) == (size + 1).bit_count()


def test_a_leaf_is_never_taken_for_a_node() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert node_hash(left, right) != node_hash(right, left)


def test_a_commitment_binds_field_value_and_salt() -> None:
    salt = bytes(32)
    kept = seal("name", "Amara", salt)
    assert holds("name", kept)
    assert not holds("email", kept)
    assert not holds("name", Sealed(kept.commitment, "Amaru", kept.salt))
    assert not holds("name", Sealed(kept.commitment, kept.value, (b"\x01" + salt[1:]).hex()))
    assert commitment("a", "bc", salt) != commitment("ab", "c", salt)


def test_an_erased_value_leaves_its_commitment_and_nothing_to_open() -> None:
    kept = seal("name", "Amara", bytes(32))
    erased = Sealed(kept.commitment)
    assert holds("name", erased)
    assert erased.opened() == ""
    assert not holds("name", Sealed(kept.commitment, None, kept.salt))
    assert not holds("name", Sealed(kept.commitment, kept.value, None))


def test_a_content_is_named_by_the_digest_of_its_bytes() -> None:
    assert content("é").sha256 == hashlib.sha256("é".encode()).hexdigest()
