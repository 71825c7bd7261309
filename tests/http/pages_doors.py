"""The pages' part of the matrix: every page and form, and who may pass it."""

from __future__ import annotations

from tests.http.doors import EVERYBODY, MET, SIGNED_IN, Doors, page

PAGES: Doors = {
    ("account.show", "GET"): (page("/account", SIGNED_IN),),
    ("account.record", "GET"): (page("/account/record", SIGNED_IN),),
    ("account.change_password", "POST"): (page("/account/password", SIGNED_IN, passes=MET),),
    ("account.end_other_sessions", "POST"): (page("/account/sessions/end-others", SIGNED_IN),),
    ("account.create_token", "POST"): (
        page("/account/tokens", SIGNED_IN, form={"name": "x", "scope": "read", "days": "9"}),
    ),
    ("account.verify_again", "POST"): (page("/account/verify", SIGNED_IN),),
    ("account.register", "GET"): (page("/register", EVERYBODY),),
    ("account.register", "POST"): (page("/register", EVERYBODY, passes=MET),),
    ("account.ask_reset", "GET"): (page("/reset", EVERYBODY),),
    ("account.ask_reset", "POST"): (page("/reset", EVERYBODY, form={"email": "a@b.example"}),),
    ("account.sign_in", "GET"): (page("/sign-in", EVERYBODY),),
    ("account.sign_out", "POST"): (page("/sign-out", EVERYBODY),),
    ("dev.mail", "GET"): (page("/dev/mail", EVERYBODY),),
}
