"""Publish a folder as one revision of a model, or nothing.

Files are hashed while they are stored (one read); what was hashed and stored before is skipped, so
a run that was killed goes on where it stopped. Only when every blob is durable does one act record
the model and its revision. Bytes and hashing stay outside of any transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.catalogue import (
    AgreementId,
    File,
    Model,
    ModelId,
    Ref,
    RefKind,
    RevisionId,
    Visibility,
    check_path,
    check_ref_name,
    check_repo_name,
    has_way_in,
)
from gatekeeper.domain.errors import NotFound, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.forms import Form, write_form
from gatekeeper.domain.people import Context
from gatekeeper.domain.sealed import Content, content
from gatekeeper.domain.tiers import Tier
from gatekeeper.services.access import ANY_FILE
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import tiers
from gatekeeper.services.publishing.files import Progress, paths_in, store
from gatekeeper.services.publishing.releases import MAX_TITLE_CHARS, check_publisher
from gatekeeper.services.publishing.terms import terms_of

MAX_MESSAGE_CHARS = 2000
MAX_OPEN_FILES_BYTES = 8192  # of all their names together: an entry holds them


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
    tag: str = ""  # a tag to give the revision; none when empty
    message: str = ""


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

    Raises: Invalid (a name, an empty folder, a looser tier, terms that let nobody in, a tag of
    another revision), NotFound (release), Unavailable.
    """
    _check_names(target)
    with house.db.acting(ctx) as act:  # refuse before hashing a terabyte
        _check_target(act, ctx, target)
    files = [store(house, ctx, directory, path, on_progress) for path in paths_in(directory)]
    manifest = content(write_manifest(files))
    with house.db.acting(ctx) as act:
        act.lock(f"model:{target.namespace}/{target.name}")
        _check_target(act, ctx, target)
        model_id = _record_model(act, ctx, target)
        revision_id, is_new = record_revision(
            act, ctx, model_id, target.branch, target.message, manifest
        )
        if target.tag:
            _tag(act, model_id, target.tag, revision_id)
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


def _check_names(target: Target) -> None:
    check_repo_name(target.name)
    check_ref_name(target.branch, "branch")
    if target.tag:
        check_ref_name(target.tag, "tag")
    if target.tag == target.branch:
        raise invalid("tag", "a revision's branch and its tag have two names")
    if len(target.title) > MAX_TITLE_CHARS:
        raise invalid("title", f"at most {MAX_TITLE_CHARS} characters")
    for path in target.open_files or ():
        if check_path(path) == ANY_FILE.path:
            raise invalid("open_files", "name each open file: `*` is the name of none")
    if len("".join(target.open_files or ()).encode()) > MAX_OPEN_FILES_BYTES:
        raise invalid("open_files", f"at most {MAX_OPEN_FILES_BYTES} bytes of names")


def _check_target(act: Act, ctx: Context, target: Target) -> None:
    check_publisher(act, ctx, target.namespace)
    if act.catalogue.release(target.namespace, target.release) is None:
        raise NotFound(f"no release {target.namespace}/{target.release}; create it first")
    for agreement_id in target.agreements or ():
        if act.agreements.current(agreement_id) is None:
            raise NotFound(f"no agreement {agreement_id}; publish it first")
    model = act.catalogue.model(target.namespace, target.name)
    _check_way_in(target, model)
    if model is None:
        return
    if tiers.is_looser(model, target.tier):
        raise invalid(
            "tier",
            f"{model.full_name} is {model.tier.code}; loosening a tier is a stage decision",
        )
    if model.release_name != target.release:
        raise invalid("release", f"{model.full_name} belongs to {model.release_name}")
    _check_ref(act, model.id, RefKind.BRANCH, target.branch)


def _check_way_in(target: Target, model: Model | None) -> None:
    agreements, form = target.agreements, target.form is not None
    if model is not None:
        agreements = model.agreements if agreements is None else agreements
        form = form or model.form_sha256 is not None
    if not has_way_in(target.tier, agreements=bool(agreements), form=form):
        raise invalid(
            "agreement",
            f"{target.tier.code} is granted without a reviewer: name the agreement to accept "
            "(--agreement) or the form to fill in (--form)",
        )


def _record_model(act: Act, ctx: Context, target: Target) -> ModelId:
    model = act.catalogue.model(target.namespace, target.name)
    if model is None:
        return _create_model(act, ctx, target)
    tiers.record(act, model, target.tier)
    before = terms_of(act, model)
    after = _changed(before, target)
    if after != before:
        act.record(after)
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
            agreements=tuple(dict.fromkeys(target.agreements or ())),
            form=_form(target),
            open_files=tuple(sorted(set(target.open_files or ()))),
        )
    )
    return model_id


def _changed(terms: f.ModelTermsChanged, target: Target) -> f.ModelTermsChanged:
    """Return the terms with what the target says of them."""
    agreements = terms.agreements if target.agreements is None else target.agreements
    open_files = terms.open_files if target.open_files is None else target.open_files
    return replace(
        terms,
        title=target.title or terms.title,
        visibility=target.visibility or terms.visibility,
        agreements=tuple(dict.fromkeys(agreements)),
        form=_form(target) or terms.form,
        open_files=tuple(sorted(set(open_files))),
    )


def _form(target: Target) -> Content | None:
    return content(write_form(target.form)) if target.form is not None else None


def record_revision(
    act: Act, ctx: Context, model_id: ModelId, branch: str, message: str, manifest: Content
) -> tuple[RevisionId, bool]:
    """Record a revision of files that are stored, and move the branch; False when none changed.

    The caller has locked the model, and checked who acts and every file.
    """
    head = act.catalogue.revision(model_id, branch)
    if head is not None and head.manifest_sha256 == manifest.sha256:
        return head.id, False
    parent_id = head.id if head is not None else None
    names = f"{model_id}\x00{parent_id}\x00{manifest.sha256}\x00{ctx.event_id()}"
    revision_id = RevisionId(hashlib.sha256(names.encode()).hexdigest()[:40])
    said = content((message.strip() or "Publish")[:MAX_MESSAGE_CHARS])
    act.record(f.RevisionPublished(revision_id, model_id, parent_id, branch, manifest, said))
    return revision_id, True


def _tag(act: Act, model_id: ModelId, name: str, revision_id: RevisionId) -> None:
    taken = _check_ref(act, model_id, RefKind.TAG, name)
    if taken is None:
        act.record(f.RefSet(model_id, RefKind.TAG, name, revision_id))
    elif taken.revision_id != revision_id:
        raise invalid("tag", f"{name} names the revision {taken.revision_id}; a tag does not move")


def _check_ref(act: Act, model_id: ModelId, kind: RefKind, name: str) -> Ref | None:
    """Return the branch or tag of a name, if there is one; raises Invalid for the other kind."""
    taken = next((ref for ref in act.catalogue.refs(model_id) if ref.name == name), None)
    if taken is not None and taken.kind is not kind:
        raise invalid(str(kind), f"{name} is a {taken.kind} of this model")
    return taken
