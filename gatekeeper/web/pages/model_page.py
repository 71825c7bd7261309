"""One model as its page shows it: card, gate, files with hashes, commands, revisions.

Not here: the files as a tree (tree_page), fetching them (access).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from markupsafe import Markup

from gatekeeper.domain.access import Reason
from gatekeeper.domain.catalogue import Availability, File, Model, Visibility, is_open_path
from gatekeeper.services import contents
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import models
from gatekeeper.services.publishing.models import Lack
from gatekeeper.web.pages import snippets, standing
from gatekeeper.web.pages.filters import day, size
from gatekeeper.web.pages.markdown import markdown
from gatekeeper.web.pages.parts import Action, Link, Note, Pill

FILES_SHOWN = 40
HISTORY_SHOWN = 20
CARD_CHARS_SHOWN = 24_000


@dataclass(frozen=True, slots=True)
class Row:
    """One file with where its bytes are fetched; '' where this viewer may not."""

    file: File
    href: str
    download_href: str


def values(house: House, view: ModelView, revision: str) -> dict[str, Any]:
    """Return what catalogue/model.html shows of a model at a revision."""
    model, judged = view.model, view.judged
    readme = contents.readme_of(view.files)
    card, is_cut = _card(contents.card(house, readme), {model.title, model.name})
    is_empty = judged.verdict.allowed and view.revision is None
    step = None if is_empty else standing.next_step(judged)
    is_stranger = judged.verdict.reason is Reason.NO_ACCOUNT
    return {
        "model": model,
        "release": view.release,
        "pill": _pill(model),
        "warning": _warning(view),
        "missing": [
            _missing(view, lack) for lack in models.lacks(house, judged, view.release, view.files)
        ],
        "tagline": tagline(view),
        "facts": _facts(view, contents.front_matter(house, readme)),
        "access": standing.pill(judged),
        "clauses": standing.clauses(judged, view.agreements),
        "primary": step,
        "secondary": Action("/register", "Register") if is_stranger else None,
        "sibling": view.open_sibling,
        "card_html": markdown(card) if card else "",
        "card_is_cut": is_cut,
        "revision_name": revision,
        "revision": view.revision,
        "files": rows(view, revision, view.files[:FILES_SHOWN]),
        "files_total": count(view.files),
        "refs": refs(view, revision, f"/{model.full_name}?revision="),
        "history": contents.history(house, view)[:HISTORY_SHOWN],
        "tools": [tool for tool in snippets.tools_for(house, view, revision) if tool.command],
        "parts": _parts(view),
    }


def count(files: Sequence[File]) -> str:
    """Return `7 files, 8.1 MB`."""
    return amount(len(files), sum(file.size_bytes for file in files))


def amount(number: int, size_bytes: int) -> str:
    """Return so many files of so many bytes altogether, in words."""
    return f"{number} {'file' if number == 1 else 'files'}, {size(size_bytes)}"


def rows(view: ModelView, revision: str, files: Sequence[File]) -> list[Row]:
    """Return files with the address of each one's page and of its bytes."""
    base = f"/{view.model.full_name}"
    return [
        Row(file, base + _blob(revision, file.path), download_href(view, revision, file))
        for file in files
    ]


def download_href(view: ModelView, revision: str, file: File) -> str:
    """Return where this viewer gets a file: at once when it is open, else with the others."""
    if is_open(view.model, file):
        return f"{snippets.resolve_path(view.model, revision, file.path)}?download=true"
    return f"/access/{view.model.full_name}" if view.judged.verdict.allowed else ""


def is_open(model: Model, file: File) -> bool:
    """Say whether anybody may fetch a file (for words; the rule decides at the door)."""
    published = model.availability is Availability.PUBLISHED
    return published and (model.tier.is_open or is_open_path(file.path, model.open_files))


def refs(view: ModelView, revision: str, address: str) -> list[Link]:
    """Return the branches and tags as links; `address` is what stands before the name."""
    return [
        Link(address + snippets.quoted(ref.name), f"{ref.kind} {ref.name}", ref.name == revision)
        for ref in view.refs
    ]


def _blob(revision: str, path: str) -> str:
    return f"/blob/{snippets.quoted(revision)}/{snippets.quoted(path, safe='/')}"


_HEADING = re.compile(r"\A(?:---\s*\n.*?\n---\s*\n)?\s*# +([^\n]+)\n", re.DOTALL)


def _card(text: str, titles: Collection[str]) -> tuple[str, bool]:
    """Return the card, cut at a paragraph when it is very long, and whether it was cut.

    A first heading that says the page's own title again is left out, the front matter with it.
    """
    heading = _HEADING.match(text)
    if heading is not None and heading[1].strip() in titles:
        text = text[heading.end() :]
    if len(text) <= CARD_CHARS_SHOWN:
        return text, False
    end = text.rfind("\n\n", 0, CARD_CHARS_SHOWN)
    return text[: end if end > 0 else CARD_CHARS_SHOWN], True


def tagline(view: ModelView) -> str:
    """Return what a model is in a line: the tier's demand, and which release it belongs to."""
    return f"{view.model.tier.summary}. A model of {view.release.title}."


def _pill(model: Model) -> Pill | None:
    if model.visibility is Visibility.HIDDEN:
        return Pill("hold", "Hidden")
    return None


def _warning(view: ModelView) -> Note | None:
    match view.judged.verdict.reason:
        case Reason.MODEL_WITHDRAWN:
            return Note("bad", "Withdrawn.", "Its files are not given out any more.")
        case Reason.RELEASE_FROZEN:
            return Note("bad", "Frozen.", "Nobody may fetch it until the freeze is lifted.")
        case Reason.MODEL_WITHHELD:
            why = "The reasons stand in the release’s risk analysis."
            if not view.model.is_decided:
                why = "Nobody has chosen yet who may have them."
            public = "Its page, card, risk analysis and file list are public"
            return Note("info", "Withheld.", f"{public}; its files are not given out. {why}")
        case Reason.BLOCKLISTED:
            return Note("bad", "Your account is suspended.", "Write to the site’s contact.")
    return None


def _missing(view: ModelView, lack: Lack) -> Action:
    """Return what a publisher still has to do, and where."""
    model, own = view.model, f"/own/{view.release.full_name}"
    match lack:
        case Lack.FILES:
            return Action(f"{own}/{model.name}/files", "Upload its files")
        case Lack.CARD:
            return Action(f"{own}/{model.name}/files", "Add its card, README.md")
        case Lack.RELEASE_PAGE:
            return Action(f"{own}#publish", "Write the summary, risk analysis and detection guide")
        case Lack.TIER:
            return Action(f"{own}#models", "Choose who gets in")
    assert_never(lack)


def _facts(view: ModelView, card: Mapping[str, Any]) -> list[tuple[str, str]]:
    model, tier = view.model, view.model.tier
    terms = Markup(", ").join(
        Markup('<a href="/agreements/{}">{}</a>').format(a.id, a.title) for a in view.agreements
    )
    days = f"{tier.service_days} days is the aim" if tier.service_days else ""
    facts = [
        ("Identifier", Markup('<span class="mono">{}</span>').format(model.full_name)),
        ("Files", count(view.files) if view.files else "Not published yet"),
        ("Licence", _licence(card)),
        ("Terms", terms),
        ("Decided by", ["", "One approver", "Two approvers"][tier.approvals]),
        ("Decision", days),
        ("Access lasts", f"Up to {tier.grant_days} days" if tier.grant_days else ""),
        ("Changed", day(model.changed_at)),
    ]
    return [(name, value) for name, value in facts if value]


def _licence(card: Mapping[str, Any]) -> str:
    """Return the licence that the card names, with a link to its text where it names one."""
    name, link = card.get("license_name") or card.get("license"), card.get("license_link")
    if not isinstance(name, str) or not name.isprintable():
        return ""
    if isinstance(link, str) and link.isprintable() and link.startswith(("https://", "http://")):
        return Markup('<a href="{}" rel="nofollow noopener">{}</a>').format(link, name[:80])
    return name[:80]


def _parts(view: ModelView) -> list[tuple[str, str]]:
    published = [("files", "Files and hashes"), ("use", "Fetch it"), ("revisions", "Revisions")]
    return [("card", "Model card"), *(published if view.revision is not None else [])]
