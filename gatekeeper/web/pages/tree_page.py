"""The files of a model at a revision as a tree, one file, and what one revision changed.

Only an open file's text is shown, and only when it is short: asked for through the same door as a
download. Not here: the model's own page (model_page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatekeeper.domain.access import Refused
from gatekeeper.domain.catalogue import File, Model
from gatekeeper.domain.errors import Busy, NotFound
from gatekeeper.domain.people import Context
from gatekeeper.services import contents, downloads
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.downloads import FileRef
from gatekeeper.services.ports import House
from gatekeeper.web.pages import standing
from gatekeeper.web.pages.markdown import markdown
from gatekeeper.web.pages.model_page import download_href, is_open, refs
from gatekeeper.web.pages.parts import Action, cut
from gatekeeper.web.pages.snippets import quoted

PER_PAGE = 60
MAX_TEXT_BYTES = 24_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a directory; `file` is None for a directory in it."""

    name: str
    href: str
    file: File | None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What a revision did to one file: `word` is added, changed or removed."""

    word: str
    kind: str
    file: File
    href: str


def find(view: ModelView, path: str) -> File | None:
    """Return the file at a path; None for a directory; raises NotFound for neither."""
    for file in view.files:
        if file.path == path:
            return file
    if path and not any(file.path.startswith(f"{path}/") for file in view.files):
        raise NotFound("no such path")
    return None


def tree_values(view: ModelView, revision: str, path: str) -> dict[str, Any]:
    """Return what catalogue/tree.html shows of a directory."""
    entries, pager = cut(_entries(view, revision, path), PER_PAGE)
    return {**_around(view, revision, path, "tree"), "entries": entries, "pager": pager}


def blob_values(
    house: House, ctx: Context, view: ModelView, revision: str, file: File
) -> dict[str, Any]:
    """Return what catalogue/blob.html shows of a file."""
    text, why_hidden = _text(house, ctx, view, revision, file)
    is_card = text is not None and file.path.upper().endswith(".MD")
    href = download_href(view, revision, file)
    return {
        **_around(view, revision, file.path, "blob"),
        "file": file,
        "text": text,
        "html": markdown(text) if is_card and text is not None else "",
        "why_hidden": why_hidden,
        "action": Action(href, "Download") if href else standing.next_step(view.judged),
    }


def commit_values(house: House, ctx: Context, view: ModelView) -> dict[str, Any]:
    """Return what catalogue/commit.html shows of a revision, beside the one before it."""
    assert view.revision is not None  # noqa: S101  the route named it
    model, parent_id = view.model, view.revision.parent_id
    before: Sequence[File] = ()
    if parent_id is not None:
        before = contents.show(house, ctx, model.namespace, model.name, parent_id).files
    changes, pager = cut(_changes(model, view.revision.id, parent_id or "", before, view.files), 60)
    return {
        "model": model,
        "release": view.release,
        "revision": view.revision,
        "changes": changes,
        "pager": pager,
    }


def _around(view: ModelView, revision: str, path: str, kind: str) -> dict[str, Any]:
    base = f"/{view.model.full_name}"
    return {
        "model": view.model,
        "release": view.release,
        "revision_name": revision,
        "revision": view.revision,
        "refs": refs(view, revision, f"{base}/tree/"),
        "path": path,
        "parts": _parts(f"{base}/tree/{quoted(revision)}", view.model.name, path),
        "kind": kind,
    }


def _parts(root: str, name: str, path: str) -> list[tuple[str, str | None]]:
    """Return the way from the root of the tree to a path; the last part leads nowhere."""
    segments = path.split("/") if path else []
    steps = [(name, root)]
    steps += [
        (segment, f"{root}/{quoted('/'.join(segments[: n + 1]), safe='/')}")
        for n, segment in enumerate(segments)
    ]
    return [*steps[:-1], (steps[-1][0], None)]


def _entries(view: ModelView, revision: str, path: str) -> list[Entry]:
    base, prefix = f"/{view.model.full_name}", f"{path}/" if path else ""
    at = quoted(revision)
    directories: dict[str, None] = {}
    files = []
    for file in view.files:
        if not file.path.startswith(prefix):
            continue
        name, slash, _ = file.path.removeprefix(prefix).partition("/")
        if slash:
            directories[name] = None
        else:
            href = f"{base}/blob/{at}/{quoted(file.path, safe='/')}"
            files.append(Entry(name, href, file, is_open(view.model, file)))
    inside = [
        Entry(name, f"{base}/tree/{at}/{quoted(prefix + name, safe='/')}", None)
        for name in directories
    ]
    return inside + files


def _text(
    house: House, ctx: Context, view: ModelView, revision: str, file: File
) -> tuple[str | None, str]:
    """Return a short open file's text, or None and why it is not shown."""
    if not is_open(view.model, file):
        return None, "Only those who hold access may read it."
    if file.lfs or file.size_bytes > MAX_TEXT_BYTES:
        return None, "It is too large for a page."
    ref = FileRef(view.model.namespace, view.model.name, revision, file.path)
    try:
        ready = downloads.request_file(house, ctx, ref)
        source = house.objects.open(ready.file.sha256)
    except (Refused, Busy):
        return None, "It cannot be read now."
    downloads.count(house, ready, file.size_bytes)
    try:
        return source.read().decode(), ""
    except UnicodeDecodeError:
        return None, "It is not a text."
    finally:
        source.close()


def _changes(
    model: Model, now: str, then: str, before: Sequence[File], after: Sequence[File]
) -> list[Change]:
    old = {file.path: file for file in before}
    new = {file.path: file for file in after}
    base = f"/{model.full_name}/blob"
    found = []
    for path in sorted(old.keys() | new.keys()):
        was, became = old.get(path), new.get(path)
        if was is not None and became is not None and was.sha256 == became.sha256:
            continue
        file = became or was
        assert file is not None  # noqa: S101  the path is in one of them
        word, kind = ("removed", "bad") if became is None else ("changed", "warn")
        word, kind = ("added", "ok") if was is None else (word, kind)
        href = f"{base}/{now if became else then}/{quoted(path, safe='/')}"
        found.append(Change(word, kind, file, href))
    return found
