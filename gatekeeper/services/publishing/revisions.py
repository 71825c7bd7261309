"""Publish a folder as one revision of a model, or nothing.

Files are hashed while they are stored (one read); what was hashed and stored before is skipped, so
a run that was killed goes on where it stopped. Only when every blob is durable does one act record
the model and its revision. Bytes and hashing stay outside of any transaction.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.catalogue import (
    AgreementId,
    File,
    Model,
    ModelId,
    RefKind,
    RevisionId,
    Visibility,
    check_path,
    check_ref_name,
    check_repo_name,
)
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.forms import Form, write_form
from gatekeeper.domain.people import Context
from gatekeeper.domain.sealed import Content, content
from gatekeeper.domain.tiers import Tier
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.releases import check_publisher

MAX_FILES = 20_000
MAX_MESSAGE_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """Where to publish and under what; what is not said stays as it is for a model that exists.

    For a new model it means no agreement, no form, public, nothing open but card and licence.
    """

    namespace: str
    name: str
    release: str
    tier: Tier
    title: str = ""
    agreements: Sequence[AgreementId] | None = None
    form: Form | None = None
    visibility: Visibility | None = None
    open_files: Sequence[str] | None = None
    branch: str = "main"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a publish is; `skipped` when the file was stored before."""

    path: str
    size_bytes: int
    done_bytes: int
    skipped: bool


@dataclass(frozen=True, slots=True)
class Published:
    """The revision a publish led to; `is_new` is False when nothing had changed."""

    revision_id: RevisionId
    is_new: bool
    files: Sequence[File]


def publish(
    house: House,
    ctx: Context,
    directory: Path,
    target: Target,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Published:
    """Store a folder's files and record one revision; on return all of it is durable.

    Raises: Invalid (a name, an empty folder, a looser tier), NotFound (release), Unavailable.
    """
    check_repo_name(target.name)
    with house.db.acting(ctx) as act:  # refuse before hashing a terabyte
        _check_target(act, ctx, target)
    files = [_store(house, ctx, directory, path, on_progress) for path in _paths(directory)]
    manifest = content(write_manifest(files))
    with house.db.acting(ctx) as act:
        _check_target(act, ctx, target)
        act.lock(f"model:{target.namespace}/{target.name}")
        model_id = _record_model(act, ctx, target)
        revision_id, is_new = _record_revision(act, ctx, model_id, target, manifest)
    return Published(revision_id, is_new, files)


def write_manifest(files: Sequence[File]) -> str:
    """Write the manifest: one canonical JSON object a line, by path."""
    rows = [
        {
            "path": file.path,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "git_oid": file.git_oid,
            "lfs": file.lfs,
        }
        for file in sorted(files, key=lambda file: file.path)
    ]
    return "".join(
        json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
        for row in rows
    )


def _paths(directory: Path) -> list[str]:
    if not directory.is_dir():
        raise invalid("directory", f"{directory} is not a folder")
    paths = sorted(_walk(directory, directory))
    if not 1 <= len(paths) <= MAX_FILES:
        raise invalid("directory", f"a revision has 1 to {MAX_FILES} files; this has {len(paths)}")
    return [check_path(path) for path in paths]


def _walk(directory: Path, top: Path) -> Iterator[str]:
    """Go through regular files, never following a link out of the folder."""
    with os.scandir(directory) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_symlink():
            raise invalid("directory", f"{entry.path} is a link; publish the file itself")
        if entry.is_dir():
            if entry.name not in {".git", ".cache"}:
                yield from _walk(Path(entry.path), top)
        elif stat.S_ISREG(entry.stat().st_mode):
            yield Path(entry.path).relative_to(top).as_posix()
        else:
            raise invalid("directory", f"{entry.path} is not a regular file")


def _store(
    house: House,
    ctx: Context,
    directory: Path,
    path: str,
    on_progress: Callable[[Progress], None],
) -> File:
    source = directory / path
    with source.open("rb") as stream:
        status = os.fstat(stream.fileno())
        mark = _mark(source, status)
        with house.db.reading() as read:
            known = read.ephemeral.publish_mark(mark)
        if known is not None and house.objects.size(known[0]) == known[2] == status.st_size:
            on_progress(Progress(path, status.st_size, status.st_size, skipped=True))
            return _file(house, path, *known)
        stored = house.objects.put(
            stream,
            status.st_size,
            lambda done: on_progress(Progress(path, status.st_size, done, skipped=False)),
        )
    with house.db.acting(ctx) as act:
        act.ephemeral.keep_publish_mark(
            mark, stored.sha256, stored.git_sha1, stored.size_bytes, ctx.now
        )
    return _file(house, path, stored.sha256, stored.git_sha1, stored.size_bytes)


def _mark(source: Path, status: os.stat_result) -> str:
    parts = (source.resolve(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()


def _file(house: House, path: str, sha256: str, git_sha1: str, size_bytes: int) -> File:
    if size_bytes < house.policy.lfs_threshold_bytes:
        return File(path, size_bytes, sha256, git_sha1, lfs=False)
    return File(path, size_bytes, sha256, git_sha1_of(lfs_pointer(sha256, size_bytes)), lfs=True)


def lfs_pointer(sha256: str, size_bytes: int) -> bytes:
    """Write the git-LFS pointer of a blob. Source: git-lfs specification, version 1."""
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{sha256}")
    return "\n".join((*lines, f"size {size_bytes}", "")).encode()


def git_sha1_of(blob: bytes) -> str:
    """Return the git object id of a small blob."""
    return hashlib.sha1(b"blob %d\x00" % len(blob) + blob, usedforsecurity=False).hexdigest()


def _check_target(act: Act, ctx: Context, target: Target) -> None:
    check_publisher(act, ctx, target.namespace)
    if act.catalogue.release(target.namespace, target.release) is None:
        raise NotFound(f"no release {target.namespace}/{target.release}; create it first")
    for agreement_id in target.agreements or ():
        if act.agreements.current(agreement_id) is None:
            raise NotFound(f"no agreement {agreement_id}; publish it first")
    model = act.catalogue.model(target.namespace, target.name)
    if model is not None and target.tier.rank < model.tier.rank:
        raise invalid(
            "tier",
            f"{model.full_name} is {model.tier.code}; loosening a tier is a stage decision",
        )
    if model is not None and model.release_name != target.release:
        raise invalid("release", f"{model.full_name} belongs to {model.release_name}")


def _record_model(act: Act, ctx: Context, target: Target) -> ModelId:
    model = act.catalogue.model(target.namespace, target.name)
    if model is None:
        return _create_model(act, ctx, target)
    if target.tier.rank > model.tier.rank:
        act.record(f.ModelTightened(model.id, target.tier.code))
    terms = _terms(act, model, target)
    if not _same_terms(model, terms):
        act.record(terms)
    return model.id


def _create_model(act: Act, ctx: Context, target: Target) -> ModelId:
    release = act.catalogue.release(target.namespace, target.release)
    assert release is not None  # noqa: S101  _check_target found it
    model_id = ModelId(ctx.new_id("mod"))
    act.record(
        f.ModelCreated(
            model_id=model_id,
            release_id=release.id,
            namespace=target.namespace,
            name=target.name,
            title=target.title or target.name,
            tier=target.tier.code,
            visibility=target.visibility or Visibility.PUBLIC,
            agreements=tuple(target.agreements or ()),
            form=_form(target),
            open_files=tuple(sorted(target.open_files or ())),
        )
    )
    return model_id


def _terms(act: Act, model: Model, target: Target) -> f.ModelTermsChanged:
    agreements = model.agreements if target.agreements is None else target.agreements
    open_files = model.open_files if target.open_files is None else target.open_files
    form = _form(target)
    if form is None and model.form_sha256 is not None:
        form = content(act.catalogue.content(model.form_sha256))
    return f.ModelTermsChanged(
        model_id=model.id,
        title=target.title or model.title,
        visibility=target.visibility or model.visibility,
        agreements=tuple(agreements),
        form=form,
        open_files=tuple(sorted(open_files)),
    )


def _same_terms(model: Model, terms: f.ModelTermsChanged) -> bool:
    return (
        model.agreements == terms.agreements
        and model.form_sha256 == (terms.form.sha256 if terms.form is not None else None)
        and model.visibility is terms.visibility
        and model.open_files == frozenset(terms.open_files)
        and model.title == terms.title
    )


def _form(target: Target) -> Content | None:
    return content(write_form(target.form)) if target.form is not None else None


def _record_revision(
    act: Act, ctx: Context, model_id: ModelId, target: Target, manifest: Content
) -> tuple[RevisionId, bool]:
    head = act.catalogue.revision(model_id, target.branch)
    if head is not None and head.manifest_sha256 == manifest.sha256:
        return head.id, False
    parent_id = head.id if head is not None else None
    names = f"{model_id}\x00{parent_id}\x00{manifest.sha256}\x00{ctx.event_id()}"
    revision_id = RevisionId(hashlib.sha256(names.encode()).hexdigest()[:40])
    message = (target.message.strip() or "Publish")[:MAX_MESSAGE_CHARS]
    act.record(
        f.RevisionPublished(
            revision_id, model_id, parent_id, target.branch, manifest, content(message)
        )
    )
    return revision_id, True


def set_ref(
    house: House, ctx: Context, model: tuple[str, str], kind: RefKind, name: str, revision: str
) -> None:
    """Point a branch or a new tag at a revision; raises Invalid for a tag that exists."""
    check_ref_name(name, "name")
    with house.db.acting(ctx) as act:
        check_publisher(act, ctx, model[0])
        found = act.catalogue.model(*model)
        if found is None:
            raise NotFound("no such model")
        target = act.catalogue.revision(found.id, revision)
        if target is None:
            raise NotFound("no such revision")
        taken = [r for r in act.catalogue.refs(found.id) if r.name == name]
        if taken and (kind is RefKind.TAG or taken[0].kind is not kind):
            raise invalid("name", f"{name} exists already")
        act.record(f.RefSet(found.id, kind, name, target.id))
