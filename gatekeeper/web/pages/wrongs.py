"""What is wrong with a form, said beside each field and once at its top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong: the field's name, its label on the page, and what was expected."""

    field: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class Wrongs:
    """Everything wrong with one form; empty before it is sent."""

    errors: tuple[Wrong, ...] = ()

    def of(self, field: str) -> str:
        """Return what is wrong with one field, '' when nothing is."""
        return " ".join(error.detail for error in self.errors if error.field == field)


def wrongs(error: Invalid, labels: Mapping[str, str], form: str = "") -> Wrongs:
    """Put a refusal into the words of a form; `labels` by field name.

    `form` tells apart the fields of a page with several forms: `approve-note`, `reject-note`.
    """
    return Wrongs(
        tuple(
            Wrong(
                f"{form}-{one.field}" if form else one.field,
                labels.get(one.field, one.field),
                _sentence(one.detail),
            )
            for one in error.errors
        )
    )


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:].rstrip('.')}."
