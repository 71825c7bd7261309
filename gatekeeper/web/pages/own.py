"""Owners and publishers: how a release's models stand, their tiers, the form and card of each.

Everybody else is answered as for a release that does not exist. Not here: the form while it is
being changed (form_editor), publishing (the command line), deciding applications (review).
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.catalogue import has_way_in
from gatekeeper.domain.errors import Conflict, Invalid, NotFound
from gatekeeper.domain.forms import MAX_FIELDS
from gatekeeper.services.publishing import cards, models, repositories, tiers
from gatekeeper.services.publishing.models import Managed, ManagedModel
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import card_page, form_editor
from gatekeeper.web.pages.catalogue import named
from gatekeeper.web.pages.form_editor import Sheet
from gatekeeper.web.pages.frame import notify, page, see, signed_in
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

blueprint = Blueprint("own", __name__)


@blueprint.get("/own/<owner>/<release>")
@signed_in
def show(owner: str, release: str) -> ResponseReturnValue:
    """Show how the models of a release stand, and the commands that publish into it."""
    return _index(models.manage(house(), session_context(), *named(owner, release)))


@blueprint.post("/own/<owner>/<release>/<model>/tier")
@signed_in
def choose_tier(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Choose the tier of a model, or a stricter one."""
    managed, found = _find(owner, release, model)
    pair = (found.model.namespace, found.model.name)
    try:
        chosen = tiers.named(house(), request.form.get("tier", ""))
        settled = tiers.settle(house(), session_context(), pair, chosen, None)
    except Invalid as error:
        wrong = wrongs(error, {"tier": "Who gets in"}, found.model.name)
        return _index(managed, wrong), 422
    notify("ok", f"{settled.title} is {settled.tier.code} {settled.tier.word}.")
    return see(f"/own/{managed.release.full_name}")


@blueprint.post("/own/<owner>/<release>/new-models")
@signed_in
def choose_new_model_tier(owner: str, release: str) -> ResponseReturnValue:
    """Give a tier to the models that clients make in the namespace."""
    managed = models.manage(house(), session_context(), *named(owner, release))
    code = request.form.get("tier", "")
    try:
        chosen = tiers.named(house(), code) if code else None
        repositories.choose_new_model_tier(house(), session_context(), owner, chosen)
    except Invalid as error:
        return _index(managed, wrongs(error, {"tier": "New models"}, "new")), 422
    word = f"{chosen.code} {chosen.word}" if chosen is not None else "withheld until you decide"
    notify("ok", f"New models of {owner} are {word}.")
    return see(f"/own/{managed.release.full_name}")


def _index(managed: Managed, wrong: Wrongs | None = None) -> str:
    every = list(house().tiers)
    return page(
        "own/index.html",
        release=managed.release,
        models=managed.models,
        publish=_publish(managed),
        tiers=[(tier.code, f"{tier.code} {tier.word}") for tier in every],
        new_model_tier=managed.new_model_tier,
        new_model_tiers=[
            (tier.code, f"{tier.code} {tier.word}")
            for tier in every
            if has_way_in(tier, agreements=False, form=False)
        ],
        wrong=wrong or Wrongs(),
    )


@blueprint.get("/own/<owner>/<release>/<model>/form")
@signed_in
def show_form(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Show the form in force, to be changed."""
    managed, found = _find(owner, release, model)
    return _editor(managed, found, form_editor.sheet_of(found.form, found.model.form_sha256))


@blueprint.post("/own/<owner>/<release>/<model>/form")
@signed_in
def change_form(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Move the rows as a button says, or save; what was typed is kept unless it was saved."""
    managed, found = _find(owner, release, model)
    sheet, act = form_editor.read(request.form), request.form.get("act", "")
    if act not in {"save", "drop"}:
        sheet, row = form_editor.rearranged(sheet, act)
        return _editor(managed, found, sheet, row=row)
    pair = (found.model.namespace, found.model.name)
    try:
        form = form_editor.form_of(sheet) if act == "save" else None
        models.set_form(house(), session_context(), pair, form, sheet.seen or None)
    except Invalid as error:
        wrong = wrongs(error, form_editor.labels(sheet))
        return _editor(managed, found, sheet, wrong=wrong), 422
    except Conflict:
        current = replace(sheet, seen=found.model.form_sha256 or "")
        return _editor(managed, found, current, is_stale=True), 409
    if act == "drop":
        notify("ok", f"{found.model.title} asks no form any more.")
        return see(f"/own/{managed.release.full_name}")
    notify("ok", "The form is saved.", "Whoever applies from now on sees it.")
    return see(_form_path(managed, found))


@blueprint.get("/own/<owner>/<release>/<model>/card")
@signed_in
def show_card(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Show what importing the card of `?revision=` would change."""
    managed, found = _find(owner, release, model)
    revision = request.args.get("revision", "").strip() or "main"
    return card_page.show(managed, found, revision)


@blueprint.post("/own/<owner>/<release>/<model>/card")
@signed_in
def import_card(owner: str, release: str, model: str) -> ResponseReturnValue:
    """Import the card of the revision that was shown."""
    managed, found = _find(owner, release, model)
    pair, revision = (found.model.namespace, found.model.name), request.form.get("revision", "")
    try:
        done = cards.import_card(house(), session_context(), pair, revision)
    except Invalid:
        return card_page.show(managed, found, revision), 422
    if done.is_change:
        notify("ok", f"{found.model.title} has the gate of its card.", " ".join(done.notes))
    else:
        notify("info", "Nothing to change.", f"{found.model.title} has the gate of its card.")
    return see(f"/own/{managed.release.full_name}")


def _find(owner: str, release: str, model: str) -> tuple[Managed, ManagedModel]:
    managed = models.manage(house(), session_context(), *named(owner, release))
    found = next((m for m in managed.models if m.model.name == model), None)
    if found is None:
        raise NotFound("no such model")
    return managed, found


def _form_path(managed: Managed, found: ManagedModel) -> str:
    return f"/own/{managed.release.full_name}/{found.model.name}/form"


def _editor(
    managed: Managed,
    found: ManagedModel,
    sheet: Sheet,
    *,
    wrong: Wrongs | None = None,
    row: int | None = None,
    is_stale: bool = False,
) -> str:
    """Show the sheet; `row` is the question to go on with."""
    wrong = wrong or Wrongs()
    opened = {error.field.split(".")[1] for error in wrong.errors if "." in error.field}
    return page(
        "own/form.html",
        release=managed.release,
        model=found.model,
        path=_form_path(managed, found),
        has_form=found.form is not None,
        open_applications=found.open_applications,
        sheet=sheet,
        opened=[n == row or str(n) in opened or not q.label for n, q in enumerate(sheet.questions)],
        row=row,
        kinds=list(form_editor.TYPES.items()),
        kind_words=form_editor.TYPES,
        may_add=len(sheet.questions) < MAX_FIELDS,
        most_questions=MAX_FIELDS,
        wrong=wrong,
        is_stale=is_stale,
    )


def _publish(managed: Managed) -> str:
    """Return the commands, with the newest model as the example of a revision."""
    release = managed.release
    into = f"--release {release.full_name}"
    lines = [
        "# A new model",
        f"gatekeeper publish ./FOLDER {release.namespace}/NAME {into} \\",
        "  --tier T3 --agreement ID -m 'First files'",
        "# The page of this release: summary, risks, detection guide, plan",
        f"gatekeeper release create {release.full_name} \\",
        f"  --title {shlex.quote(release.title)} --from ./FOLDER",
    ]
    decided = [row.model for row in managed.models if row.model.is_decided]
    if decided:
        model = decided[-1]
        lines[:0] = [
            "# New files of a model; its terms stay as they are",
            f"gatekeeper publish ./FOLDER {model.full_name} {into} \\",
            f"  --tier {model.tier.code} -m 'What changed'",
        ]
    return "\n".join(lines)
