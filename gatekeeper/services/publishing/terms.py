"""What a model asks for and whom it is shown to: one fact holds all of it, whatever part changes.

Not here: the tier (tiers), who may change any of it.
"""

from __future__ import annotations

from gatekeeper.db.readers import Readers
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.facts.catalogue import ModelTermsChanged
from gatekeeper.domain.sealed import content


def terms_of(read: Readers, model: Model) -> ModelTermsChanged:
    """Return the terms as they are, as a fact; record it with what changes replaced."""
    digest = model.form_sha256
    return ModelTermsChanged(
        model_id=model.id,
        title=model.title,
        visibility=model.visibility,
        agreements=model.agreements,
        form=content(read.catalogue.content(digest)) if digest is not None else None,
        open_files=tuple(sorted(model.open_files)),
    )
