"""Agreements: the version in force, and accepting it."""

from __future__ import annotations

from flask import Blueprint, Response

from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.services import agreements
from gatekeeper.services.agreements import Signing
from gatekeeper.web.api.exchange import body, caller, query, say
from gatekeeper.web.api.once import Done, once
from gatekeeper.web.api.present import catalogue as present
from gatekeeper.web.api.wire import bodies, queries
from gatekeeper.web.api.wire.shapes import parts
from gatekeeper.web.wiring import house

blueprint = Blueprint("agreements", __name__)


@blueprint.get("/agreements/<agreement_id>")
def show_agreement(agreement_id: str) -> Response:
    """Return the version in force, clause by clause."""
    query(queries.NoQuery)
    caller()
    return say(present.agreement(agreements.show(house(), AgreementId(agreement_id))))


@blueprint.post("/agreements/<agreement_id>/acceptances")
@once()
def accept(agreement_id: str) -> Done:
    """Accept the version in force: 201, or 200 when it was accepted before.

    Either way every model that this completes and no person decides on is granted.
    """
    ctx, sent = caller(), body(bodies.Acceptance)
    made, is_new = agreements.accept(
        house(),
        ctx,
        AgreementId(agreement_id),
        Signing(sent.sha256, sent.clauses, sent.typed_name),
        parts(sent.model) if sent.model is not None else None,
    )
    return Done(lambda: present.acceptance(made), 201 if is_new else 200)
