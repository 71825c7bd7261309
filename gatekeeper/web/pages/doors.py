"""Register, prove an address, sign in and out, reset a password; account gives them addresses.

No answer tells whether an address is registered. A mailed address is opened by a button, never by
its GET: mail scanners follow links. Not here: what an account shows once inside (account).
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from gatekeeper.domain.errors import BadCredentials, BadLink, Invalid
from gatekeeper.services import people, registration
from gatekeeper.services.registration import Registration
from gatekeeper.web import identity
from gatekeeper.web.identity import session_context
from gatekeeper.web.pages.frame import notify, own_path, page, see, viewer
from gatekeeper.web.pages.wrongs import Wrongs, wrongs
from gatekeeper.web.wiring import house

_LABELS = {  # in the order of a Registration
    "email": "Address",
    "username": "Username",
    "name": "Full name",
    "affiliation": "Affiliation",
    "password": "Password",
}


def register() -> ResponseReturnValue:
    """Show the form; open an account and say "look at your mail", whoever has the address."""
    typed, wrong = _registration(), Wrongs()
    if request.method == "POST":
        try:
            registration.register(house(), session_context(), typed)
            return _look_at_your_mail("to finish your registration")
        except Invalid as error:
            wrong = wrongs(error, _LABELS)
    body = page("account/register.html", typed=typed, wrong=wrong)
    return body, 422 if wrong.errors else 200


def register_first_admin(token: str) -> ResponseReturnValue:
    """Show the form at the address that `init` printed; open the first account and sign it in."""
    typed, wrong = _registration(), Wrongs()
    try:
        if request.method == "POST":
            identity.sign_in(
                registration.register_first_admin(house(), session_context(), token, typed)
            )
            notify("ok", "You are the administrator.", "The address you came by is used up.")
            return see("/account")
        registration.check_first_admin(house(), session_context(), token)
    except BadLink:
        return page("account/first_admin.html", is_bad=True, typed=typed, wrong=wrong), 403
    except Invalid as error:
        wrong = wrongs(error, _LABELS)
    body = page("account/first_admin.html", is_bad=False, typed=typed, wrong=wrong)
    return body, 422 if wrong.errors else 200


def verify(token: str) -> ResponseReturnValue:
    """Show who registers and one button; pressed, it proves the address the mail went to."""
    ctx = session_context()
    try:
        if request.method == "GET":
            new = registration.waiting(house(), ctx, token)
            return page("account/verify.html", is_bad=False, new=new)
        registration.prove_address(house(), ctx, token)
    except BadLink:
        return page("account/verify.html", is_bad=True, new=None), 403
    notify("ok", "Your address is verified.")
    return see("/account" if viewer() is not None else "/sign-in")


def sign_in() -> ResponseReturnValue:
    """Show the form; begin a session under a new id and go on to where the visitor was going."""
    onward = own_path(request.values.get("next"))
    email = request.form.get("email", "")
    is_wrong = False
    if request.method == "POST":
        try:
            person = people.sign_in(house(), email, request.form.get("password", ""))
            identity.sign_in(person)
            return see(onward)
        except BadCredentials:
            is_wrong = True
    elif viewer() is not None:
        return see(onward)
    body = page("account/sign_in.html", onward=onward, email=email, is_wrong=is_wrong)
    return body, 401 if is_wrong else 200


def sign_out() -> ResponseReturnValue:
    """End the session."""
    identity.sign_out()
    return see("/")


def ask_reset() -> ResponseReturnValue:
    """Show the form; send a reset mail if the address is registered, say the same if not."""
    if request.method == "POST":
        people.ask_reset(house(), session_context(), request.form.get("email", ""))
        return _look_at_your_mail("to set a new password")
    return page("account/ask_reset.html", is_bad=False)


def reset(token: str) -> ResponseReturnValue:
    """Show the form; set the new password, which ends every session and token of the person."""
    try:
        if request.method == "GET":
            people.check_reset(house(), session_context(), token)
            return page("account/reset.html", wrong=Wrongs())
        password = request.form.get("password", "")
        people.reset_password(house(), session_context(), token, password)
    except BadLink:
        return page("account/ask_reset.html", is_bad=True), 403
    except Invalid as error:
        return page("account/reset.html", wrong=wrongs(error, _LABELS)), 422
    identity.sign_out()  # this browser's session ended too; what follows is a new one
    notify(
        "ok",
        "Your password is set.",
        "Every session and access token has ended.",
    )
    return see("/sign-in")


def _registration() -> Registration:
    return Registration(*(request.form.get(name, "") for name in _LABELS))


def _look_at_your_mail(what_for: str) -> str:
    return page("account/sent.html", what_for=what_for, is_demo=house().policy.is_demo)
