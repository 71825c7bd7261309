"""Releases, models and their files, with the caller's access to each."""

from __future__ import annotations

from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import catalogue, contents
from gatekeeper.services.publishing import cards, models, repositories, tiers
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import answers, bodies, queries
from gatekeeper.web.api.wire import cards as wire
from gatekeeper.web.api.wire.answers import Page
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

noun = Noun("catalogue", "Releases, models and files, with what each still asks of the caller.")


@noun.get("/releases", scope=None)
def list_releases(ctx: Context, asked: queries.Releases) -> Page[answers.ReleaseRow]:
    """Return releases with a model the caller may see, last changed first, a page at a time."""
    views, place = catalogue.releases(house(), ctx, after=asked.after, limit=asked.limit)
    return Page[answers.ReleaseRow](
        items=tuple(map(present.release_row, views)),
        next=queries.write_place(*place) if place is not None else None,
    )


@noun.get("/releases/<owner>/<release>", scope=None)
def show_release(ctx: Context, owner: str, release: str) -> answers.Release:
    """Return one release with risk analysis, detection guide and stage plan."""
    return present.release(catalogue.release(house(), ctx, owner, release))


@noun.get("/models", scope=None)
def list_models(ctx: Context, asked: queries.Models) -> Page[answers.ModelRow]:
    """Return models by name, a page at a time."""
    found, place = catalogue.list_models(
        house(),
        ctx,
        author=asked.author,
        search=[asked.search] if asked.search else [],
        gated=asked.gated,
        after=parts(asked.after) if asked.after is not None else None,
        limit=asked.limit,
    )
    return Page[answers.ModelRow](
        items=tuple(map(present.model_row, found)),
        next="/".join(place) if place is not None else None,
    )


@noun.get("/models/<owner>/<name>", scope=None)
def show_model(ctx: Context, owner: str, name: str) -> answers.Model:
    """Return one model: what it asks of the caller, and the files of its main branch."""
    return present.model(catalogue.model(house(), ctx, owner, name))


@noun.post("/models/<owner>/<name>/form", scope=Scope.WRITE)
def set_form(ctx: Context, owner: str, name: str, sent: bodies.ChangedForm) -> Done[answers.Model]:
    """Let a model ask another form from now on, or none; for owners and publishers.

    What was submitted keeps the form it answered. When another form is in force than the one
    `seen`, it is a 409.
    """
    catalogue.find(house(), ctx, owner, name)  # what is hidden from the caller is a 404
    models.set_form(house(), ctx, (owner, name), sent.typed, sent.seen)
    return Done(lambda: show_model(ctx, owner, name))


@noun.post("/models/<owner>/<name>/tier", scope=Scope.WRITE)
def choose_tier(
    ctx: Context, owner: str, name: str, sent: bodies.ChosenTier
) -> Done[answers.Model]:
    """Choose the tier of a model, or a stricter one; for owners and publishers.

    The first choice for a model that a client made may be any tier that lets somebody in.
    """
    tiers.settle(house(), ctx, (owner, name), tiers.named(house(), sent.tier), None)
    return Done(lambda: show_model(ctx, owner, name))


@noun.post("/namespaces/<owner>/new-model-tier", scope=Scope.WRITE)
def choose_new_model_tier(
    ctx: Context, owner: str, sent: bodies.NewModelTier
) -> Done[answers.Namespace]:
    """Give a tier to the models that clients make under a name, or none; for its owners."""
    chosen = tiers.named(house(), sent.tier) if sent.tier is not None else None
    repositories.choose_new_model_tier(house(), ctx, owner, chosen)
    return Done(lambda: answers.Namespace(name=owner, new_model_tier=sent.tier))


@noun.post("/models/<owner>/<name>/import-card", scope=Scope.WRITE)
def import_card(ctx: Context, owner: str, name: str, sent: wire.NewImport) -> Done[wire.Import]:
    """Take over the gate that the model's card describes in the Hub's keys; for publishers.

    Its tier, agreement and form come from `gated` and `extra_gated_…`. What cannot be kept is a 422
    that names the key, and so is a card without `gated` for a model whose tier nobody chose. A tier
    that was decided is never loosened; repeating it changes nothing.
    """
    model, dry_run = (owner, name), sent.dry_run
    done = cards.import_card(house(), ctx, model, sent.revision, dry_run=dry_run)
    return Done(lambda: present.card_import(done, dry_run=dry_run))


@noun.get("/models/<owner>/<name>/revisions/<segment:revision>/files", scope=None)
def list_files(ctx: Context, owner: str, name: str, revision: str) -> answers.Files:
    """Return the files of a branch, a tag or a commit; a slash in its name is sent as %2F."""
    return present.contents(contents.show(house(), ctx, owner, name, revision))
