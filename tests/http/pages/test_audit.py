"""The ledger's page: who may search it, what a search finds, and that it is read page by page."""

from __future__ import annotations

import re

import pytest

from gatekeeper.services import audit
from tests.builders import World
from tests.cast import Cast
from tests.http.pages.conftest import Browser, Open


def indexes(text: str) -> list[int]:
    """Return the leaf indexes a page lists, in its order."""
    return [int(n) for n in re.findall(r'<td class="mono muted">(\d+)</td>', text)]


@pytest.mark.parametrize("key", ["compliance", "admin"])
def test_auditors_see_the_tree_and_the_newest_entries_first(
    browser: Open, world: World, cast: Cast, key: str
) -> None:
    text = browser(cast[key]).text("/audit")
    head = audit.head(world.house)
    assert head.root_hex in text
    assert f"{head.size:,}" in text
    assert indexes(text)[0] == head.size - 1
    assert indexes(text) == sorted(indexes(text), reverse=True)


@pytest.mark.parametrize("key", ["owner", "handler", "approver", "researcher", "stranger"])
def test_others_are_pointed_to_their_own_account(browser: Open, cast: Cast, key: str) -> None:
    answer = browser(cast[key]).get("/audit?person=" + cast.applicant.email)
    assert answer.status_code == 403
    assert 'href="/account"' in answer.get_data(as_text=True)
    assert cast.applicant.name not in answer.get_data(as_text=True)


def test_a_guest_signs_in_first(browser: Open) -> None:
    assert browser().get("/audit").headers["Location"] == "/sign-in?next=/audit"


@pytest.mark.parametrize("named", ["id", "email", "username", "name"])
def test_a_person_is_found_by_id_address_username_and_name(
    browser: Open, cast: Cast, named: str
) -> None:
    words = getattr(cast.researcher, named)
    text = browser(cast.compliance).text(f"/audit?person={words}")
    assert "Grant created" in text
    assert cast.researcher.name in text
    assert cast.pending.name not in text


def test_words_that_mean_several_people_are_asked_back(browser: Open, cast: Cast) -> None:
    auditor = browser(cast.compliance)
    text = auditor.text("/audit?person=approver")  # approver and approver2 begin so
    assert "Whom do you mean?" in text
    choice = re.search(rf'href="(/audit\?person={cast.approver.id})"', text)
    assert choice is not None
    assert indexes(auditor.text(choice[1]))


def test_entries_are_found_by_model_kind_and_case(browser: Open, world: World, cast: Cast) -> None:
    auditor = browser(cast.compliance)
    model = world.models["T3"].full_name
    by_model = auditor.text(f"/audit?model={model}")
    assert "Revision published" in by_model
    assert world.models["T4"].full_name not in by_model.split("<tbody>")[1]
    by_kind = auditor.text("/audit?kind=AgreementAccepted")
    assert set(re.findall(r"<summary>([^<]+)</summary>", by_kind)) == {"Agreement accepted"}
    with world.house.db.reading() as read:
        case = read.applications.of_lead(cast.pending.id)[0]
    assert "Application submitted" in auditor.text(f"/audit?person={case.id}")
    assert "No entry fits" in auditor.text("/audit?person=nobody-at-all")


def test_times_bound_the_search_and_a_wrong_day_is_said(browser: Open, cast: Cast) -> None:
    auditor = browser(cast.compliance)
    assert "No entry fits" in auditor.text("/audit?since=2090-01-01")
    assert "No entry fits" in auditor.text("/audit?until=2000-01-01")
    assert indexes(auditor.text("/audit?since=2000-01-01&until=2090-01-01"))
    wrong = auditor.get("/audit?since=yesterday")
    assert wrong.status_code == 422
    assert "write a day" in wrong.get_data(as_text=True).lower()


def walk(auditor: Browser, path: str) -> list[int]:
    """Follow "Older" to the end and return every entry met."""
    found: list[int] = []
    while path:
        text = auditor.text(path)
        found += indexes(text)
        more = re.search(r'rel="next" href="([^"]+)"', text)
        path = more[1] if more is not None else ""
    return found


def test_pages_hold_every_entry_once(browser: Open, world: World, cast: Cast) -> None:
    auditor = browser(cast.compliance)
    size = audit.head(world.house).size
    assert walk(auditor, "/audit") == list(range(size - 1, -1, -1))


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 40, "", "%00"])
def test_a_place_that_is_none_is_no_failure(browser: Open, cast: Cast, before: str) -> None:
    auditor = browser(cast.compliance)
    for path in ("/audit", "/account/record"):
        assert auditor.get(f"{path}?before={before}").status_code in {200, 400}


def test_what_is_searched_for_is_never_markup(browser: Open, cast: Cast) -> None:
    attack = '"><script>alert(1)</script>'
    auditor = browser(cast.compliance)
    for field in ("person", "model", "kind", "since"):
        answer = auditor.client.get("/audit", query_string={field: attack})
        assert "<script>alert" not in answer.get_data(as_text=True)
