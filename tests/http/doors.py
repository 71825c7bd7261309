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
    # Loosening is refused to everybody: nothing in this house is left open.
    ("api.catalogue.choose_tier", "POST"): (
        api("/models/{t3}/tier", OWNER, json={"tier": "T3"}),
        api("/models/{hidden}/tier", OWNER, json={"tier": "T3"}),
    ),
    ("api.catalogue.choose_new_model_tier", "POST"): (
        api("/namespaces/northfield/new-model-tier", OWNER, json={"tier": None}),
        api("/namespaces/nobodys/new-model-tier", NOBODY, json={"tier": None}),
    ),
    # Its card names no gate, and its tier was decided: nothing changes.
    ("api.catalogue.import_card", "POST"): (
        api("/models/{t3}/import-card", OWNER, json={}),
        api("/models/{hidden}/import-card", OWNER, json={"dry_run": True}),
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
_UNSPOKEN = {
    "no_such_kind": ("/api/datasets/a/b", "/api/spaces/a/b/variables"),
    "no_such_part": (f"{_MODEL}/discussions", "/api/models/{hidden}/discussions/1/comment"),
    "no_such_feature": ("/api/collections", "/api/users/owner-user/likes"),
    "not_spoken": (f"{_MODEL}/nothing/main", "/api/repos/nothing"),
    "no_git": ("/{t3}.git/info/refs", "/{hidden}/git-upload-pack"),
}
_REQUESTS = f"{_MODEL}/user-access-request"
_SESSION = "/api/xet/xet_000000000000000000000000"
_OBJECT = {"oid": "0" * 64, "size": 1}
_BATCH = {"operation": "upload", "objects": [_OBJECT]}
_COMMIT = (
    b'{"key":"header","value":{"summary":"s"}}\n'
    b'{"key":"file","value":{"path":"door.txt","content":"eA==","encoding":"base64"}}\n'
)
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
        hub("/api/models/lyra-t0", NOBODY),
        hub("/lyra-t0/resolve/main/README.md", NOBODY),
    ),
    ("hub.agent_harnesses", "GET"): (hub("/api/agent-harnesses", EVERYBODY),),
    ("hub.telemetry", "GET"): (hub("/api/telemetry/x", EVERYBODY),),
    ("hub.telemetry", "POST"): (hub("/api/telemetry/x", EVERYBODY, json={}),),
    ("hub.whoami", "GET"): (hub("/api/whoami-v2", SIGNED_IN),),
    ("hub_device.begin", "POST"): (hub("/oauth/device", EVERYBODY, form={"client_id": "x"}),),
    ("hub_device.redeem", "POST"): (hub("/oauth/token", NOBODY, form={"grant_type": "x"}),),
    ("hub_writing.create_repository", "POST"): (
        hub("/api/repos/create", EVERYBODY, json={"name": "{t3}"}, passes=frozenset({409})),
        hub("/api/repos/create", INSIDERS, json={"name": "{hidden}"}, passes=frozenset({200, 409})),
    ),
    # To delete or rename what this house holds would empty it: only refusals are knocked for.
    ("hub_writing.delete_repository", "DELETE"): (
        hub("/api/repos/delete", OWNER, json={"name": "{t3}"}, passes=frozenset({409})),
    ),
    ("hub_writing.move_repository", "POST"): (
        hub("/api/repos/move", OWNER, json={"fromRepo": "{hidden}", "toRepo": "{hidden}"}),
    ),
    ("hub_writing.squash", "POST"): (
        hub(f"{_MODEL}/super-squash/main", OWNER, json={}, passes=frozenset({501})),
        hub("/api/models/{hidden}/super-squash/main", OWNER, json={}, passes=frozenset({501})),
    ),
    ("hub_writing.validate_card", "POST"): (
        hub("/api/validate-yaml", EVERYBODY, json={"content": "# A card"}),
    ),
    ("hub_writing.preupload", "POST"): (
        hub(f"{_MODEL}/preupload/main", OWNER, json={"files": []}),
        hub("/api/models/{hidden}/preupload/main", OWNER, json={"files": []}),
    ),
    ("hub_writing.commit", "POST"): (
        hub(f"{_MODEL}/commit/main", OWNER, raw=_COMMIT),
        hub("/api/models/{hidden}/commit/main", OWNER, raw=_COMMIT),
    ),
    # Its tier may only become stricter: T3 is `manual` already.
    ("hub_writing.change_settings", "PUT"): (
        hub(f"{_MODEL}/settings", OWNER, json={"gated": "manual"}),
        hub("/api/models/{hidden}/settings", OWNER, json={"private": True}),
    ),
    ("hub_writing.create_branch", "POST"): (
        hub(f"{_MODEL}/branch/door", OWNER, json={}),
        hub("/api/models/{hidden}/branch/door", OWNER, json={}),
    ),
    ("hub_writing.create_tag", "POST"): (
        hub(f"{_MODEL}/tag/main", OWNER, json={"tag": "door"}),
        hub("/api/models/{hidden}/tag/main", OWNER, json={"tag": "door"}),
    ),
    # There is none of this name: who may remove it is told so, and others what they may know.
    ("hub_writing.remove_ref", "DELETE"): (hub(f"{_MODEL}/branch/none", NOBODY),),
    # The role owner implies no right to read or decide requests; a hidden model has none to see.
    ("hub_requests.list_requests", "GET"): (
        hub(f"{_REQUESTS}/pending", STAFF),
        hub(f"{_REQUESTS}/accepted", STAFF),
        hub(f"{_REQUESTS}/rejected", STAFF),
        hub("/api/models/{hidden}/user-access-request/pending", TRIAGE),
        hub("/api/models/{t0}/user-access-request/pending", NOBODY),
    ),
    ("hub_requests.handle_request", "POST"): (
        hub(f"{_REQUESTS}/handle", NOBODY, json={"user": "pending-user", "status": "pending"}),
        hub(
            f"{_REQUESTS}/handle",
            DECIDERS,
            json={"user": "pending-user", "status": "accepted"},
            passes=frozenset({200, 404}),
        ),
        hub(
            f"{_REQUESTS}/handle",
            DECIDERS | {"compliance"},
            json={"user": "researcher-user", "status": "rejected"},
            passes=frozenset({200, 404}),
        ),
        hub(
            "/api/models/{hidden}/user-access-request/handle",
            NOBODY,
            json={"user": "pending-user", "status": "accepted"},
        ),
    ),
    ("hub_requests.grant_access", "POST"): (
        hub(
            f"{_REQUESTS}/grant",
            DECIDERS,
            json={"user": "applicant-user"},
            passes=frozenset({200, 400}),
        ),
        hub(
            "/api/models/{hidden}/user-access-request/grant",
            DECIDERS,
            json={"user": "applicant-user"},
            passes=frozenset({200, 400}),
        ),
        hub("/api/models/{t4}/user-access-request/grant", NOBODY, json={"user": "applicant-user"}),
    ),
    ("hub_requests.cancel_request", "POST"): (
        hub(f"{_REQUESTS}/cancel", frozenset({"pending"}), json={}),
        hub("/api/models/{hidden}/user-access-request/cancel", NOBODY, json={}),
    ),
    ("hub_requests.decide_many", "POST"): (
        hub(f"{_REQUESTS}/batch", NOBODY, json={}, passes=frozenset({501})),
    ),
    ("hub_requests.report", "GET"): (
        hub("/{t3}/user-access-report", STAFF),
        hub("/{hidden}/user-access-report", TRIAGE),
    ),
    # Nobody applies without an answer; whoever asked before or needs no grant is sent to the page.
    ("hub_requests.ask_access", "POST"): (
        hub("/{t3}/ask-access", HOLDERS | {"pending"}, json={}),
        hub("/{t0}/ask-access", NOBODY, json={}),
        hub("/{hidden}/ask-access", frozenset({"owner"}), json={}),
    ),
    ("hub_lfs.batch", "POST"): (
        hub("/{t3}.git/info/lfs/objects/batch", OWNER, json=_BATCH),
        hub("/{hidden}.git/info/lfs/objects/batch", OWNER, json=_BATCH),
    ),
    # Nobody has sent these bytes.
    ("hub_lfs.verify", "POST"): (hub("/{t3}.git/info/lfs/verify", NOBODY, json=_OBJECT),),
    # A ticket is a bearer secret of one upload; what it takes is tested beside it.
    ("hub_lfs.send_whole", "PUT"): (hub("/api/lfs/{forged}", NOBODY, raw=b"x"),),
    ("hub_lfs.send_part", "PUT"): (hub("/api/lfs/{forged}/1", NOBODY, raw=b"x"),),
    ("hub_lfs.complete", "POST"): (hub("/api/lfs/{forged}", NOBODY, json={}),),
    ("hub_xet.write_token", "GET"): (
        hub(f"{_MODEL}/xet-write-token/main", OWNER),
        hub("/api/models/{hidden}/xet-write-token/main", OWNER),
    ),
    ("hub_xet.read_token", "GET"): (hub(f"{_MODEL}/xet-read-token/main", NOBODY),),
    # Its token opens a session, no access token does; what it takes is tested beside it.
    ("hub_xet.send_xorb", "POST"): (hub(f"{_SESSION}/v1/xorbs/default/0", NOBODY, raw=b"x"),),
    ("hub_xet.send_shard", "POST"): (hub(f"{_SESSION}/v1/shards", NOBODY, raw=b"x"),),
    ("hub_xet.telemetry", "POST"): (hub("/v1/telemetry", EVERYBODY, json={}),),
    **{
        ("hub_xet.not_kept", method): (hub(f"{_SESSION}/v2/shards", NOBODY, json={}),)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    **{
        (f"hub_unspoken.{endpoint}", method): tuple(
            hub(path, NOBODY, json={}, passes=frozenset({501})) for path in paths
        )
        for endpoint, paths in _UNSPOKEN.items()
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
}
