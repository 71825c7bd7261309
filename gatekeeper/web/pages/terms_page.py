"""An agreement as people read, sign and keep it: the current text, older versions, the receipt.

Not here: the rule of an acceptance (domain/agreements), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatekeeper.domain.agreements import Acceptance, Agreement, Change, TermsClause
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import agreements, audit
from gatekeeper.services.access import Judged
from gatekeeper.services.agreements import Signing
from gatekeeper.services.ports import House
from gatekeeper.web.pages.access_page import receipt_path
from gatekeeper.web.pages.application_form import Clause
from gatekeeper.web.pages.parts import Action
from gatekeeper.web.pages.standing import is_accepted
from gatekeeper.web.pages.wrongs import Wrongs

_CHANGES = {
    Change.EDITORIAL: "editorial change: earlier acceptances stand",
    Change.MATERIAL: "material change: to be accepted anew",
    Change.URGENT: "urgent change: to be accepted anew",
}


@dataclass(frozen=True, slots=True)
class _Text:
    id: str
    title: str
    version: int
    published_at: datetime
    change: str
    sha256: str
    intro: str
    clauses: Sequence[Clause]
    error: str


@dataclass(frozen=True, slots=True)
class _Accepted:
    at: datetime
    typed_name: str
    href: str


@dataclass(frozen=True, slots=True)
class _Accept:
    action: str
    model: str
    opens: str
    typed_name: str
    error: str


@dataclass(frozen=True, slots=True)
class _Changed:
    clause: str
    words: str


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
    at: datetime
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class _Model:
    href: str
    title: str
    tier: str


@dataclass(frozen=True, slots=True)
class _Opened:
    href: str
    title: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Receipt:
    id: str
    person: str
    typed_name: str
    at: datetime
    entry: int | None


def values(
    house: House,
    ctx: Context,
    shown: Agreement,
    model: str,
    signing: Signing | None = None,
    wrong: Wrongs | None = None,
) -> dict[str, Any]:
    """Return what apply/agreement.html shows; `signing` is what was typed before a refusal."""
    wrong = wrong or Wrongs()
    versions = agreements.versions(house, shown.id)
    used = agreements.used_by(house, ctx, shown.id)
    mine = _mine(house, ctx, shown) if ctx.actor.person_id else []
    accepted = next((a for a, v in mine if v.version == shown.version), None)
    is_current = shown.version == versions[-1].version
    ticked = set(signing.clauses) if signing is not None else set()
    here = f"/agreements/{shown.id}" + (f"?model={model}" if model else "")
    may_accept = ctx.actor.person_id is not None and is_current
    wants_more = accepted is not None and model and not _is_open(used, model)
    return {
        "agreement": _Text(
            id=shown.id,
            title=shown.title,
            version=shown.version,
            published_at=shown.published_at,
            change=_CHANGES[shown.change] if shown.version > 1 else "first version",
            sha256=shown.sha256,
            intro=shown.intro,
            clauses=[Clause(c.id, c.title, c.text, c.id in ticked) for c in shown.clauses],
            error=wrong.of("clauses"),
        ),
        "changes": _changes(shown, mine),
        "accepted": accepted
        and _Accepted(
            accepted.accepted_at, accepted.typed_name, receipt_path(shown.id, accepted.id)
        ),
        "accept": _Accept(
            action=f"/agreements/{shown.id}",
            model=model,
            opens=_opens(used),
            typed_name=signing.typed_name if signing is not None else "",
            error=wrong.of("typed_name"),
        )
        if may_accept and (accepted is None or wants_more)
        else None,
        "errors": wrong.errors,
        "sign_in_href": None if ctx.actor.person_id else f"/sign-in?next={here}",
        "versions": [
            _Version(v.version, v.published_at, f"/agreements/{v.id}?version={v.version}",
                     v.version == shown.version)
            for v in reversed(versions)
        ],
        "used_by": [_Model(f"/{j.model.full_name}", j.model.title, j.model.tier.code)
                    for j in used],
    }  # fmt: skip


def _mine(house: House, ctx: Context, shown: Agreement) -> list[tuple[Acceptance, Agreement]]:
    return [(a, v) for a, v in agreements.mine(house, ctx) if v.id == shown.id]


def _is_open(used: Sequence[Judged], model: str) -> bool:
    return any(j.model.full_name == model and j.verdict.allowed for j in used)


def _opens(used: Sequence[Judged]) -> str:
    titles = [j.model.title for j in used if is_accepted(j.model) and not j.verdict.allowed]
    return f"Signing opens {', '.join(titles)} at once." if titles else ""


def _changes(shown: Agreement, mine: Sequence[tuple[Acceptance, Agreement]]) -> list[_Changed]:
    """Return what is new since the version accepted last; nothing for a first reading."""
    before = next((v for _, v in mine if v.version < shown.version), None)
    if before is None or any(v.version == shown.version for _, v in mine):
        return []
    old: Mapping[str, TermsClause] = {c.id: c for c in before.clauses}
    new: Mapping[str, TermsClause] = {c.id: c for c in shown.clauses}
    found = [_Changed(i, "new") for i in new if i not in old]
    found += [_Changed(i, "its words changed") for i in new if i in old and new[i] != old[i]]
    return found + [_Changed(i, "left out") for i in old if i not in new]


def receipt(house: House, ctx: Context, me: Person, acceptance_id: str) -> dict[str, Any] | None:
    """Return what apply/accepted.html shows of one's own acceptance; None for any other."""
    found = next(((a, v) for a, v in agreements.mine(house, ctx) if a.id == acceptance_id), None)
    if found is None:
        return None
    accepted, text = found
    used = [j for j in agreements.used_by(house, ctx, text.id) if is_accepted(j.model)]
    opened = [
        _Opened(
            f"/access/{j.model.full_name}",
            j.model.title,
            j.verdict.grant.ends_at if j.verdict.grant is not None else None,
        )
        for j in used
        if j.verdict.allowed
    ]
    return {
        "agreement": text,
        "receipt": _Receipt(
            accepted.id, me.name, accepted.typed_name, accepted.accepted_at,
            _entry(house, ctx, accepted),
        ),
        "opened": opened,
        "next": Action(opened[0].href, "Download") if opened else Action("/", "Go on"),
    }  # fmt: skip


def _entry(house: House, ctx: Context, accepted: Acceptance) -> int | None:
    want = EntryFilter(kinds=["AgreementAccepted"], limit=200)
    for entry in audit.about_me(house, ctx, want).entries:
        if entry.data.get("acceptance_id") == accepted.id:
            return entry.index
    return None
