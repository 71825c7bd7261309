"""What importing a model's card would change, as its owner sees it before pressing the button.

Not here: what a card says and what becomes of it (services/publishing), addresses (own).
"""

from __future__ import annotations

from gatekeeper.domain.errors import Invalid
from gatekeeper.domain.forms import WRITTEN
from gatekeeper.services.publishing import cards
from gatekeeper.services.publishing.models import Managed, ManagedModel
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages.frame import page
from gatekeeper.web.pages.wrongs import wrongs
from gatekeeper.web.wiring import house


def show(managed: Managed, found: ManagedModel, revision: str) -> str:
    """Show what would change, or what is wrong with the card of this revision."""
    pair = (found.model.namespace, found.model.name)
    plan, errors = None, None
    try:
        plan = cards.import_card(house(), session_context(), pair, revision, dry_run=True)
    except Invalid as error:
        errors = wrongs(error, {}).errors
    return page(
        "own/card.html",
        release=managed.release,
        model=found.model,
        path=f"/own/{managed.release.full_name}/{found.model.name}/card",
        revision=revision,
        plan=plan,
        errors=errors or (),
        asks_anew=plan is not None and plan.terms is not None and plan.terms.before is not None,
        open_applications=found.open_applications,
        replaces_form=found.form is not None,
        written=WRITTEN,
    )
