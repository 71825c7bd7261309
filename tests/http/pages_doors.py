"""The pages' part of the matrix: every page and form, and who may pass it."""

from __future__ import annotations

from tests.http.doors import (
    AUDITORS,
    DECIDERS,
    EVERYBODY,
    HOLDERS,
    INSIDERS,
    MET,
    NOBODY,
    SIGNED_IN,
    STAFF,
    STOPPERS,
    TRIAGE,
    VERIFIED,
    Doors,
    page,
)

CATALOGUE: Doors = {
    ("catalogue.index", "GET"): (page("/", EVERYBODY), page("/?q=lyra", EVERYBODY)),
    ("catalogue.release", "GET"): (
        page("/releases/northfield/lyra", EVERYBODY),
        page("/releases/northfield/none", NOBODY),
    ),
    ("catalogue.model", "GET"): (
        page("/{t0}", EVERYBODY),
        page("/{t3}", EVERYBODY),
        page("/{t5}", EVERYBODY),
        page("/{hidden}", INSIDERS),
    ),
    ("catalogue.tree", "GET"): (
        page("/{t3}/tree/main", EVERYBODY),
        page("/{t3}/tree/feat%2Fx", EVERYBODY),
        page("/{hidden}/tree/main", INSIDERS),
    ),
    ("catalogue.blob", "GET"): (
        page("/{t3}/blob/main/{weights}", EVERYBODY),
        page("/{hidden}/blob/main/{weights}", INSIDERS),
    ),
    ("catalogue.commit", "GET"): (
        page("/{t3}/commit/{revision}", EVERYBODY),
        page("/{hidden}/commit/{revision}", NOBODY),  # a revision of another model
    ),
}

ACCESS: Doors = {
    ("access.index", "GET"): (page("/access", SIGNED_IN),),
    ("access.model", "GET"): (
        page("/access/{t0}", EVERYBODY),
        page("/access/{t3}", HOLDERS),  # to others: 403 and what is still needed
        page("/access/{hidden}", frozenset({"owner"})),
    ),
    ("access.make_link", "POST"): (
        page(
            "/access/{t3}/links", HOLDERS,
            form={"revision": "main", "copy": "{weights}"},
        ),
        page(
            "/access/{hidden}/links", frozenset({"owner"}),
            form={"revision": "main", "download": "{weights}"},
        ),
    ),
    ("access.make_token", "POST"): (page("/access/{t3}/token", HOLDERS, passes=MET),),
    ("access.relinquish", "POST"): (
        page("/access/grants/{grant}/relinquish", frozenset({"researcher"}), passes=MET),
    ),
}  # fmt: skip

LEAD = frozenset({"pending"})
APPLY: Doors = {
    ("apply.form", "GET"): (
        page("/apply/{t3}", SIGNED_IN),
        page("/apply/{hidden}", INSIDERS),
    ),
    ("apply.send", "POST"): (
        page("/apply/{t3}", SIGNED_IN, form={"act": "save", "purpose": "p"}, passes=MET),
        page("/apply/{hidden}", INSIDERS, form={"act": "save", "purpose": "p"}, passes=MET),
    ),
    ("apply.autosave", "POST"): (
        page("/apply/{t3}/draft", SIGNED_IN, form={"purpose": "p"}, passes=MET),
        page("/apply/{hidden}/draft", INSIDERS, form={"purpose": "p"}, passes=MET),
    ),
    ("apply.applications", "GET"): (page("/applications", SIGNED_IN),),
    ("apply.application", "GET"): (page("/applications/{case}", LEAD),),
    ("apply.write", "POST"): (
        page("/applications/{case}/message", LEAD, form={"text": "hello"}, passes=MET),
    ),
    ("apply.answer", "POST"): (
        page("/applications/{case}/answer", LEAD, form={"version": "1"}, passes=MET),
    ),
    ("apply.withdraw", "POST"): (
        page("/applications/{case}/withdraw", LEAD, form={"version": "1"}, passes=MET),
    ),
    ("apply.agreement", "GET"): (
        page("/agreements/research-use", EVERYBODY),
        page("/agreements/none", NOBODY),
    ),
    ("apply.accept", "POST"): (
        page(
            "/agreements/research-use",
            SIGNED_IN - {"stranger"},  # an address that is not verified signs nothing
            form={"sha256-research-use": "{terms}", "typed_name": "{name}"},
            passes=MET,
        ),
    ),
    ("apply.receipt", "GET"): (
        page("/agreements/research-use/receipts/{receipt}", frozenset({"researcher"})),
    ),
}

REVIEW: Doors = {
    ("review.index", "GET"): (page("/review", STAFF),),
    ("review.show", "GET"): (page("/review/{case}", STAFF), page("/review/GK-0000000", NOBODY)),
    ("review.claim", "POST"): (
        page("/review/{case}/claim", TRIAGE, form={"version": "1"}, passes=MET, readers=STAFF),
    ),
    ("review.decide", "POST"): (
        page(
            "/review/{case}/decision", DECIDERS,
            form={"version": "1", "verdict": "approve", "ends_on": ""}, passes=MET,
            readers=STAFF,
        ),
        page(
            "/review/{case}/decision", TRIAGE,
            form={"version": "1", "verdict": "ask", "note": "why?"}, passes=MET,
            readers=STAFF,
        ),
    ),
    ("review.write", "POST"): (
        page(
            "/review/{case}/message", TRIAGE, form={"text": "hello", "to": "applicant"},
            passes=MET,
        ),
        page(
            "/review/{case}/message", STAFF, form={"text": "hello"}, passes=MET
        ),
    ),
    ("review.change_grant", "POST"): (
        page(
            "/review/{decided}/grant", STOPPERS,
            form={"grant": "{grant}", "command": "suspend", "reason": "leak", "note": "n"},
            passes=MET,
        ),
        page(
            "/review/{case}/grant", NOBODY,  # a grant of another case
            form={"grant": "{grant}", "command": "suspend", "reason": "leak", "note": "n"},
        ),
    ),
}  # fmt: skip

_OWNER = frozenset({"owner"})
_FORM = "/own/northfield/lyra/lyra-t3/form"
_HIDDEN_FORM = "/own/northfield/lyra/lyra-hidden/form"
_CARD = "/own/northfield/lyra/lyra-t3/card"
_HIDDEN_CARD = "/own/northfield/lyra/lyra-hidden/card"

OWN: Doors = {
    ("device.show", "GET"): (page("/device", SIGNED_IN),),
    ("device.answer", "POST"): (page("/device", NOBODY, form={"code": "BCDF-GHJK"}),),
    ("own.show", "GET"): (
        page("/own/northfield/lyra", _OWNER),
        page("/own/northfield/none", NOBODY),
        page("/own/nobody/lyra", NOBODY),
    ),
    ("own.choose_tier", "POST"): (
        page("/own/northfield/lyra/lyra-t3/tier", _OWNER, form={"tier": "T3"}),
        page("/own/northfield/lyra/none/tier", NOBODY, form={"tier": "T3"}),
    ),
    ("own.choose_new_model_tier", "POST"): (
        page("/own/northfield/lyra/new-models", _OWNER, form={"tier": ""}),
        page("/own/nobody/lyra/new-models", NOBODY, form={"tier": ""}),
    ),
    ("own.show_form", "GET"): (
        page(_FORM, _OWNER),
        page(_HIDDEN_FORM, _OWNER),
        page("/own/northfield/lyra/none/form", NOBODY),
        page("/own/northfield/none/lyra-t3/form", NOBODY),
    ),
    ("own.change_form", "POST"): (
        page(_FORM, _OWNER, form={"act": "add", "title": "x"}),
        page(_FORM, _OWNER, form={"act": "save", "title": "x"}, passes=MET),
        page(_HIDDEN_FORM, _OWNER, form={"act": "drop"}, passes=MET),
    ),
    ("own.show_card", "GET"): (
        page(_CARD, _OWNER),
        page(_HIDDEN_CARD, _OWNER),
        page("/own/northfield/lyra/none/card", NOBODY),
        page("/own/northfield/none/lyra-t3/card", NOBODY),
    ),
    ("own.import_card", "POST"): (
        page(_CARD, _OWNER, form={"revision": "main"}),
        page(_HIDDEN_CARD, _OWNER, form={"revision": "none"}, passes=MET),
    ),
}

_FILES = "/own/northfield/lyra/lyra-t3/files"
_UPLOAD = _FILES + "/uploads/{upload}"
_HIDDEN_FILES = "/own/northfield/lyra/lyra-hidden/files"

UPLOADS: Doors = {
    ("uploads.show", "GET"): (
        page(_FILES, _OWNER),
        page(_HIDDEN_FILES, _OWNER),
        page("/own/northfield/none/lyra-t3/files", NOBODY),
        page("/own/northfield/lyra/none/files", NOBODY),
    ),
    ("uploads.send_small", "POST"): (page(_FILES, _OWNER, form={"folder": "x"}, passes=MET),),
    ("uploads.begin", "POST"): (
        page(f"{_FILES}/uploads", _OWNER, form={"path": "a.bin", "size_bytes": "5"}),
        page(f"{_HIDDEN_FILES}/uploads", _OWNER, form={"path": "a.bin", "size_bytes": "5"}),
    ),
    ("uploads.look", "GET"): (
        page(_UPLOAD, _OWNER),
        page("/own/northfield/lyra/lyra-t2/files/uploads/{upload}", NOBODY),  # of another model
    ),
    ("uploads.send_part", "PUT"): (
        page(f"{_UPLOAD}/parts/1", _OWNER, raw=b"bytes"),
        page(f"{_UPLOAD}/parts/2", NOBODY, raw=b"bytes"),
    ),
    ("uploads.complete", "POST"): (page(f"{_UPLOAD}/complete", _OWNER, passes=MET),),
    ("uploads.give_up", "POST"): (page(f"{_UPLOAD}/give-up", _OWNER),),
    ("uploads.publish", "POST"): (
        page(f"{_FILES}/publish", _OWNER, passes=MET),
        page(f"{_HIDDEN_FILES}/publish", _OWNER, passes=MET),
    ),
}

PAGES: Doors = {
    ("reference.index", "GET"): (page("/docs/api", EVERYBODY),),
    ("reference.shapes", "GET"): (page("/docs/api/shapes", EVERYBODY),),
    ("account.show", "GET"): (page("/account", SIGNED_IN),),
    ("account.record", "GET"): (page("/account/record", SIGNED_IN),),
    ("account.change_password", "POST"): (page("/account/password", SIGNED_IN, passes=MET),),
    ("account.end_other_sessions", "POST"): (page("/account/sessions/end-others", SIGNED_IN),),
    ("account.create_token", "POST"): (
        page("/account/tokens", VERIFIED, form={"name": "x", "scope": "read", "days": "9"}),
    ),
    ("account.verify_again", "POST"): (page("/account/verify", SIGNED_IN),),
    ("account.register", "GET"): (page("/register", EVERYBODY),),
    ("account.register", "POST"): (page("/register", EVERYBODY, passes=MET),),
    ("account.ask_reset", "GET"): (page("/reset", EVERYBODY),),
    ("account.ask_reset", "POST"): (page("/reset", EVERYBODY, form={"email": "a@b.example"}),),
    ("account.sign_in", "GET"): (page("/sign-in", EVERYBODY),),
    ("account.sign_out", "POST"): (page("/sign-out", EVERYBODY),),
    ("account.sign_in", "POST"): (
        page(
            "/sign-in",
            EVERYBODY,
            form={"email": "a@b.example", "password": "wrong"},
            passes=MET | {401},
        ),
    ),
    ("account.end_session", "POST"): (
        page("/account/sessions/end", NOBODY, form={"session": "not-mine"}),
    ),
    ("account.revoke_token", "POST"): (
        page("/account/tokens/revoke", frozenset({"researcher"}), form={"token": "{token}"}),
    ),
    ("account.verify", "GET"): (page("/verify/{forged}", NOBODY),),
    ("account.verify", "POST"): (page("/verify/{forged}", NOBODY),),
    ("account.reset", "GET"): (page("/reset/{forged}", NOBODY),),
    ("account.reset", "POST"): (
        page("/reset/{forged}", NOBODY, form={"password": "four plain words"}),
    ),
    ("account.register_first_admin", "GET"): (page("/register/{forged}", NOBODY),),
    ("account.register_first_admin", "POST"): (page("/register/{forged}", NOBODY),),
    ("audit.index", "GET"): (page("/audit", AUDITORS),),
    ("admin.mail", "GET"): (page("/admin/mail", frozenset({"admin"})),),
    ("admin.retry_mail", "POST"): (page("/admin/mail/retry", frozenset({"admin"}), passes=MET),),
    ("dev.mail", "GET"): (page("/dev/mail", EVERYBODY),),
    **CATALOGUE,
    **ACCESS,
    **APPLY,
    **OWN,
    **UPLOADS,
    **REVIEW,
}
