"""What a client's address, query and cursor say, checked before anything is looked up.

A name that could not exist is answered like one that does not; nothing that is no text reaches the
database. Source: hf-wire.md 1.2 (query), 1.1 (addresses).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from flask import request, url_for
from werkzeug.exceptions import BadRequest

from gatekeeper.domain.catalogue import (
    ModelOrder,
    check_path,
    check_ref_name,
    check_repo_name,
    is_commit_id,
)
from gatekeeper.domain.errors import Invalid, NotFound
from gatekeeper.services.downloads import FileRef, NoSuchFile, NoSuchRevision
from gatekeeper.web.wiring import house

PAGE = 100
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
LONGEST_TEXT = 500


def repository(namespace: str, name: str) -> tuple[str, str]:
    """Return the two parts of a model's name; raises NotFound for what is no name."""
    try:
        return check_repo_name(namespace), check_repo_name(name)
    except Invalid as error:
        raise NotFound("no such model") from error


def revision(text: str) -> str:
    """Return a branch, a tag or a commit id; raises NoSuchRevision for what is none of these."""
    try:
        return text if is_commit_id(text) else check_ref_name(text)
    except Invalid as error:
        raise NoSuchRevision("no such revision") from error


def path(text: str, revision_id: str = "") -> str:
    """Return a path inside a revision; raises NoSuchFile for what could not be published."""
    try:
        return check_path(text)
    except Invalid as error:
        raise NoSuchFile("no such file", revision_id) from error


def file_ref(namespace: str, name: str, at: str, where: str) -> FileRef:
    """Return which file an address of the resolve door means; raises as the three above."""
    return FileRef(*repository(namespace, name), revision(at), path(where))


def flag(name: str) -> bool:
    """Read a boolean of the query or form: 0.36 sends `True`, later clients `true`."""
    return any(found.lower() in {"true", "1"} for found in _given(name))


def text(name: str) -> str | None:
    """Read a text of the query; raises BadRequest when it is too long or no text."""
    found = request.args.get(name)
    return _checked(name, found) if found else None


def texts(name: str, most: int | None = None) -> list[str]:
    """Read a repeated text of the query or form, `name` or `name[]`; raises BadRequest."""
    found = [_checked(name, value) for value in _given(name) + _given(f"{name}[]")]
    if most is not None and len(found) > most:
        raise BadRequest(f"{name}: at most {most} times")
    return found


def paths(name: str) -> list[str]:
    """Read paths of the query or form; what could not be published is left out."""
    return [path for value in _given(name) if _could_be(path := value.strip("/"))]


def _could_be(path: str) -> bool:
    try:
        return bool(check_path(path))
    except Invalid:
        return False


def _given(name: str) -> list[str]:
    """Return what the query says, and a form where one was sent: another body is left unread."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    return request.args.getlist(name) + (request.form.getlist(name) if is_form else [])


def _checked(name: str, value: str) -> str:
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise BadRequest(f"{name}: at most {LONGEST_TEXT} printable characters")
    return value


def limit(most: int = PAGE) -> int:
    """Read how many items a page should have, never more than `most`; raises BadRequest."""
    found = request.args.get("limit", str(most))
    if not found.isascii() or not found.isdigit() or len(found) > 9 or not int(found):
        raise BadRequest("limit: a whole number above 0")
    return min(int(found), most)


_ORDERS = {
    "lastModified": ModelOrder.CHANGED,
    "createdAt": ModelOrder.CREATED,
    # Nothing is liked, trending or counted here: all are equal, and equals are sorted by name.
    "downloads": ModelOrder.NAME,
    "likes": ModelOrder.NAME,
    "trendingScore": ModelOrder.NAME,
}


def order() -> ModelOrder:
    """Read by what to sort models; raises BadRequest for what we do not know."""
    found = request.args.get("sort")
    if found is None:
        return ModelOrder.NAME
    if found not in _ORDERS:
        raise BadRequest(f"sort: one of {', '.join(_ORDERS)}")
    return _ORDERS[found]


def cursor(name: str = "cursor") -> list[str] | None:
    """Read the place after which a page begins; raises BadRequest for one we did not write."""
    found = request.args.get(name)
    if found is None:
        return None
    try:
        place = json.loads(base64.b64decode(found.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadRequest(f"{name}: take it from the Link of the page before") from error
    if not isinstance(place, list) or not all(isinstance(p, str) and _is_text(p) for p in place):
        raise BadRequest(f"{name}: take it from the Link of the page before")
    return place


def _is_text(value: str) -> bool:
    """Say whether it holds neither control characters nor halves of one: any path is a text."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in value)


def place(by: ModelOrder) -> tuple[str, ...] | None:
    """Read the cursor of a list of models in this order; raises BadRequest."""
    found = cursor()
    if found is None:
        return None
    timed = by is not ModelOrder.NAME
    if len(found) != 2 + timed or (timed and not _is_moment(found[0])):
        raise BadRequest("cursor: it belongs to another list")
    return tuple(found)


def moment_and_id(name: str) -> tuple[datetime, str] | None:
    """Read the cursor of a list in the order of time; raises BadRequest."""
    found = cursor(name)
    if found is None:
        return None
    if len(found) != 2 or not _is_moment(found[0]):
        raise BadRequest(f"{name}: it belongs to another list")
    return datetime.fromisoformat(found[0]), found[1]


def _is_moment(written: str) -> bool:
    try:
        return datetime.fromisoformat(written).tzinfo is not None
    except ValueError:
        return False


def next_link(after: Sequence[str], name: str = "cursor") -> str:
    """Return the Link header to this page's successor, absolute on the host the client used."""
    written = base64.urlsafe_b64encode(json.dumps(list(after)).encode()).decode()
    query = [(k, v) for k, v in request.args.items(multi=True) if k != name]
    address = url_for(request.endpoint or "", **(request.view_args or {}))
    return f'<{base()}{address}?{urlencode([*query, (name, written)])}>; rel="next"'


def base() -> str:
    """Return the site's address as this client knows it, without a slash at the end.

    The configured one when the client used its host (a proxy may hide https from us) or none that
    could be one, else the request's own: the client sends its token there and nowhere else.
    """
    public, host = house().policy.public_url, request.host
    is_public = urlsplit(public).netloc == host or not _HOST.fullmatch(host)
    return public if is_public else request.host_url.rstrip("/")
