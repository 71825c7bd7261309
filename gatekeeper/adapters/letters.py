"""The words of each kind of mail: templates/mail/<kind>.txt (subject, blank line, text)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gatekeeper.domain.notices import NoticeKind


def letter_writer(templates: Path) -> Callable[[NoticeKind, Mapping[str, str]], tuple[str, str]]:
    """Return a function from kind and values to (subject, text); every kind has a template."""
    environment = Environment(  # noqa: S701  plain text: nothing to escape
        loader=FileSystemLoader(templates / "mail"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    letters = {kind: environment.get_template(f"{kind}.txt") for kind in NoticeKind}

    def write(kind: NoticeKind, values: Mapping[str, str]) -> tuple[str, str]:
        subject, _, text = letters[kind].render(values).partition("\n")
        # One line whatever a name held: a subject is a header.
        return " ".join(subject.split()), text.lstrip("\n")

    return write
