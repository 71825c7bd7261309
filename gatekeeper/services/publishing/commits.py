"""A commit as the Hub's clients send it: files added, named by digest and deleted; one revision.

Everything is judged before a byte is stored, and again when it is recorded. A blob is named by its
digest, and knowing a digest is not having the bytes: only what this person has sent, or may pass
on, can be named. Source: hf-wire.md 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import BinaryIO

from gatekeeper.db.readers import Readers
from gatekeeper.domain.access import Basis, Fetch, decide
from gatekeeper.domain.catalogue import (
    File,
    Model,
    RefKind,
    Revision,
    Stored,
    check_path,
    folders_of,
)
from gatekeeper.domain.errors import Conflict, GatekeeperError, Invalid, TooLarge, invalid
from gatekeeper.domain.people import Context
from gatekeeper.domain.sealed import content
from gatekeeper.services import access
from gatekeeper.services.downloads import NoSuchRevision
from gatekeeper.services.people import current
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.additions import check_tree
from gatekeeper.services.publishing.files import file_of
from gatekeeper.services.publishing.refs import MAIN
from gatekeeper.services.publishing.releases import writable
from gatekeeper.services.publishing.revisions import Published, record_revision, write_manifest

MOST_PLACES = 100_000  # of all digests of a commit that are looked at


@dataclass(frozen=True, slots=True)
class Sent:
    """A file whose bytes came with the commit; `open` gives them from their beginning."""

    path: str
    size_bytes: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Named:
    """A file by the digest of bytes that are held; `size_bytes` as the client says, if it does."""

    path: str
    sha256: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A file, or a folder with all that is in it, that goes."""

    path: str
    is_folder: bool = False


Change = Sent | Named | Removed


@dataclass(frozen=True, slots=True)
class Commit:
    """What changes; `parent` is the revision that was looked at, '' when not said."""

    changes: Sequence[Change]
    message: str
    parent: str = ""

    @property
    def digests(self) -> frozenset[str]:
        """The digests that it names."""
        return frozenset(change.sha256 for change in self.changes if isinstance(change, Named))


@dataclass(frozen=True, slots=True)
class Planned:
    """How a file is to be sent: `now` is what lies at its path already."""

    path: str
    is_lfs: bool
    now: File | None


def plan(
    house: House,
    ctx: Context,
    model: tuple[str, str],
    branch: str,
    files: Iterable[tuple[str, int]],
) -> list[Planned]:
    """Say how files of these paths and sizes in bytes are to be sent.

    Raises: Invalid (path), TooLarge, NotAllowed, NotFound, NoSuchRevision, Refused.
    """
    with house.db.reading() as read:
        found = writable(read, ctx, model)
        _, before = _head(read, found, branch)
    return [_planned(house, check_path(path), size_bytes, before) for path, size_bytes in files]


def _planned(house: House, path: str, size_bytes: int, before: Mapping[str, File]) -> Planned:
    most = house.policy.uploads.max_file_bytes
    if size_bytes > most:
        raise TooLarge(f"{path}: a file has at most {most} bytes here; split it into shards")
    return Planned(path, size_bytes >= house.policy.lfs_threshold_bytes, before.get(path))


def commit(
    house: House, ctx: Context, model: tuple[str, str], branch: str, wanted: Commit
) -> Published:
    """Record one revision; sending the same again is the same revision.

    What is removed goes first, then what is added comes.
    Raises: Conflict when the branch is not at `parent`, Invalid for what cannot be a revision,
    NotFound, NoSuchRevision, NotAllowed, Refused, Unavailable.
    """
    with house.db.reading() as read:
        _applied(house, read, ctx, writable(read, ctx, model), branch, wanted)
    stored = {c.path: _store(house, c) for c in wanted.changes if isinstance(c, Sent)}
    with house.db.acting(ctx) as act:
        act.lock(f"model:{model[0]}/{model[1]}")
        found = writable(act, ctx, model)
        head, after, refusal = _applied(house, act, ctx, found, branch, wanted, stored)
        manifest = content(write_manifest(after))
        if refusal is not None:
            if head is None or head.manifest_sha256 != manifest.sha256:
                raise refusal
            return Published(head.id, is_new=False, files=after)
        revision_id, is_new = record_revision(act, ctx, found.id, branch, wanted.message, manifest)
        act.uploads.drop_blobs(current(act, ctx).id, found.id, wanted.digests)
    return Published(revision_id, is_new, after)


def look(house: House, ctx: Context, model: tuple[str, str]) -> Model:
    """Return a model that the caller may publish into; raises as `writable`."""
    with house.db.reading() as read:
        return writable(read, ctx, model)


def _head(read: Readers, model: Model, branch: str) -> tuple[Revision | None, dict[str, File]]:
    """Return where a branch is, and its files; nothing for the main branch of an empty model."""
    refs = read.catalogue.refs(model.id)
    is_branch = any(ref.name == branch and ref.kind is RefKind.BRANCH for ref in refs)
    if not is_branch and (refs or branch != MAIN):
        raise NoSuchRevision(f"{model.full_name} has no branch {branch}")
    head = read.catalogue.revision(model.id, branch)
    files = read.catalogue.files(head.id) if head is not None else []
    return head, {file.path: file for file in files}


def _applied(
    house: House,
    read: Readers,
    ctx: Context,
    model: Model,
    branch: str,
    wanted: Commit,
    stored: Mapping[str, Stored] = MappingProxyType({}),
) -> tuple[Revision | None, list[File], GatekeeperError | None]:
    """Return where the branch is, the files after the changes, and why they cannot follow it.

    When they cannot, the branch may be at this very commit, sent again: then the files are those of
    a change to what was before it, and the caller compares.
    """
    head, before = _head(read, model, branch)
    known = held(house, read, ctx, model, wanted.digests)

    def facts(change: Sent | Named) -> File:
        return _facts(house, known, change, stored)

    at = head.id if head is not None else ""
    refusal: GatekeeperError = Conflict("another revision was published meanwhile", state=at)
    if wanted.parent in {"", at}:
        try:
            return head, _after(before, wanted.changes, facts), None
        except Invalid as error:
            refusal = error
    parent_id = head.parent_id if head is not None else None
    if parent_id is None or wanted.parent not in {"", parent_id}:
        raise refusal
    parent = {file.path: file for file in read.catalogue.files(parent_id)}
    try:
        return head, _after(parent, wanted.changes, facts), refusal
    except Invalid:
        raise refusal from None


def _after(
    before: Mapping[str, File], changes: Sequence[Change], facts: Callable[[Sent | Named], File]
) -> list[File]:
    after = _without(before, [change for change in changes if isinstance(change, Removed)])
    added: dict[str, File] = {}
    for change in changes:
        if isinstance(change, Removed):
            continue
        if check_path(change.path) in added:
            raise invalid("path", f"{change.path!r} is added twice")
        added[change.path] = replace(facts(change), path=change.path)
    after |= added
    check_tree(after)
    return sorted(after.values(), key=lambda file: file.path)


def _without(before: Mapping[str, File], removed: Sequence[Removed]) -> dict[str, File]:
    """Return the files that stay; raises Invalid for a removal that nothing is there for."""
    files = {check_path(each.path) for each in removed if not each.is_folder}
    folders = {check_path(each.path.rstrip("/")) for each in removed if each.is_folder}
    missing, after = files | folders, dict[str, File]()
    for path, file in before.items():
        gone = folders & set(folders_of(path)) if folders else set()
        gone |= {path} & files
        missing -= gone
        if not gone:
            after[path] = file
    if missing:
        raise invalid("path", f"there is no {min(missing)!r} to delete")
    return after


def _store(house: House, sent: Sent) -> Stored:
    with sent.open() as source:
        return house.objects.put(source, sent.size_bytes)


def _facts(
    house: House, known: Mapping[str, File], change: Sent | Named, stored: Mapping[str, Stored]
) -> File:
    """Return what a file will be; before its bytes are stored only its path and size are true."""
    if isinstance(change, Named):
        file = known.get(change.sha256)
        if file is None:
            detail = f"{change.path}: upload the bytes of sha256 {change.sha256} first"
            raise invalid("lfsFile", detail)
        if change.size_bytes not in {None, file.size_bytes}:
            raise invalid("lfsFile", f"{change.path}: these are {file.size_bytes} bytes")
        return file
    if change.size_bytes >= house.policy.lfs_threshold_bytes:
        raise TooLarge(f"{change.path}: send files of this size by git-LFS, not with the commit")
    came = stored.get(change.path)
    sha256, git_sha1 = (came.sha256, came.git_sha1) if came is not None else ("", "")
    return file_of(house, change.path, sha256, git_sha1, change.size_bytes)


def held(
    house: House, read: Readers, ctx: Context, model: Model, digests: AbstractSet[str]
) -> dict[str, File]:
    """Return the files that digests stand for: of bytes this person has sent, or may pass on.

    Nothing for unknown bytes and for somebody else's alike. What is open to everybody may be passed
    on, and within a namespace what its publishers have there. Who reads by a grant sends the bytes:
    then the ledger says that they were fetched before they are anywhere else.
    """
    if not digests:
        return {}
    person = current(read, ctx)
    sent = read.uploads.held(person.id, digests, ctx.now)
    found = {
        sha256: file_of(house, "", sha256, upload.git_sha1, upload.staging.size_bytes)
        for sha256, upload in sent.items()
    }
    places = read.catalogue.places(person.id, digests - found.keys(), model.id, MOST_PLACES)
    models = read.catalogue.models_by_id({model_id for model_id, _ in places})
    standings = access.standings(read, person, list(models.values()))
    for model_id, file in places:
        there = models[model_id]
        verdict = decide(standings[model_id], there, Fetch(file.path), ctx.now)
        is_theirs = verdict.basis is Basis.MEMBER and there.namespace == model.namespace
        if verdict.allowed and (is_theirs or verdict.basis is Basis.OPEN):
            found.setdefault(file.sha256, file)
    return found
