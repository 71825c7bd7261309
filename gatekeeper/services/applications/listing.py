"""The lists of requests for one model: who asks, who holds, who was refused, with the answers.

Who may read them is who may read the model's cases (requests.overseen).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.db.readers import Readers
from gatekeeper.domain.applications import Application
from gatekeeper.domain.forms import read_form
from gatekeeper.domain.people import Context, Person
from gatekeeper.domain.requests import AccessRequest, RequestFilter, RequestStatus
from gatekeeper.services.applications.requests import Folded, overseen
from gatekeeper.services.ports import House

MOST = 1000
PURPOSE = "Purpose"

Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Listed:
    """A request with its person. `answers` by label; `granted_by` is a username, '' for nobody.

    `shows_email`: the person sent a case for the model, in which staff read the address too.
    """

    request: AccessRequest
    person: Person
    answers: Mapping[str, str]
    granted_by: str
    shows_email: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests: of a status, of those whose username holds some text, after a place."""

    status: RequestStatus
    username: str = ""
    after: Place | None = None
    limit: int = MOST


def listed(
    house: House, ctx: Context, name: tuple[str, str], wanted: Wanted
) -> tuple[list[Listed], Place | None]:
    """Return requests, oldest first, and after which place the next page begins (None at the end).

    A page may hold fewer than `limit` though more follow. Raises: as `requests.overseen`.
    """
    with house.db.reading() as read:
        model = overseen(read, ctx, name)
        want = RequestFilter(
            model.id, wanted.status, ctx.now, wanted.username, wanted.after, wanted.limit + 1
        )
        rows = read.requests.rows(want)
        shown = rows[: wanted.limit]
        folded = Folded(read, model, {row.person_id for row in shown}, ctx.now)
        requests = [
            request
            for row in shown
            if (request := folded.request(row.person_id)) is not None
            if request.status is wanted.status and request.row_id == row.id
        ]
        place = (shown[-1].at, shown[-1].id) if len(rows) > wanted.limit else None
        return _described(read, requests, folded), place


def report(house: House, ctx: Context, name: tuple[str, str]) -> list[Listed]:
    """Return everybody's request for a model, the pending first; raises as `listed`."""
    found: list[Listed] = []
    for status in RequestStatus:
        page, place = listed(house, ctx, name, Wanted(status))
        found += page
        while place is not None:
            page, place = listed(house, ctx, name, Wanted(status, after=place))
            found += page
    return found


def _described(read: Readers, requests: Sequence[AccessRequest], folded: Folded) -> list[Listed]:
    givers = read.audit.actors("GrantCreated", {r.grant.id for r in requests if r.grant})
    people = read.people.many({r.person_id for r in requests} | set(givers.values()))
    answers = _answers(read, [r.application for r in requests if r.application is not None])
    usernames = {person.id: person.username for person in people.values()}
    rows = []
    for request in requests:
        giver = givers.get(request.grant.id) if request.grant is not None else None
        by_another = giver is not None and giver != request.person_id
        rows.append(
            Listed(
                request=request,
                person=people[request.person_id],
                answers=answers.get(request.id, {}),
                granted_by=usernames.get(giver, "") if giver is not None and by_another else "",
                shows_email=folded.has_asked(request.person_id),
            )
        )
    return rows


def _answers(read: Readers, cases: Sequence[Application]) -> dict[str, dict[str, str]]:
    """Return each case's purpose and answers by the label of the question.

    A question whose label is that of the purpose stands under its name.
    """
    texts = read.catalogue.contents({c.form_sha256 for c in cases if c.form_sha256 is not None})
    forms = {digest: read_form(text).fields for digest, text in texts.items()}
    found = {}
    for case in cases:
        fields = forms.get(case.form_sha256 or "", ())
        labels = {f.name: f.label for f in fields if f.label != PURPOSE}
        said = {labels.get(name, name): answer for name, answer in case.answers.items()}
        found[str(case.id)] = {PURPOSE: case.purpose} | said
    return found
