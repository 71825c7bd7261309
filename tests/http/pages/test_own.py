"""Owners: how a release stands, and the form of a model changed on a page without a script."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.errors import Invalid, NotAllowed
from gatekeeper.domain.forms import MAX_FIELDS, Field, FieldType, Form
from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import audit, catalogue, members
from gatekeeper.services.applications import drafts, reading
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import models
from tests import builders
from tests.builders import FORM, World
from tests.cast import Cast, context
from tests.http.pages.conftest import Browser, Open, without_token

RELEASE = "/own/northfield/lyra"
EDITOR = f"{RELEASE}/lyra-t3/form"
EVIL = "\"><script>alert(1)</script>'{{7*7}}"
NEW = Form("Short form", "Read by two.", (Field("why", FieldType.TEXT, "Why this model?"),))


@dataclass(frozen=True, slots=True)
class Editor:
    """The editor in a browser: its controls as they stand, and its buttons."""

    browser: Browser

    def shown(self) -> dict[str, str]:
        """Open the page and return what stands in its controls."""
        return controls(self.browser.get(EDITOR))

    def press(self, act: str, typed: dict[str, str]) -> TestResponse:
        """Press a button with the controls filled in."""
        return self.browser.send(EDITOR, **{**typed, "act": act})


@pytest.fixture
def editor(browser: Open, cast: Cast) -> Editor:
    """The editor, opened by the owner."""
    return Editor(browser(cast.owner))


def controls(answer: TestResponse) -> dict[str, str]:
    """Return what a browser would post from the editor: no preview, no button, no CSRF token."""
    page = answer.get_data(as_text=True)
    form = page[page.index('name="seen"') - 30 : page.index('<fieldset class="card mt-m" disabled')]
    return dict(_values(form))


def _values(form: str) -> Iterator[tuple[str, str]]:
    for tag in re.findall(r"<input [^>]*>", form):
        kind, name = _attribute(tag, "type"), _attribute(tag, "name")
        if kind != "checkbox" or " checked" in tag:
            yield name, _attribute(tag, "value")
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', form):
        yield name, html.unescape(text)
    for tag in re.findall(r"<select .*?</select>", form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', tag)
        yield _attribute(tag, "name"), chosen[1] if chosen else ""


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def names(typed: dict[str, str]) -> list[str]:
    """Return the questions' names in their order."""
    found = [key for key in typed if re.fullmatch(r"field\.\d+\.name", key)]
    return [typed[key] for key in sorted(found, key=lambda key: int(key.split(".")[1]))]


def form_of(house: House, key: str = "lyra-t3") -> Form | None:
    """Return the form a model asks now."""
    return catalogue.model(house, context(), "northfield", key).form


# --- who may --------------------------------------------------------------------------------------


def test_everybody_else_gets_the_page_of_a_release_that_is_not_there(
    browser: Open, world: World
) -> None:
    for key in ("handler", "approver", "compliance", "admin", "researcher", "stranger"):
        visitor = browser(world.cast[key])
        missing = visitor.get("/own/northfield/none")
        for path in (RELEASE, EDITOR, f"{RELEASE}/lyra-hidden/form", "/own/nobody/none"):
            answer = visitor.get(path)
            assert answer.status_code == missing.status_code == 404, (key, path)
            assert without_token(answer) == without_token(missing), (key, path)
        assert visitor.send(EDITOR, "/account", act="drop").status_code == 404
    assert form_of(world.house) == FORM


def test_who_is_not_signed_in_is_sent_to_sign_in_whatever_the_name(browser: Open) -> None:
    for path in (RELEASE, "/own/northfield/none"):
        answer = browser().get(path)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/sign-in?next={path}"


def test_a_publisher_may_and_somebody_of_another_namespace_may_not(
    browser: Open, world: World
) -> None:
    other = builders.add_release(world.house, "elsewhere", "lyra")
    member = world.cast.applicant
    members.set_role(
        world.house, context(), "elsewhere", member.email, Role.PUBLISHER, remove=False
    )
    visitor = browser(member)
    assert visitor.get(f"/own/{other.full_name}").status_code == 200
    assert visitor.get(RELEASE).status_code == 404
    assert visitor.get("/own/elsewhere/lyra/lyra-t3/form").status_code == 404


def test_a_form_without_its_token_changes_nothing(editor: Editor, house: House) -> None:
    typed = {**editor.shown(), "act": "drop"}
    assert editor.browser.client.post(EDITOR, data=typed).status_code == 400
    assert form_of(house) == FORM


def test_the_verb_asks_for_the_role_and_the_scope_by_itself(world: World) -> None:
    house, seen = world.house, world.models["T3"].form_sha256
    with pytest.raises(NotAllowed):
        models.set_form(house, context(world.cast.approver.actor), world.name("T3"), None, seen)
    read_only = replace(world.cast.owner.bearer, scope=Scope.READ)
    with pytest.raises(Exception, match="wrong_scope"):
        models.set_form(house, context(read_only), world.name("T3"), None, seen)
    with pytest.raises(Invalid):
        models.set_form(house, context(), world.name("T3"), replace(NEW, fields=()), seen)
    assert form_of(house) == FORM


def test_the_release_page_leads_there_whom_it_is_for(browser: Open, cast: Cast) -> None:
    for member in (None, cast.researcher, cast.approver, cast.admin):
        assert RELEASE not in browser(member).text("/releases/northfield/lyra")
    assert f'href="{RELEASE}"' in browser(cast.owner).text("/releases/northfield/lyra")


# --- the overview ---------------------------------------------------------------------------------


def test_the_overview_shows_every_model_and_how_it_stands(editor: Editor, world: World) -> None:
    page = editor.browser.text(RELEASE)
    rows = {
        m[1]: m[0]
        for m in re.finditer(r'<tr>\s*<td class="all"><a href="/([^"]+)".*?</tr>', page, re.DOTALL)
    }
    assert set(rows) == {model.full_name for model in world.models.values()}
    reviewed = re.sub(r"<[^>]+>|\s+", " ", rows["northfield/lyra-t3"])
    for said in ("Reviewed", "Terms research-use", "7 questions", "5 files"):
        assert said in reviewed
    assert 'data-label="Holders:">1<' in rows["northfield/lyra-t3"]
    assert 'data-label="Open applications:">1<' in rows["northfield/lyra-t3"]
    assert "Hidden" in rows["northfield/lyra-hidden"]
    assert f"{RELEASE}/lyra-t2/form" in rows["northfield/lyra-t2"]
    assert "/form" not in rows["northfield/lyra-t0"]  # nobody applies for an open model
    assert "gatekeeper publish ./FOLDER northfield/" in page


def test_a_release_without_models_shows_how_to_publish_the_first(
    editor: Editor, house: House
) -> None:
    builders.add_release(house, name="empty")
    page = editor.browser.text("/own/northfield/empty")
    assert "No models yet" in page
    assert "gatekeeper publish ./FOLDER northfield/NAME --release northfield/empty" in page


# --- the editor -----------------------------------------------------------------------------------


def test_saving_what_is_shown_changes_nothing(editor: Editor, house: House) -> None:
    before = len(kinds(house))
    assert editor.press("save", editor.shown()).status_code == 303
    assert form_of(house) == FORM
    assert len(kinds(house)) == before


def kinds(house: House) -> list[str]:
    """Return the kind of every change of terms in the ledger."""
    with house.db.reading() as read:
        rows = read.audit.search(audit.EntryFilter(kinds=("ModelTermsChanged",), limit=100))
    return [row.kind for row in rows]


def test_buttons_move_rows_and_store_nothing(editor: Editor, house: House) -> None:
    typed = {**editor.shown(), "field.0.label": "Changed, not saved"}
    order = names(typed)
    down = controls(editor.press("down-0", typed))
    assert names(down) == [order[1], order[0], *order[2:]]
    assert down["field.1.label"] == "Changed, not saved"
    assert controls(editor.press("up-1", down)) == typed
    assert names(controls(editor.press("remove-2", typed))) == [*order[:2], *order[3:]]
    added = controls(editor.press("add", typed))
    assert names(added) == [*order, ""]
    assert added["field.7.required"] == "yes"
    for act in ("up-0", "down-6", "down-99", "up--1", "remove-x", "look", "nonsense", ""):
        assert controls(editor.press(act, typed)) == typed, act
    assert form_of(house) == FORM


def test_a_row_that_was_added_or_moved_is_open_and_has_the_focus(editor: Editor) -> None:
    page = editor.press("add", editor.shown()).get_data(as_text=True)
    assert page.count('<details class="more" open>') == 1
    assert re.search(r'<input [^>]*name="field.7.label"[^>]* autofocus>', page)
    assert page.count(" autofocus") == 1


def test_a_new_form_is_saved_and_shown_to_the_next_applicant(
    editor: Editor, browser: Open, world: World
) -> None:
    typed = controls(editor.press("add", editor.shown()))
    typed |= {
        "title": "  Second   form ", "intro": "One.\r\nTwo.", "field.7.name": "use",
        "field.7.label": "Who uses it?", "field.7.type": "choice",
        "field.7.options": "Me alone\r\n\r\n  My group  ",
    }  # fmt: skip
    typed.pop("field.7.required")
    moved = controls(editor.press("up-7", typed))
    answer = editor.press("save", moved)
    assert (answer.status_code, answer.headers["Location"]) == (303, EDITOR)
    assert "The form is saved." in editor.browser.text(EDITOR)
    saved = form_of(world.house)
    assert saved is not None
    assert (saved.title, saved.intro) == ("Second form", "One.\nTwo.")
    assert [f.name for f in saved.fields] == [
        *(f.name for f in FORM.fields[:6]), "use", FORM.fields[6].name,
    ]  # fmt: skip
    use = saved.fields[6]
    assert (use.type, use.options) == (FieldType.CHOICE, ("Me alone", "My group"))
    assert (use.required, use.max_chars) == (False, 4000)
    applicant = browser(world.cast.applicant).text("/apply/northfield/lyra-t3")
    assert "Second form" in applicant
    assert 'name="answer-use" value="My group"' in applicant
    assert kinds(world.house) == ["ModelTermsChanged"]
    model = catalogue.model(world.house, context(), *world.name("T3")).model
    was = world.models["T3"]
    assert (model.agreements, model.visibility, model.tier) == (
        was.agreements, was.visibility, was.tier,
    )  # fmt: skip
    assert list(audit.verify(world.house)) == []
    assert audit.compare(world.house) == []


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"field.1.name": "Bad Name"}, "field.1.name", "use 1 to 40 of a-z"),
        ({"field.1.name": "study"}, "field.1.name", "another question has this name"),
        ({"field.1.label": "  "}, "field.1.label", "write 1 to 300 characters"),
        ({"field.2.options": ""}, "field.2.options", "write 1 to 50 options"),
        ({"field.2.options": "A\nA"}, "field.2.options", "each once"),
        ({"field.0.options": "A"}, "field.0.options", "only a choice has options"),
        ({"field.0.max_chars": "many"}, "field.0.max_chars", "write a number from 1 to 8000"),
        ({"field.0.max_chars": "9" * 300}, "field.0.max_chars", "write a number from 1 to 8000"),
        ({"field.0.type": "file"}, "field.0.type", "choose one of the kinds"),
        ({"field.0.help": "x" * 1001}, "field.0.help", "at most 1000 characters"),
        ({"title": ""}, "title", "write 1 to 120 characters"),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_everything_typed_is_kept(
    editor: Editor, house: House, change: dict[str, str], field: str, said: str
) -> None:
    typed = {**editor.shown(), "intro": "Kept.", **change}
    answer = editor.press("save", typed)
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert f'<a href="#f-{field}">' in page
    beside = page[page.index(f'id="f-{field}-error"') :][:500]
    assert said in beside.lower()
    kept = controls(answer)
    changed = {k: v for k, v in typed.items() if kept.get(k) != v}
    assert changed in ({}, {"field.0.type": "file"})  # which is no option of the list
    assert form_of(house) == FORM


def test_a_form_asks_something_and_not_too_much(editor: Editor, house: House) -> None:
    typed = editor.shown()
    empty = {k: v for k, v in typed.items() if not k.startswith("field.")}
    answer = editor.press("save", empty)
    assert answer.status_code == 422
    assert f"ask 1 to {MAX_FIELDS} questions" in answer.get_data(as_text=True).lower()
    row = {"label": "Again?", "type": "text", "help": "", "options": "", "max_chars": ""}
    many = {f"field.{n}.{k}": v for n in range(300) for k, v in {**row, "name": f"q{n}"}.items()}
    answer = editor.press("save", {**empty, **many})
    assert answer.status_code == 422
    assert names(controls(answer)) == [f"q{n}" for n in range(MAX_FIELDS + 1)]
    full = {k: v for k, v in many.items() if int(k.split(".")[1]) < MAX_FIELDS}
    page = editor.press("look", {**empty, **full})
    assert 'value="add"' not in page.get_data(as_text=True)
    assert editor.press("save", {**empty, **full}).status_code == 303
    assert len(form_of(house).fields) == MAX_FIELDS  # type: ignore[union-attr]


def test_a_stale_page_keeps_what_was_typed_and_saves_when_looked_at_again(
    editor: Editor, world: World
) -> None:
    typed = {**editor.shown(), "title": "Mine"}
    operator, seen = context(), world.models["T3"].form_sha256
    models.set_form(world.house, operator, world.name("T3"), NEW, seen)
    for act in ("drop", "save"):
        answer = editor.press(act, typed)
        assert answer.status_code == 409
        assert "Somebody changed this form meanwhile." in answer.get_data(as_text=True)
        assert {**controls(answer), "seen": ""} == {**typed, "seen": ""}
        assert form_of(world.house) == NEW
    assert editor.press("save", controls(answer)).status_code == 303
    assert form_of(world.house) == replace(FORM, title="Mine")


def test_a_form_is_removed_and_a_first_one_is_written(editor: Editor, house: House) -> None:
    answer = editor.press("drop", editor.shown())
    assert (answer.status_code, answer.headers["Location"]) == (303, RELEASE)
    assert form_of(house) is None
    typed = editor.shown()
    assert (typed["seen"], names(typed)) == ("", [""])
    typed |= {"title": "First", "field.0.name": "why", "field.0.label": "Why?"}
    assert editor.press("save", typed).status_code == 303
    assert form_of(house) == Form("First", "", (Field("why", FieldType.TEXT, "Why?"),))


def test_the_form_that_is_the_only_way_in_is_kept(
    editor: Editor, world: World, tmp_path: Path
) -> None:
    builders.publish_model(world.house, tmp_path, "lyra-asked", "T2", form=FORM)
    path = f"{RELEASE}/lyra-asked/form"
    typed = controls(editor.browser.get(path))
    answer = editor.browser.send(path, **{**typed, "act": "drop"})
    assert answer.status_code == 422
    assert "the only way in" in answer.get_data(as_text=True)
    assert form_of(world.house, "lyra-asked") == FORM
    t3 = builders.publish_model(world.house, tmp_path, "lyra-read", "T3", form=FORM)
    ctx = context(world.cast.owner.actor)
    models.set_form(world.house, ctx, (t3.namespace, t3.name), None, t3.form_sha256)
    assert form_of(world.house, "lyra-read") is None  # its reviewer lets people in


def test_nothing_that_was_typed_runs_anywhere(editor: Editor, browser: Open, world: World) -> None:
    typed = editor.shown() | {
        "title": EVIL, "intro": EVIL, "field.0.label": EVIL, "field.0.help": EVIL,
        "field.0.name": EVIL, "field.2.options": EVIL, "field.0.max_chars": EVIL, "seen": EVIL,
    }  # fmt: skip
    for act in ("look", "save", EVIL):
        page = editor.press(act, typed).get_data(as_text=True)
        assert "<script>alert" not in page
        assert "49" not in re.findall(r"\{\{7|'49", page)
    typed |= {"field.0.name": "study", "field.0.max_chars": "", "seen": editor.shown()["seen"]}
    assert editor.press("save", typed).status_code == 303
    for visitor, path in (
        (editor.browser, EDITOR), (editor.browser, RELEASE),
        (browser(world.cast.applicant), "/apply/northfield/lyra-t3"),
    ):  # fmt: skip
        assert "<script>alert" not in visitor.get(path).get_data(as_text=True)


def test_the_preview_posts_nothing_and_names_no_control_twice(editor: Editor) -> None:
    page = editor.browser.get(EDITOR).get_data(as_text=True)
    preview = page[page.index('<fieldset class="card mt-m" disabled') :]
    for field in FORM.fields:
        assert field.label in preview
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "style=" not in page
    assert len(page) < 60_000


# --- what was submitted ---------------------------------------------------------------------------


def test_an_open_application_keeps_the_form_it_was_sent_with(world: World) -> None:
    house, cast = world.house, world.cast
    case = reading.mine(house, context(cast.pending.actor)).applications[0]
    old = world.models["T3"].form_sha256
    models.set_form(house, context(cast.owner.actor), world.name("T3"), NEW, old)
    for reader in (cast.pending, cast.approver):
        assert reading.open_case(house, context(reader.actor), case.id).form == FORM
    builders.decide(house, cast.handler, case.id, Decision(VerdictKind.ASK, 0, note="Which data?"))
    ctx = context(cast.pending.actor)
    changed = {**builders.answers(cast.pending), "study": "Of public data."}
    drafts.save(house, ctx, case.id, Typed(answers={"why": "Because."}), None)
    with pytest.raises(Invalid):  # the old questions still have to be answered
        drafts.submit(house, ctx, case.id, Submission())
    drafts.save(house, ctx, case.id, Typed(answers=changed), None)
    sent = drafts.submit(house, ctx, case.id, Submission())
    assert (sent.state, sent.form_sha256) == (ApplicationState.SUBMITTED, old)
    assert sent.answers["study"] == "Of public data."
    draft = drafts.start(house, context(cast.applicant.actor), [world.name("T3")], Typed())
    with pytest.raises(Invalid) as raised:
        drafts.submit(house, context(cast.applicant.actor), draft.application_id, Submission())
    assert [error.field for error in raised.value.errors] == ["purpose", "why"]
    assert audit.compare(house) == []


def test_an_application_of_two_models_goes_on_when_one_of_them_asks_anew(world: World) -> None:
    house, cast = world.house, world.cast
    both = builders.apply_for(house, cast.applicant, world.models["T3"], world.models["T4"])
    builders.decide(house, cast.handler, both.id, Decision(VerdictKind.ASK, 0, note="Which data?"))
    models.set_form(
        house, context(cast.owner.actor), world.name("T4"), None, world.models["T4"].form_sha256
    )
    ctx = context(cast.applicant.actor)
    drafts.save(house, ctx, both.id, Typed(answers=builders.answers(cast.applicant)), None)
    sent = drafts.submit(house, ctx, both.id, Submission())
    assert sent.form_sha256 == both.form_sha256
