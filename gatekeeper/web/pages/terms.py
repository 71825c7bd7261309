"""Agreements: read by anybody, accepted by who is signed in, and the receipt; put up by apply.

Not here: what the pages say (terms_page), what accepting grants (services/agreements).
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.agreements import Agreement
from gatekeeper.domain.catalogue import AgreementId
from gatekeeper.domain.errors import Invalid, NotFound, TermsOutdated
from gatekeeper.services import agreements, catalogue
from gatekeeper.services.access import Judged
from gatekeeper.services.agreements import Signing
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages import terms_page
from gatekeeper.web.pages.access_page import receipt_path
from gatekeeper.web.pages.application_form import signing_wrongs
from gatekeeper.web.pages.catalogue import named
from gatekeeper.web.pages.frame import notify, number, page, see, signed_in, viewer
from gatekeeper.web.pages.wrongs import Wrongs
from gatekeeper.web.wiring import house


def agreement(agreement_id: str) -> ResponseReturnValue:
    """Show an agreement, at `?version=` or the one in force; who is signed in may accept it."""
    version = number("version")
    if version is None and request.args.get("version"):
        raise NotFound("no such version")
    return _page(agreements.show(house(), AgreementId(agreement_id), version))


@signed_in
def accept(agreement_id: str) -> ResponseReturnValue:
    """Accept the version in force; what needs nobody's decision is granted at once."""
    found, form, ctx = AgreementId(agreement_id), request.form, session_context()
    signing = Signing(
        form.get(f"sha256-{found}", ""), form.getlist(f"clause-{found}"), form.get("typed_name", "")
    )
    try:
        # Every visible model that asks no more than this is granted, not only the one asked for.
        accepted, _ = agreements.accept(house(), ctx, found, signing)
    except TermsOutdated:
        notify("warn", "The text has changed.", "Read it again, and tick it again.")
        return _page(agreements.show(house(), found), signing), 409
    except Invalid as error:
        shown = agreements.show(house(), found)
        return _page(shown, signing, signing_wrongs(shown, error)), 422
    wanted = _wanted()
    onward = f"?model={wanted.model.full_name}" if wanted is not None else ""
    return see(receipt_path(found, accepted.id) + onward)


@signed_in
def receipt(agreement_id: str, acceptance_id: str) -> ResponseReturnValue:
    """Show the receipt of one's own acceptance, made to be printed."""
    values = terms_page.receipt(house(), session_context(), agreement_id, acceptance_id, _wanted())
    return page("apply/accepted.html", **values)


def _page(shown: Agreement, signing: Signing | None = None, wrong: Wrongs | None = None) -> str:
    me = viewer()
    values = terms_page.values(
        house(),
        session_context(),
        me.person if me is not None else None,
        shown,
        _wanted(),
        signing,
        wrong or Wrongs(),
    )
    return page("apply/agreement.html", **values)


def _wanted() -> Judged | None:
    """Return the model somebody came for (`?model=`); None for one they may not see, or none."""
    owner, _, name = request.args.get("model", "").partition("/")
    try:
        return catalogue.find(house(), session_context(), *named(owner, name))
    except NotFound:
        return None


ADDRESSES = (
    ("/agreements/<agreement_id>", agreement, "GET"),
    ("/agreements/<agreement_id>", accept, "POST"),
    ("/agreements/<agreement_id>/receipts/<acceptance_id>", receipt, "GET"),
)
