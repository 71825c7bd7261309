"""How one model is fetched: commands for each tool, files with buttons, tokens, what was agreed to.

Not here: the addresses (access), the viewer's other grants (holdings_page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from textwrap import shorten
from typing import Any
from urllib.parse import urlencode

from flask import request
from markupsafe import Markup

from gatekeeper.domain.catalogue import File, Model
from gatekeeper.domain.grants import Grant
from gatekeeper.domain.people import AccessToken, Context
from gatekeeper.services import agreements, holdings, tokens
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.downloads import IssuedLink
from gatekeeper.services.ports import House
from gatekeeper.web import wording
from gatekeeper.web.pages import reasons, snippets, standing
from gatekeeper.web.pages.filters import day, days
from gatekeeper.web.pages.model_page import is_open
from gatekeeper.web.pages.parts import Action, Note, cut

FILES_PER_PAGE = 50
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Made:
    """A token made for these commands a moment ago, with its text."""

    token: AccessToken
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One file; `href` is where an open one is fetched, '' for one that needs a link."""

    file: File
    href: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A link made for this answer."""

    path: str
    address: str
    expires_at: Any


def values(
    house: House,
    ctx: Context,
    view: ModelView,
    revision: str,
    link: IssuedLink | None,
    made: Made | None,
) -> dict[str, Any]:
    """Return what access/model.html shows of a model at a revision."""
    files, pager = cut(view.files, FILES_PER_PAGE, f"/access/{view.model.full_name}")
    needs_token = not view.model.tier.is_open
    tokens = _tokens(house, ctx)
    return {
        "model": view.model,
        "release": view.release,
        "pill": standing.pill(view.judged),
        "closed": _closed(view),
        "tools": snippets.tools_for(house, view, revision, made.text if made else snippets.TOKEN),
        "needs_token": needs_token,
        "token": made.token if made is not None else next(iter(tokens), None),
        "is_made": made is not None,
        "files": [Row(file, _open_href(view, revision, file)) for file in files],
        "pager": pager,
        "here": f"?{urlencode(request.args.to_dict())}" if request.args else "",
        "revision_name": revision,
        "revision": view.revision,
        "link_words": _link_words(house, view),
        "issued": Issued(link.file.path, house.policy.public_url + link.path, link.expires_at)
        if link is not None
        else None,
        "tokens": tokens if needs_token else [],
        "agreed": _agreed(house, ctx, view),
        "notes": _notes(ctx, view.judged.verdict.grant),
    }


def _open_href(view: ModelView, revision: str, file: File) -> str:
    if not is_open(view.model, file):
        return ""
    return f"{snippets.resolve_path(view.model, revision, file.path)}?download=true"


def _closed(view: ModelView) -> Note | None:
    """Return why nothing can be fetched, since when, and what to do; None when it can."""
    verdict, case = view.judged.verdict, view.judged.standing.application
    if verdict.reason is None:
        if view.revision is None:
            return Note("info", "Nothing is published yet.", "Come back when it is.")
        return None
    step = wording.step_for(verdict.reason, view.model.full_name, case.id if case else "")
    ended = [g for g in view.judged.standing.grants if g.reason is not None and g.sound]
    since = ended_words(ended[-1]) if ended else ""
    actions = [standing.next_step(view.judged)]
    if view.open_sibling is not None:
        name = view.open_sibling
        actions.append(Action(f"/access/{name.full_name}", f"Use {name.title}, which is open"))
    known = [action for action in actions if action is not None]
    text = Markup("{} {}").format(since, step.do) if since else step.do
    return Note("warn", step.said, text, more=known)


def ended_words(grant: Grant) -> str:
    """Return why a grant of the viewer was stopped, and since when; '' when it was not."""
    if grant.reason is None:
        return ""
    words = Markup("{}, since {}.").format(reasons.ENDED[grant.reason], day(grant.changed_at))
    return Markup("{} {}").format(words, grant.note) if grant.note else words


def _tokens(house: House, ctx: Context) -> list[AccessToken]:
    if ctx.actor.person_id is None:
        return []
    return [token for token in tokens.mine(house, ctx) if token.is_live(ctx.now)]


def _store_words(house: House, model: Model) -> str:
    if not snippets.comes_from_store(house, model):
        return ""
    window = days(timedelta(seconds=house.policy.address_seconds))
    return (
        "The bytes come from a store beside this site. An address of the store that was given out "
        f"opens its file for {window}, even when access ends in the meantime."
    )


def _link_words(house: House, view: ModelView) -> str:
    if view.model.tier.is_open:
        return "Open to everybody, without an account. A broken download resumes."
    cap, ttl = house.policy.link_ttl_seconds, view.model.tier.link_ttl_seconds
    life = days(timedelta(seconds=min(cap, ttl) if cap is not None else ttl))
    return (
        f"Each link is for one file and works for {life}; new ones are free, and a broken download "
        "resumes with them. Whoever has a link can use it, so keep it to yourself. "
        f"{_store_words(house, view.model)}"
    ).rstrip()


def _agreed(house: House, ctx: Context, view: ModelView) -> Sequence[tuple[str, Any]]:
    """Return what the grant is for and the texts that were signed for it."""
    if ctx.actor.person_id is None or not view.judged.verdict.allowed:
        return []
    grant = view.judged.verdict.grant
    said: list[tuple[str, Any]] = []
    if grant is not None:
        purpose = holdings.show(house, ctx, grant.id).purpose or "Without a stated purpose"
        said.append(("Purpose", shorten(purpose, 240, placeholder=" …")))
        said.append(("Until", day(standing.last_day(grant))))
    newest = {a.agreement_id: (a, text) for a, text in reversed(agreements.mine(house, ctx))}
    for asked in view.model.agreements:
        if asked in newest:
            acceptance, text = newest[asked]
            href = receipt_path(asked, acceptance.id)
            said.append(("Signed", Markup('<a href="{}">{}</a>').format(href, text.title)))
    return said


def receipt_path(agreement_id: str, acceptance_id: str) -> str:
    """Return the address of the receipt of an acceptance."""
    return f"/agreements/{agreement_id}/receipts/{acceptance_id}"


def _notes(ctx: Context, grant: Grant | None) -> list[Note]:
    if grant is None or grant.ends_at - ctx.now > SOON:
        return []
    ends = Markup("Your access ends on {}.").format(day(standing.last_day(grant)))
    return [Note("warn", ends, "Delete the files by then, or apply again once it has ended.")]
