"""Narrows a query to the models that a person may know of; the rule (domain/access) has the word.

What is left out here costs no statement more than what is not there. Known gap: a digest that lies
in thousands of rows of a hidden model is looked through all the same, some milliseconds of it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from gatekeeper.db import tables as t
from gatekeeper.domain.catalogue import Visibility
from gatekeeper.domain.people import PersonId


def perhaps_visible(person_id: PersonId | None) -> ColumnElement[bool]:
    """Keep the models that are public, of one's namespaces, or that one was ever granted."""
    public = t.models.c.visibility == str(Visibility.PUBLIC)
    if person_id is None:
        return public
    member = t.models.c.namespace.in_(
        select(t.members.c.namespace).where(t.members.c.person_id == person_id)
    )
    holder = t.models.c.id.in_(
        select(t.grant_models.c.model_id)
        .join(t.grants, t.grants.c.id == t.grant_models.c.grant_id)
        .where(t.grants.c.person_id == person_id)
    )
    return or_(public, member, holder)
