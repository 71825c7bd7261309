"""An agreement as people read, sign and keep it: the current text, older versions, the receipt.

Not here: the rule of an acceptance (domain/agreements), addresses (apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from gatekeeper.domain.access import Basis
from gatekeeper.domain.agreements import Acceptance, Agreement, Change, TermsClause
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import Context, Person
from gatekeeper.services import agreements, audit
from gatekeeper.services.access import Judged
from gatekeeper.services.agreements import Signing
from gatekeeper.services.ports import House
from gatekeeper.web.pages import standing
from gatekeeper.web.pages.access_page import receipt_path
from gatekeeper.web.pages.parts import Action, Step
from gatekeeper.web.pages.wrongs import Wrongs

_CHANGES = {
    Change.EDITORIAL: "an editorial change: earlier acceptances stand",
    Change.MATERIAL: "a material change, to be accepted anew",
    Change.URGENT: "an urgent change, to be accepted anew",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause to tick."""

    id: str
    title: str
    text: str
    ticked: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """An agreement to sign, with what was ticked; `accepted_at` where it was accepted before."""

    id: str
    title: str
    version: int
    sha256: str
    intro: str
    clauses: Sequence[Clause]
    error: str
    accepted_at: datetime | None


def sheet(
    text: Agreement,
    signing: Signing | None,
    *,
    error: str = "",
    accepted_at: datetime | None = None,
) -> Sheet:
    """Return an agreement as a form shows it; only ticks under this very text are kept."""
    ticked = set(signing.clauses) if signing is not None and signing.sha256 == text.sha256 else ()
    return Sheet(
        id=text.id,
        title=text.title,
        version=text.version,
        sha256=text.sha256,
        intro=text.intro,
        clauses=[Clause(c.id, c.title, c.text, c.id in ticked) for c in text.clauses],
        error=error,
        accepted_at=accepted_at,
    )


def values(
    house: House,
    ctx: Context,
    me: Person | None,
    shown: Agreement,
    wanted: Judged | None,
    signing: Signing | None,
    wrong: Wrongs,
) -> dict[str, Any]:
    """Return what apply/agreement.html shows.

    `wanted` is the model somebody came for; `signing` what was typed before a refusal.
    """
    versions = agreements.versions(house, shown.id)
    mine = _mine(house, ctx, shown) if me is not None else []
    accepted = next((a for a, text in mine if text.version == shown.version), None)
    used = agreements.used_by(house, ctx, shown.id)
    # Accepting again grants anew what had ended, where nobody has to decide.
    again = wanted is not None and not wanted.verdict.allowed and standing.is_accepted(wanted.model)
    is_due = shown.version == versions[-1].version and (accepted is None or again)
    here = f"/agreements/{shown.id}" + (f"?model={wanted.model.full_name}" if wanted else "")
    return {
        "agreement": shown,
        "sheet": sheet(shown, signing, error=wrong.of(f"clause-{shown.id}")),
        "change": _CHANGES[shown.change] if shown.version > 1 else "the first version",
        "changes": _changes(shown, mine),
        "accepted": accepted,
        "receipt_href": receipt_path(shown.id, accepted.id) if accepted is not None else "",
        "is_form": is_due and me is not None and me.is_verified,
        "must_verify": is_due and me is not None and not me.is_verified,
        "sign_in_href": f"/sign-in?next={quote(here)}" if me is None else None,
        "action": here,
        "opens": _opens(used),
        "typed_name": signing.typed_name if signing is not None else "",
        "wrong": wrong,
        "versions": list(reversed(versions)),
        "used_by": [judged.model for judged in used],
    }


def _mine(house: House, ctx: Context, shown: Agreement) -> list[tuple[Acceptance, Agreement]]:
    return [(a, text) for a, text in agreements.mine(house, ctx) if text.id == shown.id]


def _opens(used: Sequence[Judged]) -> str:
    titles = [
        j.model.title for j in used if standing.is_accepted(j.model) and not j.verdict.allowed
    ]
    return f"Signing opens {' and '.join(titles)}." if titles else ""


def _changes(shown: Agreement, mine: Sequence[tuple[Acceptance, Agreement]]) -> list[Step]:
    """Return what is new since the version accepted last; nothing for a first reading."""
    before = next((text for _, text in mine if text.version < shown.version), None)
    if before is None or any(text.version == shown.version for _, text in mine):
        return []
    old: Mapping[str, TermsClause] = {c.id: c for c in before.clauses}
    new: Mapping[str, TermsClause] = {c.id: c for c in shown.clauses}
    found = [Step("", f"Clause {i}", "is new") for i in new if i not in old]
    found += [
        Step("", f"Clause {i}", f"was reworded. Before: {old[i].text}")
        for i in new
        if i in old and new[i] != old[i]
    ]
    return found + [Step("", f"Clause {i}", "was left out") for i in old if i not in new]


def receipt(
    house: House, ctx: Context, agreement_id: str, acceptance_id: str, wanted: Judged | None
) -> dict[str, Any]:
    """Return what apply/accepted.html shows of the actor's own acceptance; raises NotFound."""
    for acceptance, text in agreements.mine(house, ctx):
        if (acceptance.id, text.id) == (acceptance_id, agreement_id):
            break
    else:
        raise NotFound("no such receipt")
    used = agreements.used_by(house, ctx, text.id)
    opened = [
        (j.model, standing.last_day(j.verdict.grant))
        for j in used
        if j.verdict.basis is Basis.GRANT and standing.is_accepted(j.model)
    ]
    step = standing.next_step(wanted) if wanted is not None else None
    return {
        "agreement": text,
        "acceptance": acceptance,
        "entry": _leaf(house, ctx, acceptance),
        "opened": opened,
        "next": step or Action("/access" if opened else "/", "Go on"),
    }


def _leaf(house: House, ctx: Context, acceptance: Acceptance) -> int | None:
    """Return where in the ledger the acceptance stands; None until it is sequenced."""
    at = acceptance.accepted_at
    until = at + timedelta(seconds=1)
    want = EntryFilter(kinds=["AgreementAccepted"], since=at, until=until)
    for entry in audit.about_me(house, ctx, want).entries:
        if entry.data.get("acceptance_id") == acceptance.id:
            return entry.index
    return None
