"""My access and the download page: who gets bytes by which door, and why somebody does not."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.catalogue import File, Model
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.services import catalogue, grants
from gatekeeper.web.pages import snippets
from tests import builders
from tests.builders import World
from tests.cast import Cast, context
from tests.http.pages.conftest import Browser, Open

LINK = re.compile(r"/d/[A-Za-z0-9_.~-]+/[^\s<\"]+")


def at(world: World, key: str = "T3") -> str:
    """Return the download page of one of the models."""
    return f"/access/{world.models[key].full_name}"


def entries(world: World) -> int:
    """Return how many entries the ledger has."""
    with world.house.db.reading() as read:
        return read.audit.head().size


def ask(one: Browser, page: str, **form: str) -> TestResponse:
    """Press a button of the download page."""
    return one.send(f"{page}/links", page=page, **form)


def end(world: World, command: GrantCommand, reason: EndReason | None = None) -> None:
    """Do something to the researcher's grant, as an approver or as they do it themselves."""
    cast = world.cast
    held = grants.mine(world.house, context(cast.researcher.actor))[0]
    by = cast.researcher if command is GrantCommand.RELINQUISH else cast.approver
    grants.change(world.house, context(by.actor), held.id, command, reason)


# --- who may come in ---


def test_an_open_model_is_fetched_without_an_account(browser: Open, world: World) -> None:
    one = browser()
    text = one.text(at(world, "T0"))
    assert "no account and no token are needed" in text
    assert "csrf_token" not in text
    assert one.cookie == ""
    hrefs = re.findall(r'href="([^"]+\?download=true)"', text)
    assert len(hrefs) == 5
    for href in hrefs:
        with one.get(href) as answer:  # gives its download place back
            assert answer.status_code == 200


@pytest.mark.parametrize("tier", ["T1", "T2", "T3", "T4"])
def test_a_guest_signs_in_and_comes_back(browser: Open, world: World, tier: str) -> None:
    answer = browser().get(at(world, tier))
    assert answer.headers["Location"] == f"/sign-in?next={at(world, tier)}"


def test_a_registered_model_asks_for_an_account_alone(browser: Open, world: World) -> None:
    one = browser(world.cast.applicant)
    answer = ask(one, at(world, "T1"), download=builders.WEIGHTS, revision="main")
    assert one.get(answer.headers["Location"]).status_code == 200
    assert browser(world.cast.stranger).get(at(world, "T1")).status_code == 403


@pytest.mark.parametrize(
    ("key", "tier", "step"),
    [
        ("applicant", "T3", "/apply/"), ("applicant", "T2", "/apply/"),
        ("stranger", "T3", "/account"), ("pending", "T3", "/applications/GK-"),
        ("researcher", "T5", "/access/northfield/lyra-t0"),
    ],
)  # fmt: skip
def test_who_may_not_fetch_reads_why_and_where_to_go(
    browser: Open, world: World, key: str, tier: str, step: str
) -> None:
    answer = browser(world.cast[key]).get(at(world, tier))
    assert answer.status_code == 403
    assert f'class="btn p" href="{step}' in answer.text
    assert "northfield/lyra-t0" in answer.text  # the open one, as a way out
    assert builders.artifact_canary(f"lyra-{tier.lower()}") not in answer.text
    assert 'name="download"' not in answer.text


def test_a_hidden_model_has_no_download_page(browser: Open, world: World, cast: Cast) -> None:
    for member in (None, cast.applicant, cast.researcher, cast.compliance):
        one = browser(member)
        assert one.get(at(world, "hidden")).status_code == 404
        assert one.get("/access/northfield/none").status_code == 404
    assert browser(cast.owner).get(at(world, "hidden")).status_code == 200


# --- the buttons ---


def test_download_leads_to_the_bytes(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    answer = ask(one, at(world), download=builders.WEIGHTS, revision="main")
    assert answer.status_code == 303
    file = one.get(answer.headers["Location"])
    assert builders.artifact_canary("lyra-t3").encode() in file.get_data()
    assert "attachment" in file.headers["Content-Disposition"]


def test_copy_link_shows_an_address_that_needs_no_cookie(browser: Open, world: World) -> None:
    answer = ask(browser(world.cast.researcher), at(world), copy="deep/vocab.txt", revision="main")
    assert answer.status_code == 200
    assert "Your link to" in answer.text
    assert re.search(r'Good until <time datetime="2\d{3}-', answer.text)
    found = LINK.search(answer.text)
    assert found is not None
    assert browser().get(found[0]).status_code == 200
    assert LINK.search(browser(world.cast.researcher).text(at(world))) is None  # kept nowhere


def test_a_link_of_another_revision_has_its_bytes(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    page = f"{at(world)}?revision=feat/x"
    assert "--revision feat/x" in one.text(page)
    answer = one.send(f"{at(world)}/links", page=page, download="config.json", revision="feat/x")
    assert b"second" in one.get(answer.headers["Location"]).get_data()


def test_a_file_with_an_odd_name_is_fetched(browser: Open, world: World, tmp_path: Path) -> None:
    odd = 'it\'s #1 & "100%"?.bin'
    folder = tmp_path / "lyra-t3"
    folder.mkdir()
    (folder / odd).write_text("odd bytes")
    builders.publish_model(
        world.house, tmp_path, "lyra-t3", "T3", asks=[builders.RESEARCH], form=builders.FORM
    )
    one = browser(world.cast.researcher)
    answer = ask(one, at(world), download=odd, revision="main")
    assert one.get(answer.headers["Location"]).get_data() == b"odd bytes"
    copied = LINK.search(html.unescape(ask(one, at(world), copy=odd, revision="main").text))
    assert copied is not None
    assert browser().get(copied[0]).get_data() == b"odd bytes"


def test_only_a_form_of_ours_makes_a_link(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    before = entries(world)
    bare = {"download": builders.WEIGHTS, "revision": "main"}
    assert one.client.post(f"{at(world)}/links", data=bare).status_code == 400
    forged = {**bare, "csrf_token": "ImFiYyI.aaaa.bbbb"}
    assert one.client.post(f"{at(world)}/links", data=forged).status_code == 400
    assert one.client.get(f"{at(world)}/links?download=config.json").status_code == 405
    assert one.client.post(f"{at(world)}/token").status_code == 400
    assert entries(world) == before


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400), ({"download": "none"}, 404), ({"download": "../../keys/links"}, 404),
        ({"copy": "a\r\nSet-Cookie: x=1"}, 404), ({"download": "x" * 100_000}, 404),
        ({"download": "config.json", "revision": "none"}, 404),
        ({"download": "config.json", "revision": "a\r\nb"}, 404),
        ({"download": "\x00"}, 400),
    ],
)  # fmt: skip
def test_a_link_to_nothing_is_not_made(
    browser: Open, world: World, form: dict[str, str], status: int
) -> None:
    answer = ask(browser(world.cast.researcher), at(world), **{"revision": "main", **form})
    assert answer.status_code == status
    assert "Set-Cookie: x" not in str(answer.headers)


def test_a_link_is_made_for_the_model_of_the_address_alone(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    for key in ("T2", "T4", "T5", "hidden"):
        answer = one.send(f"{at(world, key)}/links", page=at(world), copy=builders.WEIGHTS)
        assert answer.status_code == (404 if key == "hidden" else 403)
        assert LINK.search(answer.text) is None


# --- commands and tokens ---


def test_every_hf_command_names_endpoint_token_and_a_home_of_its_own(
    browser: Open, world: World
) -> None:
    for member, key in ((None, "T0"), (world.cast.researcher, "T3")):
        for path in (at(world, key), f"/{world.models[key].full_name}"):
            text = re.sub(r"<[^>]+>", "", browser(member).text(path))
            for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME"):
                assert f"export {name}=" in text
                assert f"os.environ['{name}']" in text
    for label in ("hf", "curl", "wget", "aria2", "Python", "Browser"):
        assert f">{label}</label>" in browser(world.cast.researcher).get(at(world)).text


NASTY = ["plain.bin", "a b'c\"$(touch x)`id`;#?%.bin", "-rf", "deep/-o", "ünï/日本.bin", "\\x!"]


@pytest.mark.parametrize("path", NASTY)
@pytest.mark.parametrize("revision", ["main", "feat/x", "v1.0'$(id)"])
def test_a_command_says_what_it_means_to_a_shell(world: World, path: str, revision: str) -> None:
    model: Model = replace(world.models["T3"], name="m")
    file = File(path, 1, "0" * 64, "0" * 40, lfs=False)
    source = snippets.Source(
        "http://127.0.0.1:1", model, revision, file, snippets.TOKEN, from_store=False
    )
    name = path.rpartition("/")[2]
    for tool in snippets.tools(source):
        if tool.command is None or tool.key == "python":
            continue
        words = shlex.split(tool.command.splitlines()[0])
        words += shlex.split("\n".join(tool.command.splitlines()[1:]))
        assert not any(word in {"touch", "id", ";"} for word in words)
        if tool.key in {"curl", "wget", "aria2"}:
            assert name in {w.removeprefix("./") for w in words}
            assert snippets.resolve_path(model, revision, path) in words[-1]
    python = next(t.command for t in snippets.tools(source) if t.key == "python")
    assert python is not None
    compile(python, "snippet", "exec")


def test_a_token_is_made_for_the_commands_and_shown_once(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    answer = one.send(f"{at(world)}/token", page=at(world))
    shown = re.search(r"gk_[0-9A-Za-z]{49}", re.sub(r"<[^>]+>", "", answer.text))
    assert shown is not None
    assert shown[0] not in one.text(at(world))
    assert "For lyra-t3" in one.text(at(world))
    got = browser().client.get(
        f"/{world.models['T3'].full_name}/resolve/main/{builders.WEIGHTS}",
        headers={"Authorization": f"Bearer {shown[0]}"},
    )
    assert got.status_code == 200


def test_tokens_of_others_are_not_listed(browser: Open, world: World, cast: Cast) -> None:
    text = browser(cast.researcher).text(at(world))
    assert cast.researcher.token[-4:] in text
    assert cast.owner.token[-4:] not in text


# --- my access ---


def test_my_access_lists_what_is_mine(browser: Open, world: World, cast: Cast) -> None:
    mine = browser(cast.researcher).text("/access")
    assert f'href="{at(world)}"' in mine
    assert cast.researcher.canary in mine  # the purpose
    for key in ("applicant", "owner", "compliance"):
        text = browser(cast[key]).text("/access")
        assert cast.researcher.canary not in text
        assert "You hold no gated model" in text


@pytest.mark.parametrize(
    ("command", "reason", "words"),
    [
        (GrantCommand.SUSPEND, EndReason.LEAK, "Files left the people they were given to"),
        (GrantCommand.REVOKE, EndReason.MISUSE, "The model was misused"),
    ],
)
def test_what_was_stopped_says_why_and_since_when(
    browser: Open, world: World, command: GrantCommand, reason: EndReason, words: str
) -> None:
    one = browser(world.cast.researcher)
    link = ask(one, at(world), download=builders.WEIGHTS, revision="main").headers["Location"]
    assert one.get(link).status_code == 200
    end(world, command, reason)
    for page in (one.get("/access"), one.get(at(world))):
        assert words in page.text
        assert re.search(r"since <time", page.text)
    assert one.get(at(world)).status_code == 403
    assert one.get(link).status_code == 403
    assert ask(one, at(world), copy=builders.WEIGHTS, revision="main").status_code == 403
    listed = one.text("/access")
    assert f'href="{at(world)}"' not in listed


def test_a_stopped_holder_makes_no_link_with_an_old_form(browser: Open, world: World) -> None:
    one = browser(world.cast.researcher)
    page = one.get(at(world)).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    end(world, GrantCommand.REVOKE, EndReason.LEAK)
    form = {"csrf_token": token[1], "copy": builders.WEIGHTS, "revision": "main"}
    answer = one.client.post(f"{at(world)}/links", data=form)
    assert answer.status_code == 403
    assert answer.headers["X-Error-Code"] == "grant_revoked"


def test_access_is_given_back_by_its_holder_alone(browser: Open, world: World, cast: Cast) -> None:
    held = grants.mine(world.house, context(cast.researcher.actor))[0]
    path = f"/access/grants/{held.id}/relinquish"
    for key in ("applicant", "owner", "pending"):
        assert browser(cast[key]).send(path, page="/account").status_code == 404
    assert browser(cast.approver).send(path, page="/account").status_code == 403
    assert browser(cast.researcher).client.post(path).status_code == 400  # without its token
    one = browser(cast.researcher)
    assert one.send(path, page="/access").headers["Location"] == "/access"
    text = one.text("/access")
    assert "You gave the access back." in text
    assert "Given back" in text.split("Ended")[1]
    assert one.get(at(world)).status_code == 403
    assert one.send(path, page="/account").status_code == 409


def test_changed_terms_stop_access_and_say_so(browser: Open, world: World) -> None:
    builders.publish_agreement(
        world.house, builders.RESEARCH, change=Change.MATERIAL, edition="second"
    )
    one = browser(world.cast.researcher)
    text = one.text("/access")
    name = world.models["T3"].full_name
    assert f'href="/agreements/research-use?model={name}"' in text
    assert "have changed" in text
    closed = one.get(at(world))
    assert closed.status_code == 403
    assert f'href="/agreements/research-use?model={name}"' in closed.text


def test_an_access_that_ends_soon_is_said_beforehand(
    browser: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, cast = browser(world.cast.researcher), world.cast
    assert "Your access ends" not in one.text(at(world))
    held = grants.mine(world.house, context(cast.researcher.actor))[0]
    soon = context(cast.researcher.actor, held.ends_at - timedelta(days=3))
    monkeypatch.setattr("gatekeeper.web.pages.access.session_context", lambda: soon)
    monkeypatch.setattr("gatekeeper.web.pages.catalogue.session_context", lambda: soon)
    assert "Your access ends" in one.text(at(world))
    assert catalogue.find(world.house, soon, *world.name("T3")).verdict.allowed
