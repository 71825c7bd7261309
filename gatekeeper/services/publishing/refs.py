"""Branches and tags of a model: made and removed. A tag does not move, and no revision goes."""

from __future__ import annotations

from gatekeeper.db.readers import Readers
from gatekeeper.domain.catalogue import Model, Ref, RefKind, check_ref_name
from gatekeeper.domain.errors import Conflict, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.people import Context
from gatekeeper.services.downloads import NoSuchRevision
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.releases import writable

MAIN = "main"
MOST_REFS = 1000  # of one model


def create(
    house: House, ctx: Context, model: tuple[str, str], kind: RefKind, name: str, at: str
) -> None:
    """Name a revision; `at` is a branch, a tag or a commit id.

    Raises: Conflict when the name is taken, Invalid for no name and for too many, NoSuchRevision,
    NotFound, NotAllowed, Refused.
    """
    check_ref_name(name, str(kind))
    if name == "HEAD" or name.startswith("refs/"):
        raise invalid(str(kind), f"{name} means something else to git; choose another name")
    with house.db.acting(ctx) as act:
        act.lock(f"model:{model[0]}/{model[1]}")
        found = writable(act, ctx, model)
        refs = act.catalogue.refs(found.id)
        if any(ref.name == name for ref in refs):
            raise Conflict(f"{name} is a name of this model already", state=name)
        if len(refs) >= MOST_REFS:
            raise invalid(str(kind), f"a model has at most {MOST_REFS} branches and tags")
        revision = act.catalogue.revision(found.id, at)
        if revision is None:
            raise NoSuchRevision(f"{found.full_name} has no revision {at}")
        act.record(f.RefSet(found.id, kind, name, revision.id))


def remove(house: House, ctx: Context, model: tuple[str, str], kind: RefKind, name: str) -> None:
    """Take a name away; its revision stays, under its id.

    Raises: Invalid for the main branch, NoSuchRevision, NotFound, NotAllowed, Refused.
    """
    with house.db.acting(ctx) as act:
        act.lock(f"model:{model[0]}/{model[1]}")
        found = writable(act, ctx, model)
        ref = _ref(act, found, kind, name)
        if name == MAIN:
            raise invalid(str(kind), "the main branch stays: it is what a model is")
        act.record(f.RefRemoved(found.id, kind, ref.name))


def _ref(read: Readers, model: Model, kind: RefKind, name: str) -> Ref:
    for ref in read.catalogue.refs(model.id):
        if (ref.kind, ref.name) == (kind, name):
            return ref
    raise NoSuchRevision(f"{model.full_name} has no {kind} {name}")
