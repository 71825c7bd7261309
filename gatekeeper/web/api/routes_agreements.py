"""Agreements: the version in force, and accepting it."""

from __future__ import annotations

from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.people import Context, Scope
from gatekeeper.services import agreements
from gatekeeper.services.agreements import Signing
from gatekeeper.web.api.calls import Noun
from gatekeeper.web.api.once import Done
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import answers, bodies
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

noun = Noun("agreements", "The terms that models ask: reading the version in force, accepting it.")


@noun.get("/agreements/<agreement_id>", scope=None)
def show_agreement(_ctx: Context, agreement_id: AgreementId) -> answers.Agreement:
    """Return the version in force, clause by clause."""
    return present.agreement(agreements.show(house(), agreement_id))


@noun.post("/agreements/<agreement_id>/acceptances", scope=Scope.READ, statuses=(201, 200))
def accept(
    ctx: Context, agreement_id: AgreementId, sent: bodies.NewAcceptance
) -> Done[answers.Acceptance]:
    """Accept the version in force.

    It is a 201, or a 200 when it was accepted before. Either way every model that this completes
    and no person decides on is granted; `model` narrows it to one. Every clause is named, and the
    name typed is the account's; another `sha256` than that of the version in force is a 409
    `terms_outdated`.
    """
    made, is_new = agreements.accept(
        house(),
        ctx,
        agreement_id,
        Signing(sent.sha256, sent.clauses, sent.typed_name),
        parts(sent.model) if sent.model is not None else None,
    )
    return Done(lambda: present.acceptance(made), status=201 if is_new else 200)
