"""Administering a gate with the unmodified client: lists, decisions and gifts, and what they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests import builders
from tests.builders import FORM, RESEARCH
from tests.cast import Member, context
from tests.wire.clients import Client
from tests.wire.server import Live

ASKING = 12

# Gets a file anew each time: what a cache holds is nobody's to take back.
FETCH = """
import itertools, tempfile
places = (tempfile.mkdtemp() for _ in itertools.count())

def fetch(token):
    return failure(hf_hub_download, name, "config.json", token=token, cache_dir=next(places))
"""


@pytest.fixture(scope="module")
def crowded(live: Live, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, list[Member]]:
    """A model that a dozen people asked for."""
    model = gated(live, tmp_path_factory.mktemp("crowded"), "asked-for")
    guests = [live.hire() for _ in range(ASKING)]
    for guest in guests:
        builders.apply_for(live.house, guest, model)
    return model, guests


def gated(live: Live, folder: Path, name: str, tier: str = "T3") -> Model:
    """Publish a gated model that asks the form."""
    return builders.publish_model(live.house, folder, name, tier, asks=(RESEARCH,), form=FORM)


def staff(hub: Client, live: Live, key: str) -> Client:
    """Return the client of one of the cast, with a token for review."""
    person = live.world.cast[key].id
    _, text = tokens.create(live.house, context(), person, f"gate-{key}", Scope.REVIEW, 1)
    return hub.at(live.url, text)


def test_pending_requests_are_listed_page_by_page(
    hub: Client, live: Live, crowded: tuple[Model, list[Member]]
) -> None:
    model, guests = crowded
    told = staff(hub, live, "handler").run(
        """
module, real = hub.hf_api, hub.hf_api.get_session
whole = [request.username for request in api.list_pending_access_requests(name)]
if is_old:  # which asks once; a small page shows that it follows no link
    class Ten:
        def get(self, url, **asked):
            return real().get(url, params={"limit": 10}, **asked)
    module.get_session = Ten
else:
    follow = module.paginate
    module.paginate = lambda path, params, headers: follow(path, {**params, "limit": 10}, headers)
paged = list(api.list_pending_access_requests(name))
first = paged[0]
tell({
    "whole": whole,
    "paged": [request.username for request in paged],
    "first": [first.fullname, first.email, first.status, first.fields["What kind?"]],
    "at": first.timestamp.isoformat(),
    "named": getattr(first, "request_id", "GK-"),
    "accepted": [r.username for r in api.list_accepted_access_requests(name)],
    "rejected": [r.username for r in api.list_rejected_access_requests(name)],
})
""",
        name=model.full_name,
        is_old=hub.is_old,
    )
    everybody = [guest.username for guest in guests]
    assert told["whole"] == everybody
    assert told["paged"] == (everybody[:10] if hub.is_old else everybody)
    assert told["first"] == [guests[0].name, guests[0].email, "pending", "Safety"]
    assert told["at"].endswith("+00:00")
    assert told["named"].startswith("GK-")
    assert (told["accepted"], told["rejected"]) == ([], [])


def test_accepting_rejecting_and_cancelling_are_in_force_at_once(
    hub: Client, live: Live, tmp_path: Path
) -> None:
    model = gated(live, tmp_path, f"round-{hub.version.replace('.', '-')}")
    guest = live.hire()
    builders.apply_for(live.house, guest, model)
    told = staff(hub, live, "approver").run(
        FETCH
        + """
def stands():
    kinds = ("pending", "accepted", "rejected")
    return [k for k in kinds if list(getattr(api, f"list_{k}_access_requests")(name))]

steps = [("asked", stands(), fetch(token))]
for what, call, more in (
    ("accepted", api.accept_access_request, {}),
    ("cancelled", api.cancel_access_request, {}),
    ("rejected", api.reject_access_request, {"rejection_reason": "It is for safety work."}),
    ("taken back", api.cancel_access_request, {}),
    ("accepted again", api.accept_access_request, {}),
    ("rejected as a holder", api.reject_access_request, {"rejection_reason": "A mistake."}),
    ("accepted from there", api.accept_access_request, {}),
):
    call(name, user, **more)
    steps.append((what, stands(), fetch(token)))
tell({
    "steps": [(what, how, seen and (seen["status"], seen["kinds"][0], seen["text"]))
              for what, how, seen in steps],
    "twice": failure(api.accept_access_request, name, user),
    "nobody": failure(api.accept_access_request, name, "nobody-of-that-name"),
})
""",
        name=model.full_name,
        user=guest.username,
        token=guest.token,
    )
    steps = {what: (how, seen) for what, how, seen in told["steps"]}
    for what in ("accepted", "accepted again", "accepted from there"):
        assert steps[what] == (["accepted"], None), what
    for what, how, words in (
        ("asked", "pending", "awaiting a review"),
        ("cancelled", "pending", "awaiting a review"),
        ("rejected", "rejected", "has been refused"),
        ("taken back", "pending", "awaiting a review"),
        ("rejected as a holder", "rejected", "was revoked"),
    ):
        stood, (status, kind, text) = steps[what]
        assert stood == [how], what
        assert (status, kind) == (403, "GatedRepoError"), what
        assert words in text, (what, text)
    assert told["twice"]["status"] == told["nobody"]["status"] == 404
    assert "No access request found" in told["twice"]["text"]
    assert "User not found" in told["nobody"]["text"]


def test_access_is_given_without_a_request_and_refused_to_whoever_may_not_give(
    hub: Client, live: Live, tmp_path: Path
) -> None:
    edition = hub.version.replace(".", "-")
    model = gated(live, tmp_path, f"given-{edition}")
    double = gated(live, tmp_path, f"double-{edition}", "T4")
    guest, asking = live.hire(), live.hire()
    builders.accept(live.house, guest, RESEARCH)
    case = builders.apply_for(live.house, asking, double)
    script = """
tell({
    "granted": failure(api.grant_access, name, user),
    "again": failure(api.grant_access, name, user),
    "nobody": failure(api.grant_access, name, "nobody-of-that-name"),
    "double": failure(api.grant_access, double, user),
    "open": failure(api.grant_access, "northfield/lyra-t0", user),
    "hidden": failure(api.grant_access, "northfield/nothing", user),
    "wordless": failure(api.reject_access_request, double, asking, rejection_reason=None),
    "listed": [r.username for r in api.list_accepted_access_requests(name)],
    "fetched": fetch(token),
})
"""
    given = {
        "name": model.full_name, "double": double.full_name, "user": guest.username,
        "asking": asking.username, "token": guest.token,
    }  # fmt: skip
    told = staff(hub, live, "approver").run(FETCH + script, **given)
    assert told["granted"] is None
    assert told["fetched"] is None
    assert told["listed"] == [guest.username]
    for what, status, words in (
        ("again", 400, "already has access"),
        ("nobody", 404, "User not found"),
        ("double", 403, "two approvers"),
        ("open", 400, "not gated"),
        ("wordless", 400, "why"),
    ):
        assert told[what]["status"] == status, (what, told[what])
        assert words in told[what]["text"], (what, told[what])
    assert "RepositoryNotFoundError" in told["hidden"]["kinds"]

    refused = staff(hub, live, "owner").run(
        """
tell([
    failure(lambda: list(api.list_pending_access_requests(name))),
    failure(api.accept_access_request, double, asking),
    failure(api.grant_access, name, asking),
])
""",
        **given,
    )
    for answer in refused:
        assert answer["status"] == 403
        assert "approvers of northfield" in answer["text"]
        assert "GatedRepoError" not in answer["kinds"]
    if hub.version == "2":  # newer ones may name the request and not the person
        staff(hub, live, "approver").run(
            "api.accept_access_request(name, request_id=case)\ntell(1)",
            name=double.full_name,
            case=case.id,
        )
        with live.house.db.reading() as read:
            found = read.applications.by_id(case.id)
        assert found is not None
        assert found.state == "second_approval"
