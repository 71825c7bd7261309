"""Taking a decision back: the case is in review again, and what it gave has ended in the same act.

Not here: who may do so (domain/applications), deciding it anew (decisions). Why: docs/adr/0006.
"""

from __future__ import annotations

from gatekeeper.db.unit_of_work import Act
from gatekeeper.domain.applications import Application, check_newest
from gatekeeper.domain.facts import applications as f
from gatekeeper.domain.people import Context, PersonId
from gatekeeper.services import grants


def reopen(
    act: Act, ctx: Context, application: Application, approver_id: PersonId, text: str
) -> None:
    """Record that a decided case is open again; `text` is what the applicant reads.

    Raises: Conflict where a later application of the lead names one of its models.
    """
    newest = act.applications.newest_for(application.lead_id, application.models)
    check_newest(application, newest.values())
    grants.end_all(act, ctx, act.grants.of_application(application.id), text)
    act.record(
        f.ApplicationReopened(
            application.id, approver_id, ctx.new_id("msg"), ctx.sealed("text", text)
        )
    )
