"""Doors and accounts: no enumeration, no forged form, no fixed session, no redirect elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from gatekeeper.app import create_app, read_keys
from gatekeeper.db import tables as t
from gatekeeper.services import members, outbox, tokens
from gatekeeper.services import registration as registration_service
from gatekeeper.services.ports import House
from gatekeeper.services.registration import Registration
from tests.builders import World
from tests.cast import Cast, context
from tests.conftest import Site, make_settings
from tests.http.pages.conftest import Browser, Open

NEW_PASSWORD = "another horse battery"


def letter(house: House, address: str, kind: str) -> str:
    """Deliver the mail and return the newest path of a kind that went to an address."""
    outbox.deliver(house, context())
    for to, _, text, _ in outbox.kept_letters(house):
        found = re.search(rf"/{kind}/\S+", text)
        if to == address and found is not None:
            return found[0]
    raise AssertionError(f"no {kind} mail to {address}")


def registration(**changes: str) -> dict[str, str]:
    """Fill in the form."""
    form = {
        "name": "Noor Haddad", "email": "noor@newcomer.example", "affiliation": "Newcomers",
        "username": "noor", "password": NEW_PASSWORD,
    }  # fmt: skip
    return {**form, **changes}


# --- registering ----------------------------------------------------------------------------------


def test_registering_answers_the_same_bytes_for_a_known_address(browser: Open, cast: Cast) -> None:
    new = browser().send("/register", **registration())
    known = browser().send("/register", **registration(email=cast.applicant.email, username="n2"))
    assert new.status_code == known.status_code == 200
    assert new.get_data() == known.get_data()


def test_a_taken_username_tells_nothing_of_the_address(browser: Open, cast: Cast) -> None:
    taken = cast.owner.username
    unknown = browser().send("/register", **registration(username=taken))
    known = browser().send("/register", **registration(username=taken, email=cast.applicant.email))
    assert unknown.status_code == known.status_code == 422


def test_a_wrong_form_keeps_what_was_typed_but_the_password(browser: Open) -> None:
    answer = browser().send("/register", **registration(username="a b", password="short"))
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="Noor Haddad"' in text
    assert 'aria-invalid="true"' in text
    assert 'value="short"' not in text


def test_only_the_button_of_the_mailed_page_verifies(browser: Open, world: World) -> None:
    guest = browser()
    guest.send("/register", **registration())
    path = letter(world.house, "noor@newcomer.example", "verify")
    assert guest.get(path).status_code == 200  # what a mail scanner does
    with world.house.db.reading() as read:
        assert read.people.by_email("noor@newcomer.example") is None
    assert guest.send(path).status_code == 303
    with world.house.db.reading() as read:
        person = read.people.by_email("noor@newcomer.example")
    assert person is not None
    assert person.is_verified
    assert guest.send(path).status_code == 303  # pressing it twice is fine


def test_the_verifying_page_says_whose_account_it_opens(browser: Open, world: World) -> None:
    guest = browser()
    guest.send("/register", **registration(username="noor-of-gh"))
    text = guest.text(letter(world.house, "noor@newcomer.example", "verify"))
    assert "noor-of-gh" in text
    assert "Noor Haddad" in text


def test_registering_again_ends_the_earlier_mail(browser: Open, world: World) -> None:
    browser().send("/register", **registration(username="thief", name="A Thief"))
    earlier = letter(world.house, "noor@newcomer.example", "verify")
    browser().send("/register", **registration())
    assert browser().send(earlier, page="/sign-in").status_code == 403
    later = letter(world.house, "noor@newcomer.example", "verify")
    assert browser().send(later).status_code == 303


def test_of_two_who_ask_for_one_name_the_first_to_prove_has_it(browser: Open, world: World) -> None:
    browser().send("/register", **registration())
    path = letter(world.house, "noor@newcomer.example", "verify")
    late = registration(email="else@newcomer.example")
    assert browser().send("/register", **late).status_code == 422  # asked for already
    typed = Registration("other@newcomer.example", "noor", "Other", "", NEW_PASSWORD)
    registration_service.create_person(world.house, context(), typed, verified=True, role=None)
    assert browser().send(path).status_code == 403
    with world.house.db.reading() as read:
        assert read.people.by_email("noor@newcomer.example") is None


@pytest.mark.parametrize("known", [True, False])
def test_neither_signing_in_nor_the_name_tells_that_an_address_is_registered(
    browser: Open, cast: Cast, known: bool
) -> None:
    address = cast.applicant.email if known else "noor@newcomer.example"
    assert browser().send("/register", **registration(email=address)).status_code == 200
    form = {"email": address, "password": NEW_PASSWORD}
    assert browser().send("/sign-in", **form).status_code == 401
    same_name = registration(email="probe@newcomer.example")
    assert browser().send("/register", **same_name).status_code == 422


def test_asking_for_a_reset_writes_as_much_for_an_unknown_address(
    browser: Open, world: World, cast: Cast
) -> None:
    written = []
    for address in (cast.applicant.email, "nobody@nowhere.example"):
        with world.house.db.reading() as read:
            before = read.connection.execute(select(func.count()).select_from(t.outbox)).scalar()
        browser().send("/reset", email=address)
        with world.house.db.reading() as read:
            after = read.connection.execute(select(func.count()).select_from(t.outbox)).scalar()
        written.append((after or 0) - (before or 0))
    assert written == [1, 1]


def test_a_forged_verifying_link_is_refused(browser: Open) -> None:
    answer = browser().get("/verify/forged")
    assert answer.status_code == 403
    assert "does not work" in answer.get_data(as_text=True)


# --- signing in -----------------------------------------------------------------------------------


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    browser: Open, cast: Cast
) -> None:
    def tried(email: str) -> tuple[int, str]:
        answer = browser().send("/sign-in", email=email, password="wrong and long")
        text = answer.get_data(as_text=True).replace(email, "ADDRESS")
        return answer.status_code, re.sub(r'name="csrf_token" value="[^"]+"', "", text)

    assert tried(cast.applicant.email) == tried("nobody@nowhere.example")
    assert tried(cast.applicant.email)[0] == 401


def test_signing_in_gives_a_new_session_and_the_old_one_opens_nothing(
    browser: Open, cast: Cast
) -> None:
    guest = browser()
    guest.get("/sign-in")
    before = guest.cookie
    guest.sign_in(cast.applicant)
    assert before
    assert guest.cookie != before
    thief = browser()
    thief.client.set_cookie("gk_session", before)
    assert thief.get("/account").headers["Location"].startswith("/sign-in")


def test_a_cookie_made_elsewhere_is_never_taken_over(browser: Open, cast: Cast) -> None:
    planted = "planted-session-id-0123456789abcdef"
    victim = browser()
    victim.client.set_cookie("gk_session", planted)
    victim.sign_in(cast.applicant)
    assert victim.cookie != planted


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/access", "/access"),
        ("/applications?x=1", "/applications?x=1"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("@evil.example", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(
    browser: Open, cast: Cast, wanted: str, reached: str
) -> None:
    guest = browser()
    form = {"email": cast.applicant.email, "password": cast.applicant.password, "next": wanted}
    assert guest.send("/sign-in", **form).headers["Location"] == reached
    again = guest.client.get("/sign-in", query_string={"next": wanted})
    assert again.headers["Location"] == reached


def test_a_page_for_members_sends_a_guest_to_sign_in_and_back(browser: Open, cast: Cast) -> None:
    guest = browser()
    sent = guest.get("/account/record?before=5")
    assert sent.status_code == 302
    assert sent.headers["Location"] == "/sign-in?next=/account/record%3Fbefore%3D5"
    shown = guest.text(sent.headers["Location"])
    assert 'name="next" value="/account/record?before=5"' in shown


def test_signing_out_ends_the_session(browser: Open, cast: Cast) -> None:
    member = browser(cast.applicant)
    old = member.cookie
    assert member.send("/sign-out", page="/account").status_code == 303
    thief = browser()
    thief.client.set_cookie("gk_session", old)
    assert thief.get("/account").status_code == 302


def test_too_many_tries_are_told_when_to_come_back(site: Site, house: House, cast: Cast) -> None:
    settings = make_settings(
        GATEKEEPER_LIMITS__ENABLED="true", GATEKEEPER_LIMITS__SIGN_IN="3/minute"
    )
    app = create_app(settings, house, read_keys(settings, site.data).sessions)
    guest = Browser(app.test_client())
    tries = [guest.send("/sign-in", email="a@b.example", password="x").status_code for _ in "1234"]
    assert tries == [401, 401, 401, 429]
    refused = guest.send("/sign-in", email="a@b.example", password="x")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Try again in a minute." in refused.get_data(as_text=True)
    assert guest.get("/sign-in").status_code == 200  # reading is not trying


@pytest.mark.parametrize("path", ["/account/verify", "/reset", "/register"])
def test_what_sends_a_mail_is_not_asked_for_without_end(
    site: Site, house: House, cast: Cast, path: str
) -> None:
    settings = make_settings(
        GATEKEEPER_LIMITS__ENABLED="true", GATEKEEPER_LIMITS__REGISTRATION="2/hour"
    )
    app = create_app(settings, house, read_keys(settings, site.data).sessions)
    guest = Browser(app.test_client()).sign_in(cast.stranger)
    page = "/account" if path == "/account/verify" else path
    form = registration(email=cast.stranger.email)
    tries = [guest.send(path, page=page, **form).status_code for _ in "123"]
    assert 429 not in tries[:2]
    assert tries[2] == 429


# --- CSRF -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in", "/sign-out", "/register", "/reset", "/verify/x", "/reset/x",
        "/account/password", "/account/tokens", "/account/tokens/revoke", "/account/verify",
        "/account/sessions/end", "/account/sessions/end-others",
    ],
)  # fmt: skip
def test_a_form_without_its_token_is_refused(browser: Open, cast: Cast, path: str) -> None:
    member = browser(cast.applicant)
    assert member.client.post(path, data={}).status_code == 400
    foreign = browser().send(path, page="/sign-in")  # a good token of another session
    assert foreign.status_code != 400
    stolen = re.search(r'csrf_token" value="([^"]+)', browser().text("/sign-in"))
    assert stolen is not None
    assert member.client.post(path, data={"csrf_token": stolen[1]}).status_code == 400


# --- passwords ------------------------------------------------------------------------------------


def test_asking_for_a_reset_answers_the_same_bytes(browser: Open, cast: Cast) -> None:
    known = browser().send("/reset", email=cast.applicant.email)
    unknown = browser().send("/reset", email="nobody@nowhere.example")
    assert known.status_code == unknown.status_code == 200
    assert known.get_data() == unknown.get_data()


def test_a_reset_works_once_and_ends_every_session(browser: Open, world: World, cast: Cast) -> None:
    elsewhere = browser(cast.applicant)
    here = browser(cast.applicant)
    here.send("/reset", email=cast.applicant.email)
    path = letter(world.house, cast.applicant.email, "reset")
    weak = here.send(path, password="short")
    assert weak.status_code == 422
    done = here.send(path, password=NEW_PASSWORD)
    assert done.headers["Location"] == "/sign-in"
    assert elsewhere.get("/account").status_code == 302
    assert here.get("/account").status_code == 302
    assert browser().send(path, password=NEW_PASSWORD).status_code == 403
    form = {"email": cast.applicant.email, "password": NEW_PASSWORD}
    assert browser().send("/sign-in", **form).status_code == 303
    machine = browser().client  # who held the account before may have made tokens
    assert machine.get("/api/v1/me", headers=cast.applicant.headers).status_code == 401


def test_changing_the_password_keeps_this_browser_under_a_new_id_and_ends_the_others(
    browser: Open, cast: Cast
) -> None:
    elsewhere, here = browser(cast.applicant), browser(cast.applicant)
    wrong = here.send("/account/password", page="/account", old_password="no", password="x" * 12)
    assert wrong.status_code == 422
    old = here.cookie
    form = {"old_password": cast.applicant.password, "password": NEW_PASSWORD}
    assert here.send("/account/password", page="/account", **form).status_code == 303
    assert here.cookie != old
    assert "Your password is changed" in here.text("/account")
    assert elsewhere.get("/account").status_code == 302
    thief = browser()
    thief.client.set_cookie("gk_session", old)
    assert thief.get("/account").status_code == 302


class Slow(io.BytesIO):
    """A body during whose arrival something happens."""

    def __init__(self, body: bytes, meanwhile: Callable[[], object]) -> None:
        super().__init__(body)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def read(self, size: int | None = -1) -> bytes:
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        body = self.read(len(buffer))
        buffer[: len(body)] = body
        return len(body)


@pytest.mark.parametrize("event", ["ended", "suspended"])
def test_a_session_that_ends_while_a_body_comes_in_has_ended(
    browser: Open, world: World, cast: Cast, event: str
) -> None:
    member = browser(cast.applicant)
    found = re.search(r'csrf_token" value="([^"]+)', member.text("/account"))
    assert found is not None
    body = urlencode(
        {"csrf_token": found[1], "name": "late", "scope": "read", "days": "7"}
    ).encode()

    def end() -> None:
        if event == "ended":
            with world.house.db.acting(context()) as act:
                act.ephemeral.end_sessions_of(cast.applicant.id)
        else:
            members.set_suspended(
                world.house, context(), cast.applicant.email, "because", suspended=True
            )

    before = len(tokens.of(world.house, cast.applicant.email))
    answer = member.client.post(
        "/account/tokens",
        input_stream=Slow(body, end),
        content_length=len(body),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code != 200
    assert "gk_" not in answer.get_data(as_text=True)
    assert len(tokens.of(world.house, cast.applicant.email)) == before
    assert member.get("/account").status_code == 302


def test_an_account_whose_address_nobody_proved_makes_no_token(browser: Open, cast: Cast) -> None:
    member = browser(cast.stranger)
    form = {"name": "early", "scope": "read", "days": "7"}
    answer = member.send("/account/tokens", page="/account", **form)
    assert answer.status_code == 403
    assert "gk_" not in answer.get_data(as_text=True)


# --- sessions and tokens --------------------------------------------------------------------------


def digests(member: Browser) -> list[str]:
    """Return the sessions the account page lists."""
    return re.findall(r'name="session" value="([0-9a-f]{64})"', member.text("/account"))


def test_one_session_ends_and_the_other_goes_on(browser: Open, cast: Cast) -> None:
    lost, here = browser(cast.applicant), browser(cast.applicant)
    own = set(digests(here))
    assert len(own) == 2
    assert here.text("/account").count("This session") == 1
    here.send("/account/sessions/end-others", page="/account")
    assert lost.get("/account").status_code == 302
    (left,) = digests(here)
    assert here.send("/account/sessions/end", page="/account", session=left).status_code == 303
    assert here.get("/account").status_code == 302


def test_nobody_ends_a_session_of_somebody_else(browser: Open, cast: Cast) -> None:
    victim = browser(cast.applicant)
    (digest,) = digests(victim)
    attacker = browser(cast.stranger)
    answer = attacker.send("/account/sessions/end", page="/account", session=digest)
    assert answer.status_code == 404
    assert victim.get("/account").status_code == 200


def test_a_token_is_shown_once_and_works_until_it_is_revoked(browser: Open, cast: Cast) -> None:
    member = browser(cast.applicant)
    made = member.send("/account/tokens", page="/account", name="laptop", scope="read", days="7")
    text = re.search(r"gk_[0-9A-Za-z]{49}", made.get_data(as_text=True))
    assert text is not None
    assert text[0] not in member.text("/account")

    def asks() -> int:
        headers = {"Authorization": f"Bearer {text[0]}"}
        return browser().client.get("/api/v1/me", headers=headers).status_code

    assert asks() == 200
    tokens = re.findall(r'name="token" value="([^"]+)"', member.text("/account"))
    for token in tokens:
        member.send("/account/tokens/revoke", page="/account", token=token)
    assert asks() == 401


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"days": "0"}, {"days": "9999"}, {"days": "x"}, {"scope": "root"}]
)
def test_a_token_that_cannot_be_made_is_said_beside_its_field(
    browser: Open, cast: Cast, changes: dict[str, Any]
) -> None:
    form = {"name": "laptop", "scope": "read", "days": "7", **changes}
    answer = browser(cast.applicant).send("/account/tokens", page="/account", **form)
    assert answer.status_code == 422
    assert "gk_" not in re.sub(r"gk_…\w+", "", answer.get_data(as_text=True))


def test_a_person_reads_what_is_recorded_about_them_and_no_staff_note(
    browser: Open, world: World, cast: Cast
) -> None:
    shown = browser(cast.researcher).text("/account/record")
    assert "Grant created" in shown
    assert "Agreement accepted" in shown
    assert cast.pending.name not in shown


def test_what_was_accepted_is_shown_with_its_digest(browser: Open, cast: Cast) -> None:
    shown = browser(cast.researcher).text("/account")
    assert re.search(r"sha256 [0-9a-f]{64}", shown)
    assert "Terms research-use" in shown


# --- everywhere -----------------------------------------------------------------------------------


def test_what_people_type_is_never_markup(browser: Open) -> None:
    attack = '"><script>alert(1)</script>'
    answer = browser().send("/register", **registration(name=attack, affiliation=attack, email="x"))
    assert "<script>alert" not in answer.get_data(as_text=True)
    answer = browser().send("/sign-in", email=attack, password="x", next=attack)
    assert "<script>alert" not in answer.get_data(as_text=True)


def test_the_demos_mail_is_only_in_a_demo(site: Site) -> None:
    from gatekeeper.app import make_house

    house = make_house(site.settings, site.data, demo=False)
    app = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
    try:
        assert app.test_client().get("/dev/mail").status_code == 404
    finally:
        house.db.close()
