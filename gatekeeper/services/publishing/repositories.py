"""A model as a client makes it, and as its owner renames or deletes it.

It begins empty, withheld, and on a page of its own, until its owner decides. What somebody holds or
has applied for keeps its namespace and is not deleted: who could fetch what stays on record.
Not here: what is committed to it (commits), what its owner decides (models, tiers).
"""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.db.readers import Readers
from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.catalogue import (
    Model,
    ModelId,
    ReleaseId,
    Visibility,
    check_repo_name,
    has_way_in,
)
from gatekeeper.domain.errors import Conflict, Moved, NotAllowed, NotFound, invalid
from gatekeeper.domain.facts import catalogue as f
from gatekeeper.domain.people import PUBLISHERS, Context
from gatekeeper.domain.sealed import content
from gatekeeper.domain.tiers import Tier
from gatekeeper.services import access
from gatekeeper.services.people import current
from gatekeeper.services.ports import House
from gatekeeper.services.publishing.folder import unwritten, write_content
from gatekeeper.services.publishing.releases import check_owner, check_publisher, writable


@dataclass(frozen=True, slots=True)
class Made:
    """A model under a name, and whether it was made just now."""

    model: Model
    is_new: bool


def create(
    house: House, ctx: Context, namespace: str, name: str, visibility: Visibility | None
) -> Made:
    """Return the model of this name, made now if there was none that the caller may see.

    '' as namespace is the caller's own name. A new model has the tier that its namespace gives to
    such models, or the strictest with the choice left open. It belongs to the release of its name,
    which is made as well where there is none. A former name leads to its model.
    Raises: Invalid (name), NotAllowed, Refused.
    """
    check_repo_name(name)
    with house.db.reading() as read:
        namespace = check_repo_name(namespace or current(read, ctx).username, "organization")
        try:
            return Made(access.find_model(read, ctx, namespace, name).model, is_new=False)
        except Moved as moved:
            return Made(access.find_model(read, ctx, *moved.pair).model, is_new=False)
        except NotFound:
            _check_namespace(read, ctx, namespace)
    with house.db.acting(ctx) as act:
        act.lock(f"model:{namespace}/{name}")
        check_publisher(act, ctx, namespace)
        found = act.catalogue.model(namespace, name)
        if found is not None:
            return Made(found, is_new=False)
        made = _record_new(house, act, ctx, (namespace, name), visibility or Visibility.PUBLIC)
    return Made(made, is_new=True)


def _record_new(
    house: House, act: Act, ctx: Context, full_name: tuple[str, str], visibility: Visibility
) -> Model:
    namespace, name = full_name
    own = act.catalogue.namespace(namespace)
    tier = own.new_model_tier if own is not None else ""
    model_id = ModelId(ctx.new_id("mod"))
    act.record(
        f.ModelCreated(
            model_id=model_id,
            release_id=_release(act, ctx, namespace, name),
            namespace=namespace,
            name=name,
            title=name,
            tier=tier or strictest(house).code,
            visibility=visibility,
            agreements=(),
            form=None,
            open_files=(),
        ),
        *([] if tier else [f.TierLeftOpen(model_id)]),
    )
    made = act.catalogue.model_by_id(model_id)
    assert made is not None  # noqa: S101  it was recorded just now
    return made


def choose_new_model_tier(house: House, ctx: Context, namespace: str, tier: Tier | None) -> None:
    """Give a tier to the models that clients make in a namespace; None leaves each to be decided.

    Raises: Invalid for a tier that lets nobody in without further terms, NotAllowed, NotFound.
    """
    if tier is not None and not has_way_in(tier, agreements=False, form=False):
        raise invalid("tier", f"{tier.code} lets nobody in before a model has an agreement or form")
    code = tier.code if tier is not None else ""
    with house.db.acting(ctx) as act:
        check_owner(act, ctx, namespace)
        act.lock(f"namespace:{namespace}")
        own = act.catalogue.namespace(namespace)
        if own is None:
            raise NotFound("no such namespace")
        if own.new_model_tier != code:
            act.record(f.NewModelTierChosen(namespace, code))


def move(house: House, ctx: Context, source: tuple[str, str], target: tuple[str, str]) -> Model:
    """Give a model another name; its former one leads to it from now on.

    Raises: Conflict for a name that a model has or had, and for another namespace when somebody
    holds the model or has applied for it; Invalid, NotAllowed, NotFound, Refused.
    """
    for part in target:
        check_repo_name(part, "toRepo")
    with house.db.acting(ctx) as act:
        for namespace, name in sorted({source, target}):
            act.lock(f"model:{namespace}/{name}")
        model = writable(act, ctx, source)
        for namespace in (source[0], target[0]):
            check_owner(act, ctx, namespace)
        if source == target:
            return model
        taken = act.catalogue.model(*target) or act.catalogue.formerly(*target)
        if taken is not None and taken.id != model.id:
            raise Conflict(f"{'/'.join(target)} is the name of a model, or was one")
        release_id = model.release_id
        if target[0] != model.namespace:
            _check_nobodys(act, model, "it stays in its namespace")
            release_id = _release(act, ctx, *target)
        act.record(f.ModelMoved(model.id, release_id, *target))
        moved = act.catalogue.model_by_id(model.id)
    assert moved is not None  # noqa: S101  it was recorded just now
    return moved


def remove(house: House, ctx: Context, name: tuple[str, str]) -> None:
    """Delete a model with its revisions; whoever has its bytes keeps them.

    Known gap: its blobs stay in the store; `fsck` counts those that no revision names.
    Raises: Conflict when somebody holds the model or has applied for it; NotAllowed, NotFound.
    """
    with house.db.acting(ctx) as act:
        act.lock(f"model:{name[0]}/{name[1]}")
        model = writable(act, ctx, name)
        check_owner(act, ctx, model.namespace)
        _check_nobodys(act, model, "it is not deleted; hide it, or tighten its tier")
        uploads = act.uploads.of_model(model.id)
        act.uploads.keep_until([upload.id for upload in uploads], ctx.now)  # swept like others
        act.ephemeral.delete_drafts_for(model.id)
        act.record(f.ModelDeleted(model.id))


def _check_nobodys(read: Readers, model: Model, so: str) -> None:
    if read.catalogue.is_somebodys(model.id):
        detail = f"somebody holds {model.full_name}, or has applied for it: {so}"
        raise Conflict(detail, state=model.tier.code)


def strictest(house: House) -> Tier:
    """Return the tier that lets the fewest in: that of a model nobody has decided about."""
    return max(house.tiers.by_code.values(), key=lambda tier: tier.rank)


def _check_namespace(read: Readers, ctx: Context, namespace: str) -> None:
    try:
        check_publisher(read, ctx, namespace)
    except NotAllowed as error:
        roles = read.people.memberships(current(read, ctx).id)
        mine = sorted(name for name, held in roles.items() if held & PUBLISHERS)
        names = f"you publish under {', '.join(mine)}" if mine else "ask its owner for the role"
        detail = f"{error}; {names}"
        raise NotAllowed(error.guard, detail) from error


def _release(act: Act, ctx: Context, namespace: str, name: str) -> ReleaseId:
    act.lock(f"release:{namespace}/{name}")
    release = act.catalogue.release(namespace, name)
    if release is not None:
        return release.id
    release_id = ReleaseId(ctx.new_id("rel"))
    body = content(write_content(unwritten(name)))
    act.record(f.ReleaseCreated(release_id, namespace, name, name, body))
    return release_id
