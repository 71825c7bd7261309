"""Every door of the product and who may pass it: the expectation of the matrix.

Written from interface.md, not from the code. `path` and bodies hold {placeholders} of the furnished
house. `allowed` names members of the cast (and "anonymous"); everybody else must be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEMBERS = (
    "owner", "handler", "approver", "approver2", "compliance", "admin", "researcher", "applicant",
    "pending", "stranger",
)  # fmt: skip
SIGNED_IN = frozenset(MEMBERS)
EVERYBODY = SIGNED_IN | {"anonymous"}
VERIFIED = SIGNED_IN - {"stranger"}
STAFF = frozenset({"handler", "approver", "approver2", "compliance"})  # who may read a case
DECIDERS = frozenset({"approver", "approver2"})
TRIAGE = DECIDERS | {"handler"}
STOPPERS = TRIAGE | {"compliance"}
AUDITORS = frozenset({"compliance", "admin"})
HOLDERS = frozenset({"researcher", "owner"})  # the grant, and the namespace's own people
INSIDERS = frozenset({"owner", "handler", "approver", "approver2"})  # who know the hidden model
OWNER = frozenset({"owner"})  # and publishers, who are cast nowhere
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Door:
    """One route and method: how to knock and who may pass."""

    path: str
    allowed: frozenset[str]
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    raw: bytes | None = None
    # What a passing request may answer; anything below 400 unless the door says otherwise.
    passes: frozenset[int] = field(default_factory=lambda: frozenset(range(200, 400)))
    # Pages of a bearer-only or session-only dialect.
    dialect: str = "page"
    # Who may read the object: their refusal may show it, as it stands now.
    readers: frozenset[str] = frozenset()


def page(path: str, allowed: frozenset[str], **more: Any) -> Door:
    """Return a door that is knocked at with a session cookie."""
    return Door(path, allowed, **more)


def api(path: str, allowed: frozenset[str], **more: Any) -> Door:
    """Return a door of the JSON API, knocked at with a bearer token."""
    return Door(f"/api/v1{path}", allowed, dialect="bearer", **more)


def hub(path: str, allowed: frozenset[str], **more: Any) -> Door:
    """Return a door of the Hub dialect, knocked at with a bearer token."""
    return Door(path, allowed, dialect="bearer", **more)


MET = frozenset({200, 201, 302, 303, 409, 422})  # passed the guard; the act itself may not apply
REFUSED_BY_ALL = frozenset({404, 405, 400, 501})

Doors = Mapping[tuple[str, str], tuple[Door, ...]]

MACHINES: Doors = {
    ("machines.healthz", "GET"): (page("/healthz", EVERYBODY),),
    ("machines.readyz", "GET"): (page("/readyz", EVERYBODY),),
    ("machines.metrics", "GET"): (page("/metrics", EVERYBODY),),  # a loopback site's own machine
    ("machines.robots", "GET"): (page("/robots.txt", EVERYBODY),),
    ("static", "GET"): (page("/static/gk.css", EVERYBODY),),
    # A link is a bearer secret of its holder: whoever has it may fetch while the grant stands.
    ("files.signed_file", "GET"): (
        page("{link}", EVERYBODY),
        page("/d/{forged}/x", NOBODY),
    ),
}

API: Doors = {
    ("api.document.show_document", "GET"): (api("/openapi.json", EVERYBODY),),
    ("api.me.show_me", "GET"): (api("/me", SIGNED_IN),),
    ("api.me.list_tokens", "GET"): (api("/me/tokens", SIGNED_IN),),
    ("api.me.revoke_token", "POST"): (
        api("/me/tokens/{token}/revoke", frozenset({"researcher"}), json={}),
    ),
    ("api.me.list_sessions", "GET"): (api("/me/sessions", SIGNED_IN),),
    ("api.me.end_session", "POST"): (api("/me/sessions/not-mine/end", NOBODY, json={}),),
    ("api.me.end_sessions", "POST"): (api("/me/sessions/end", SIGNED_IN, json={}),),
    ("api.catalogue.list_releases", "GET"): (api("/releases", EVERYBODY),),
    ("api.catalogue.show_release", "GET"): (
        api("/releases/northfield/lyra", EVERYBODY),
        api("/releases/northfield/none", NOBODY),
    ),
    ("api.catalogue.list_models", "GET"): (api("/models", EVERYBODY),),
    ("api.catalogue.show_model", "GET"): (
        api("/models/{t3}", EVERYBODY),
        api("/models/{t5}", EVERYBODY),
        api("/models/{hidden}", INSIDERS),
    ),
    ("api.catalogue.set_form", "POST"): (
        api("/models/{t3}/form", frozenset({"owner"}), json={"form": None, "seen": None},
            passes=MET),
        api("/models/{hidden}/form", frozenset({"owner"}), json={"form": None, "seen": None},
            passes=MET),
    ),
    ("api.catalogue.list_files", "GET"): (
        api("/models/{t3}/revisions/main/files", EVERYBODY),
        api("/models/{t3}/revisions/feat%2Fx/files", EVERYBODY),
        api("/models/{hidden}/revisions/main/files", INSIDERS),
    ),
    ("api.agreements.show_agreement", "GET"): (api("/agreements/research-use", EVERYBODY),),
    ("api.agreements.accept", "POST"): (
        api(
            "/agreements/research-use/acceptances",
            VERIFIED,
            json={"sha256": "{terms}", "clauses": ["1", "2", "3"], "typed_name": "{name}"},
            passes=frozenset({200, 201}),
        ),
    ),
    ("api.applications.list_applications", "GET"): (api("/applications", SIGNED_IN),),
    ("api.applications.start", "POST"): (
        api("/applications", SIGNED_IN, json={"models": ["{t3}"], "purpose": "p"}, passes=MET),
        api("/applications", INSIDERS, json={"models": ["{hidden}"], "purpose": "p"}, passes=MET),
    ),
    ("api.applications.show_application", "GET"): (
        api("/applications/{case}", STAFF | {"pending"}),
    ),
    ("api.applications.change", "PATCH"): (
        api("/applications/{case}", frozenset({"pending"}), json={"version": 1}, passes=MET),
    ),
    ("api.applications.submit", "POST"): (
        api("/applications/{case}/submit", frozenset({"pending"}), json={"version": 1}, passes=MET),
    ),
    ("api.applications.withdraw", "POST"): (
        api("/applications/{case}/withdraw", frozenset({"pending"}), json={"version": 1},
            passes=MET),
    ),
    ("api.applications.claim", "POST"): (
        api("/applications/{case}/claim", TRIAGE, json={"version": 1}, passes=MET),
    ),
    ("api.applications.post_message", "POST"): (
        api("/applications/{case}/messages", TRIAGE | {"pending"}, json={"text": "hello"},
            passes=MET),
        api("/applications/{case}/messages", STAFF, json={"text": "hello", "internal": True},
            passes=MET),
    ),
    ("api.applications.decide", "POST"): (
        api("/applications/{case}/decisions", DECIDERS,
            json={"verdict": "approve", "version": 1}, passes=MET),
        api("/applications/{case}/decisions", TRIAGE,
            json={"verdict": "ask", "note": "why?", "version": 1}, passes=MET),
        api("/applications/{case}/decisions", DECIDERS,
            json={"verdict": "reject", "reason": "incomplete", "note": "no", "version": 1},
            passes=MET),
    ),
    ("api.grants.list_grants", "GET"): (api("/grants", SIGNED_IN),),
    ("api.grants.suspend", "POST"): (
        api("/grants/{grant}/suspend", STOPPERS, json={"reason": "leak"}, passes=MET),
    ),
    ("api.grants.reinstate", "POST"): (
        api("/grants/{grant}/reinstate", STOPPERS, json={}, passes=MET),
    ),
    ("api.grants.revoke", "POST"): (
        api("/grants/{grant}/revoke", DECIDERS | {"compliance"}, json={"reason": "leak"},
            passes=MET),
    ),
    ("api.grants.relinquish", "POST"): (
        api("/grants/{grant}/relinquish", frozenset({"researcher"}), json={}, passes=MET),
    ),
    ("api.links.issue", "POST"): (
        api("/links", HOLDERS, json={"model": "{t3}", "revision": "main", "path": "{weights}"}),
        api("/links", frozenset({"owner"}),
            json={"model": "{t5}", "revision": "main", "path": "{weights}"}),
        api("/links", frozenset({"owner"}),
            json={"model": "{hidden}", "revision": "main", "path": "{weights}"}),
        api("/links", SIGNED_IN, json={"model": "{t3}", "revision": "main", "path": "README.md"}),
    ),
    ("api.mail.list_dead", "GET"): (api("/mail/dead", frozenset({"admin"})),),
    ("api.mail.retry", "POST"): (api("/mail/retry", frozenset({"admin"}), json={}),),
    ("api.uploads.begin", "POST"): (
        api("/uploads", OWNER, json={"model": "{t3}", "path": "new.bin", "size_bytes": 5}),
        api("/uploads", OWNER, json={"model": "{t5}", "path": "new.bin", "size_bytes": 5}),
        api("/uploads", OWNER, json={"model": "{hidden}", "path": "new.bin", "size_bytes": 5}),
    ),
    ("api.uploads.list_uploads", "GET"): (api("/uploads", OWNER | {"admin"}),),  # their own
    ("api.uploads.show_upload", "GET"): (
        api("/uploads/{upload}", OWNER),
        api("/uploads/upl_000000000000000000000000", NOBODY),
    ),
    ("api.uploads.send_part", "PUT"): (
        api("/uploads/{upload}/parts/1", OWNER, raw=b"bytes"),
        api("/uploads/{upload}/parts/2", NOBODY, raw=b"bytes"),
    ),
    ("api.uploads.complete", "POST"): (
        api("/uploads/{upload}/complete", OWNER, json={}, passes=MET),
    ),
    ("api.uploads.give_up", "DELETE"): (api("/uploads/{upload}", OWNER),),
    ("api.uploads.publish", "POST"): (
        api("/models/{t3}/revisions", OWNER, json={"base": "{revision}", "removes": ["none"]},
            passes=MET),
        api("/models/{hidden}/revisions", OWNER, json={"base": None}, passes=MET),
    ),
    ("api.audit.list_entries", "GET"): (
        api("/audit/entries", SIGNED_IN),
    ),
}  # fmt: skip

_MODEL = "/api/models/{t3}"
HUB: Doors = {
    ("hub.list_models", "GET"): (hub("/api/models", EVERYBODY),),
    ("hub.model_info", "GET"): (
        hub(_MODEL, EVERYBODY),
        hub(f"{_MODEL}/revision/feat%2Fx", EVERYBODY),
        hub("/api/models/{hidden}", INSIDERS),
    ),
    ("hub.auth_check", "GET"): (
        hub(f"{_MODEL}/auth-check", HOLDERS),
        hub("/api/models/{t0}/auth-check", EVERYBODY),
        hub("/api/models/{hidden}/auth-check", frozenset({"owner"})),
    ),
    ("hub.list_commits", "GET"): (
        hub(f"{_MODEL}/commits/main", EVERYBODY),
        hub("/api/models/{hidden}/commits/main", INSIDERS),
    ),
    ("hub.paths_info", "POST"): (
        hub(f"{_MODEL}/paths-info/main", EVERYBODY, form={"paths": "README.md"}),
        hub("/api/models/{hidden}/paths-info/main", INSIDERS, form={"paths": "README.md"}),
    ),
    ("hub.list_refs", "GET"): (
        hub(f"{_MODEL}/refs", EVERYBODY),
        hub("/api/models/{hidden}/refs", INSIDERS),
    ),
    ("hub.list_tree", "GET"): (
        hub(f"{_MODEL}/tree/main", EVERYBODY),
        hub("/api/models/{hidden}/tree/main", INSIDERS),
    ),
    ("hub.resolve_file", "GET"): (
        hub("/{t0}/resolve/main/{weights}", EVERYBODY),
        hub("/{t1}/resolve/main/{weights}", VERIFIED),
        hub("/{t2}/resolve/main/{weights}", frozenset({"owner"})),
        hub("/{t3}/resolve/main/{weights}", HOLDERS),
        hub("/{t3}/resolve/feat%2Fx/{weights}", HOLDERS),
        hub("/{t3}/resolve/main/config.json", HOLDERS),
        hub("/{t3}/resolve/main/README.md", EVERYBODY),
        hub("/{t4}/resolve/main/{weights}", frozenset({"owner"})),
        hub("/{t5}/resolve/main/{weights}", frozenset({"owner"})),
        hub("/{hidden}/resolve/main/{weights}", frozenset({"owner"})),
        hub("/{hidden}/resolve/main/README.md", INSIDERS),
    ),
    ("hub.no_such_repository", "GET"): (
        hub("/api/datasets/a/b", NOBODY),
        hub("/api/models/lyra-t0", NOBODY),
        hub("/lyra-t0/resolve/main/README.md", NOBODY),
    ),
    ("hub.agent_harnesses", "GET"): (hub("/api/agent-harnesses", EVERYBODY),),
    ("hub.telemetry", "GET"): (hub("/api/telemetry/x", EVERYBODY),),
    ("hub.telemetry", "POST"): (hub("/api/telemetry/x", EVERYBODY, json={}),),
    ("hub.whoami", "GET"): (hub("/api/whoami-v2", SIGNED_IN),),
    **{
        ("hub.not_spoken", method): (
            hub(f"{_MODEL}/commit/main", NOBODY, json={}),
            hub("/api/repos/create", NOBODY, json={}),
        )
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
}
