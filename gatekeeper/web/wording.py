"""Reasons in words and the next step of each, for every dialect: what happened, what to do, where.

One table; the page, the API and the Hub's error header say the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.domain.access import Reason, Refused


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one sentence, what to do in another, and the page to do it on (a path)."""

    said: str
    do: str
    page: str


_R = Reason
# {model} is owner/name; {case} an application id. Order: as in interface.md.
_STEPS: Mapping[Reason, tuple[str, str, str]] = {
    _R.NO_ACCOUNT: (
        "Access to {model} is restricted. You must have access to it and be authenticated.",
        "Sign in or register.",
        "/sign-in?next=/{model}",
    ),
    _R.EMAIL_UNVERIFIED: (
        "Your address is not verified yet.",
        "Follow the mail we sent you, or ask for a new one.",
        "/account",
    ),
    _R.NO_APPLICATION: (
        "Access to {model} is restricted and you have not applied for it.",
        "Apply for access.",
        "/{model}",
    ),
    _R.PENDING: (
        "Your request to access {model} is awaiting a review.",
        "Wait for the reviewer, or write in the thread.",
        "/applications/{case}",
    ),
    _R.RETURNED: (
        "A reviewer asked you a question about your request for {model}.",
        "Answer it.",
        "/applications/{case}",
    ),
    _R.REJECTED: (
        "Your request to access {model} has been refused.",
        "Read the reason and the way back.",
        "/applications/{case}",
    ),
    _R.TERMS_MISSING: (
        "You have not accepted the terms of {model}.",
        "Read and accept them.",
        "/{model}",
    ),
    _R.TERMS_OUTDATED: (
        "The terms of {model} have changed since you accepted them.",
        "Read and accept the new version.",
        "/{model}",
    ),
    _R.GRANT_EXPIRED: ("Your access to {model} has ended.", "Apply again.", "/{model}"),
    _R.GRANT_SUSPENDED: (
        "Your access to {model} is suspended.",
        "Read why, and write to the reviewers.",
        "/access",
    ),
    _R.GRANT_REVOKED: ("Your access to {model} was revoked.", "Read why.", "/access"),
    _R.BLOCKLISTED: ("Your account is suspended.", "Write to the site's contact.", "/account"),
    _R.RELEASE_FROZEN: (
        "{model} is frozen for everybody.",
        "Read the notice on its page.",
        "/{model}",
    ),
    _R.MODEL_WITHHELD: (
        "{model} is withheld: its files are not given out.",
        "Its page says why.",
        "/{model}",
    ),
    _R.MODEL_WITHDRAWN: ("{model} was withdrawn.", "Read why on its page.", "/{model}"),
    _R.REGION: ("{model} is not available in your region.", "Write to its contact.", "/{model}"),
    _R.MFA_REQUIRED: ("{model} asks for a second factor.", "Set one up.", "/account"),
    _R.NOT_VISIBLE: ("There is no such model.", "Look in the catalogue.", "/"),
    _R.LINK_EXPIRED: ("This download link has expired.", "Get a new one.", "/access"),
    _R.LINK_INVALID: (
        "This download link is not complete, was altered, or was not made here.",
        "Get a new one.",
        "/access",
    ),
    _R.WRONG_SCOPE: (
        "Your account or token may not do this.",
        "Use a token with the scope it needs, or ask for the role.",
        "/account",
    ),
}


def step(refused: Refused) -> Step:
    """Return what to say to somebody who was refused."""
    if refused.reason is _R.NO_ACCOUNT and not refused.model:
        return Step("This needs an account.", "Make an access token and send it.", "/account")
    said, do, page = _STEPS[refused.reason]
    model = refused.model or "this model"
    words = {"model": model, "case": refused.application_id}
    address = "/applications" if "{case}" in page and not refused.application_id else page
    if "{model}" in page and not refused.model:
        address = "/"
    return Step(said.format(**words), do, address.format(**words))


def step_for(reason: Reason, model: str = "", application_id: str = "") -> Step:
    """Return what to say about a reason that was not raised."""
    return step(Refused(reason, model=model, application_id=application_id))
