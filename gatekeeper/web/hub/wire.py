"""The JSON that the Hub's clients read: models, refs, commits, who acts.

Source: hf-wire.md 1.2 and 5; huggingface_hub 0.36 to 2.4, `hf_api.py` (ModelInfo, GitRefs,
GitCommitInfo, whoami). Not here: trees (tree), what a card says (card), who may read any of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from gatekeeper.domain.catalogue import (
    Availability,
    File,
    Model,
    Ref,
    RefKind,
    Revision,
    Visibility,
)
from gatekeeper.services.profile import Profile
from gatekeeper.services.publishing import tiers
from gatekeeper.services.publishing.files import lfs_pointer
from gatekeeper.web.hub import card as cards
from gatekeeper.web.hub.card import Card

Json = dict[str, Any]


def moment(at: datetime) -> str:
    """Write a time as the clients parse it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def model_info(model: Model, revision: Revision | None, size_bytes: int, card: Card) -> Json:
    """Write everything about a model at a revision but its files.

    Likes and downloads are 0: the first do not exist here, the second are nobody's business.
    """
    info: Json = {
        "_id": model.id,
        "id": model.full_name,
        "modelId": model.full_name,
        "author": model.namespace,
        "sha": revision.id if revision is not None else None,
        "private": model.visibility is Visibility.HIDDEN,
        "gated": tiers.gate_of(model.tier),
        "disabled": model.availability is Availability.WITHDRAWN,
        "createdAt": moment(model.created_at),
        "lastModified": moment(model.changed_at),
        "downloads": 0,
        "likes": 0,
        "tags": cards.tags(card),
        "cardData": card,
        "usedStorage": size_bytes,
    }
    return info | {key: card[key] for key in ("library_name", "pipeline_tag") if key in card}


def siblings(files: Sequence[File], *, blobs: bool) -> list[Json]:
    """Write the files of a model, with sizes and digests when `blobs`."""
    return [sibling(file) if blobs else {"rfilename": file.path} for file in files]


def sibling(file: File) -> Json:
    """Write one file with its sizes and digests."""
    found: Json = {"rfilename": file.path, "size": file.size_bytes, "blobId": file.git_oid}
    if file.lfs:
        found["lfs"] = {"sha256": file.sha256, **lfs_sizes(file)}
    return found


def lfs_sizes(file: File) -> dict[str, int]:
    """Return the sizes of an LFS file: its own and its pointer's, in bytes."""
    pointer = lfs_pointer(file.sha256, file.size_bytes)
    return {"size": file.size_bytes, "pointerSize": len(pointer)}


def narrowed(info: Json, expand: Collection[str]) -> Json:
    """Return what `expand` asks for; a field we do not know is left out."""
    return {key: value for key, value in info.items() if key in {"_id", "id", *expand}}


def refs(found: Sequence[Ref], *, with_requests: bool) -> Json:
    """Write branches and tags; there are no converted ones and no pull requests."""
    answer: Json = {
        "branches": [_ref(ref, "heads") for ref in found if ref.kind is RefKind.BRANCH],
        "converts": [],
        "tags": [_ref(ref, "tags") for ref in found if ref.kind is RefKind.TAG],
    }
    return answer | ({"pullRequests": []} if with_requests else {})


def _ref(ref: Ref, under: str) -> Json:
    return {"name": ref.name, "ref": f"refs/{under}/{ref.name}", "targetCommit": ref.revision_id}


def commit(revision: Revision) -> Json:
    """Write one revision as a commit."""
    title, _, message = revision.message.partition("\n")
    return {
        "id": revision.id,
        "title": title,
        "message": message.strip(),
        "date": moment(revision.created_at),
        "authors": [{"user": revision.author}],
    }


def whoami(profile: Profile) -> Json:
    """Write who acts; the token's name is what the clients file it under."""
    person, token = profile.person, profile.token
    return {
        "type": "user",
        "id": person.id,
        "name": person.username,
        "fullname": person.name,
        "email": person.email,
        "emailVerified": person.is_verified,
        "orgs": [
            {"type": "org", "id": name, "name": name, "fullname": profile.titles.get(name, name)}
            for name in profile.roles
        ],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": token.name if token is not None else "",
                "role": str(token.scope) if token is not None else "",
            },
        },
    }
