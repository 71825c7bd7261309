"""Coded reasons of decisions in words, the same for staff who choose them and people who read them.

Not here: why access is refused (web/wording).
"""

from __future__ import annotations

from collections.abc import Mapping

from gatekeeper.domain.applications import ApplicationState, Outcome, RejectReason
from gatekeeper.domain.grants import EndReason, GrantState
from gatekeeper.web.pages.parts import Pill

_R, _E = RejectReason, EndReason

REJECTED: Mapping[RejectReason, str] = {
    _R.INCOMPLETE: "The application is incomplete",
    _R.PURPOSE_UNCLEAR: "The purpose is unclear",
    _R.IDENTITY_UNCONFIRMED: "Who applies could not be confirmed",
    _R.SPONSOR_DENIED: "The sponsor did not confirm it",
    _R.OUT_OF_SCOPE: "This use is not what the model is released for",
    _R.OPEN_MODEL_SUFFICES: "An open model answers the question",
    _R.REGION_RULE: "A rule on regions forbids it",
    _R.TERMS_CONFLICT: "The use conflicts with the terms",
    _R.EARLIER_BREACH: "Terms were broken earlier",
    _R.DUPLICATE: "It repeats another application",
}
WAY_BACK: Mapping[Outcome, str] = {
    Outcome.FIXABLE: "They may apply again at once",
    Outcome.AFTER: "They may apply again after the day below",
    Outcome.APPEALABLE: "They may appeal",
    Outcome.FINAL: "It is final",
}
ENDED: Mapping[EndReason, str] = {
    _E.MISUSE: "The model was misused",
    _E.LEAK: "Files left the people they were given to",
    _E.FALSE_STATEMENT: "Something in the application was not true",
    _E.ERROR: "It was given by mistake",
    _E.HOLDER_REQUEST: "The holder asked for it",
    _E.TERMS_OUTDATED: "New terms were not accepted",
    _E.IDENTITY_LAPSED: "The holder's affiliation ended",
}
GRANT_PILLS: Mapping[GrantState, Pill] = {
    GrantState.PENDING_TERMS: Pill("warn", "Waits for terms"),
    GrantState.ACTIVE: Pill("ok", "Active"),
    GrantState.SUSPENDED: Pill("bad", "Suspended"),
    GrantState.EXPIRED: Pill("", "Ended"),
    GrantState.REVOKED: Pill("bad", "Revoked"),
    GrantState.RELINQUISHED: Pill("", "Given back"),
    GrantState.SUPERSEDED: Pill("", "Replaced"),
}
CASE_PILLS: Mapping[ApplicationState, Pill] = {
    ApplicationState.DRAFT: Pill("", "Draft"),
    ApplicationState.SUBMITTED: Pill("", "New"),
    ApplicationState.IN_REVIEW: Pill("info", "In review"),
    ApplicationState.INFO_REQUESTED: Pill("warn", "Waits for an answer"),
    ApplicationState.SECOND_APPROVAL: Pill("hold", "1 of 2 approved"),
    ApplicationState.APPROVED: Pill("ok", "Approved"),
    ApplicationState.REJECTED: Pill("bad", "Declined"),
    ApplicationState.WITHDRAWN: Pill("", "Withdrawn"),
}
