"""Namespaces and releases: add, create, change the content of the page."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from gatekeeper.db.readers import Readers
from gatekeeper.domain.catalogue import Model, Release, ReleaseId, check_repo_name
from gatekeeper.domain.errors import NotAllowed, NotFound, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.people import PUBLISHERS, Context, Role, Scope, check_owner_name
from gatekeeper.domain.sealed import content
from gatekeeper.services import access
from gatekeeper.services.people import current, need_scope
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import ReleaseContent, unwritten, write_content

MAX_TITLE_CHARS = 200


def add_namespace(house: House, ctx: Context, name: str, title: str) -> None:
    """Add an organisation's namespace; raises Invalid for a reserved or taken name."""
    check_owner_name(name, "namespace")
    with house.db.acting(ctx) as act:
        act.lock("owner-names")
        if not act.people.owner_name_is_free(name):
            raise invalid("namespace", "this name is taken")
        act.record(f.NamespaceAdded(name, title.strip()[:MAX_TITLE_CHARS] or name))


def create_or_change(
    house: House, ctx: Context, namespace: str, name: str, title: str, page: ReleaseContent | None
) -> Release:
    """Create a release with its page, or give the page new content; repeating changes nothing.

    Without a page a new release has one that is to be written, and another keeps what it has.
    """
    check_repo_name(name, "release")
    if not 1 <= len(title) <= MAX_TITLE_CHARS:
        raise invalid("title", f"give a title of 1 to {MAX_TITLE_CHARS} characters")
    with house.db.acting(ctx) as act:
        check_publisher(act, ctx, namespace)
        act.lock(f"release:{namespace}/{name}")
        release = act.catalogue.release(namespace, name)
        if page is None and release is not None:
            body = content(act.catalogue.content(release.content_sha256))
        else:
            body = content(write_content(page or unwritten(title)))
        if release is None:
            release_id = ReleaseId(ctx.new_id("rel"))
            act.record(f.ReleaseCreated(release_id, namespace, name, title, body))
        elif (release.content_sha256, release.title) != (body.sha256, title):
            act.record(f.ReleaseContentChanged(release.id, title, body))
        found = act.catalogue.release(namespace, name)
    assert found is not None  # noqa: S101  it was recorded just now
    return found


def check_publisher(read: Readers, ctx: Context, namespace: str) -> None:
    """Refuse to publish unless the operator or an owner or publisher of the namespace acts.

    Others are not told whether there is such a namespace: all of its models may be hidden.
    """
    _check_role(read, ctx, namespace, PUBLISHERS, "owner or publisher")


def check_owner(read: Readers, ctx: Context, namespace: str) -> None:
    """Refuse unless the operator or an owner of the namespace acts, as `check_publisher` does."""
    _check_role(read, ctx, namespace, {Role.OWNER}, "owner")


def _check_role(
    read: Readers, ctx: Context, namespace: str, needed: AbstractSet[Role], words: str
) -> None:
    if ctx.actor.is_operator:
        if read.catalogue.namespace(namespace) is None:
            raise NotFound(f"no namespace {namespace}; add it with `gatekeeper namespace add`")
        return
    need_scope(ctx, Scope.WRITE)
    roles = read.people.roles_in(current(read, ctx).id, namespace)
    if not roles & needed:
        raise NotAllowed("G-role", f"you are no {words} of {namespace}")


def writable(read: Readers, ctx: Context, model: tuple[str, str]) -> Model:
    """Return a model this person, or the operator, may publish into.

    Raises: NotFound for one they may not see, NotAllowed for one they may only see, Refused.
    """
    if ctx.actor.is_operator:  # sees hidden ones as well
        named = read.catalogue.model(*model)
        if named is None:
            raise NotFound("no such model")
        return named
    found = access.find_model(read, ctx, *model).model
    check_publisher(read, ctx, found.namespace)
    return found
