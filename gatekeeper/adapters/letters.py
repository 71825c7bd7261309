"""The words of each kind of mail: templates/mail/<kind>.txt (subject, blank line, text).

The HTML of a letter is the same text in templates/mail/letter.html: paragraphs and one link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gatekeeper.domain.notices import NoticeKind


@cache
def letter_writer(
    templates: Path,
) -> Callable[[NoticeKind, Mapping[str, str]], tuple[str, str, str]]:
    """Return a function from kind and values to (subject, text, HTML); every kind has words.

    The templates of a folder are read once a process.
    """
    environment = Environment(
        loader=FileSystemLoader(templates / "mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    letters = {kind: environment.get_template(f"{kind}.txt") for kind in NoticeKind}
    dress = environment.get_template("letter.html")

    def write(kind: NoticeKind, values: Mapping[str, str]) -> tuple[str, str, str]:
        subject, _, rest = letters[kind].render(values).partition("\n")
        text = rest.lstrip("\n")
        paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
        html = dress.render(paragraphs=paragraphs, page=values["page"])
        # One line whatever a name held: a subject is a header.
        return " ".join(subject.split()), text, html

    return write
