"""A release moves over from the Hub with its gate: what importing a card does, and what it refuses.

On both databases, through the API; the page and the command are tested beside their own kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.catalogue import AgreementId, Visibility
from gatekeeper.domain.errors import Conflict, Invalid
from gatekeeper.domain.people import Scope
from gatekeeper.services import agreements, audit, contents, tokens
from gatekeeper.services.publishing import cards, repositories, revisions, tiers
from gatekeeper.services.publishing.revisions import Target
from tests import builders
from tests.builders import World
from tests.cast import Member, context
from tests.hub_cards import ANSWERS, CARD, card, find, move_over, write_card

MOVED = "northfield/moved"


def post(client: FlaskClient, who: Member, path: str, body: Any, **headers: str) -> TestResponse:
    """Call the API as one of the cast."""
    return client.post(f"/api/v1/{path}", json=body, headers={**who.headers, **headers})


def imported(world: World, client: FlaskClient, model: str = MOVED, **body: Any) -> dict[str, Any]:
    """Import a card as the owner."""
    answer = post(client, world.cast.owner, f"models/{model}/import-card", body)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def refused(world: World, client: FlaskClient, **body: Any) -> dict[str, str]:
    """Import a card that cannot be; return what is wrong, by key."""
    answer = post(client, world.cast.owner, f"models/{MOVED}/import-card", body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")
    return {error["field"]: error["detail"] for error in answer.get_json()["errors"]}


def test_a_card_becomes_tier_agreement_and_form_in_one_act(
    world: World, client: FlaskClient
) -> None:
    name = move_over(world, "moved")
    before = find(world.house, name)
    told = imported(world, client)
    assert (told["tier_before"], told["tier"], told["changed"]) == ("T5", "T3", True)
    assert told["form"]["title"] == "Ask for Lyra"
    assert told["form"]["intro"] == "Two people read this."
    assert [f["type"] for f in told["form"]["fields"]] == [
        "text", "country", "date", "choice", "checkbox",
    ]  # fmt: skip
    assert [(c["title"], c["text"]) for c in told["agreement"]["clauses"]] == [
        ("Use", "You use it for research alone."),
        ("", "You keep the weights to yourself."),
    ]
    assert any("Where I am" in note for note in told["notes"])
    model = find(world.house, name)
    assert (model.tier.code, model.is_decided) == ("T3", True)
    assert model.agreements == (AgreementId(told["agreement"]["id"]),)
    assert model.form_sha256 == told["form"]["sha256"]
    assert (model.title, model.open_files) == (before.title, before.open_files)
    assert agreements.show(world.house, model.agreements[0]).change is Change.MATERIAL
    world.house.db.sequence_all()
    assert list(audit.verify(world.house)) == []
    assert audit.compare(world.house) == []


def test_a_dry_run_says_the_same_and_changes_nothing(world: World, client: FlaskClient) -> None:
    name = move_over(world, "moved")
    before = find(world.house, name)
    dry = imported(world, client, dry_run=True)
    assert (dry["dry_run"], dry["changed"]) == (True, False)
    assert find(world.house, name) == before
    assert imported(world, client) == {**dry, "dry_run": False, "changed": True}


def test_repeating_an_import_records_nothing(world: World, client: FlaskClient) -> None:
    name = move_over(world, "moved")
    first = imported(world, client)
    model, entries = find(world.house, name), count(world)
    again = imported(world, client)
    assert (again["changed"], again["agreement"]["is_new"]) == (False, False)
    assert again["agreement"]["version"] == first["agreement"]["version"] == 1
    assert (find(world.house, name), count(world)) == (model, entries)


def count(world: World) -> int:
    """Count the entries of the ledger."""
    world.house.db.sequence_all()
    return audit.head(world.house).size


def test_another_text_is_a_material_version_and_another_gate_only_stricter(
    world: World, client: FlaskClient
) -> None:
    name = move_over(world, "moved", CARD.replace("manual", "auto"))
    assert imported(world, client)["tier"] == "T2"
    write_card(world, name, CARD.replace("research alone", "teaching alone"))
    told = imported(world, client)
    assert (told["tier"], told["agreement"]["version"]) == ("T3", 2)
    write_card(world, name, card("gated: false"))
    told = imported(world, client)
    assert (told["tier"], told["changed"]) == ("T3", False)
    assert "never loosens" in told["notes"][0]
    model = find(world.house, name)
    assert (model.tier.code, len(model.agreements)) == ("T3", 1)
    assert model.form_sha256 is not None  # what the card does not say stays


def test_the_gate_of_the_hub_is_a_tier(world: World, client: FlaskClient) -> None:
    tiers_of = {"false": "T0", "true": "T2", "auto": "T2", "manual": "T3"}
    for written, tier in tiers_of.items():
        name = "/".join(move_over(world, f"moved-{written}", card(f"gated: {written}")))
        assert imported(world, client, name)["tier"] == tier
        info = client.get(f"/api/models/{name}", headers=world.cast.applicant.headers).get_json()
        assert info["gated"] == {"T0": False, "T2": "auto", "T3": "manual"}[tier]


def test_a_card_that_does_not_say_gated_opens_nothing(world: World, client: FlaskClient) -> None:
    """On the Hub the kind is a setting of the repository, which does not come with the card."""
    name = move_over(world, "moved", card("license: mit"))
    before = find(world.house, name)
    for dry_run in (True, False):
        said = refused(world, client, dry_run=dry_run)
        assert list(said) == ["gated"]
        assert "add `gated: false`, `gated: auto` or `gated: manual` to the card" in said["gated"]
    assert find(world.house, name) == before
    assert (before.tier.code, before.is_decided) == ("T5", False)


@pytest.mark.parametrize("tier", ["T0", "T3"])
def test_without_gated_a_tier_that_was_chosen_stays(
    world: World, client: FlaskClient, tier: str
) -> None:
    name = move_over(world, "moved", card("license: mit"))
    owner = context(world.cast.owner.actor)
    tiers.settle(world.house, owner, name, world.house.tiers[tier], None)
    told = imported(world, client)
    assert (told["tier"], told["changed"]) == (tier, False)
    assert f"stays {tier}" in told["notes"][0]


def test_a_card_that_only_asks_who_somebody_is_has_an_agreement_that_says_so(
    world: World, client: FlaskClient
) -> None:
    """On the Hub a click shares name and address: here it is agreed to, and grants at once."""
    name = move_over(world, "moved", card("gated: auto"))
    told = imported(world, client)
    (clause,) = told["agreement"]["clauses"]
    assert "my mail address" in clause["text"]
    assert told["form"] is None
    builders.accept(world.house, world.cast.applicant, find(world.house, name).agreements[0])
    applicant = world.cast.applicant.headers
    assert client.get(f"/{MOVED}/resolve/main/config.json", headers=applicant).status_code == 200
    assert imported(world, client)["changed"] is False


def test_what_an_owner_set_before_stays_beside_what_the_card_says(
    world: World, client: FlaskClient
) -> None:
    model = world.models["T3"]
    write_card(world, world.name("T3"), card("gated: manual", "extra_gated_prompt: Be kind."))
    told = imported(world, client, model.full_name)
    after = find(world.house, world.name("T3"))
    assert after.agreements == (*model.agreements, told["agreement"]["id"])
    assert (after.form_sha256, after.tier) == (model.form_sha256, model.tier)
    assert told["form"] is None


def test_a_stricter_tier_of_the_same_kind_stays(world: World, client: FlaskClient) -> None:
    write_card(world, world.name("T4"), CARD)
    told = imported(world, client, world.models["T4"].full_name)
    assert (told["tier_before"], told["tier"]) == ("T4", "T4")
    assert "T4 Partner" in told["notes"][0]


def test_a_card_that_describes_a_gate_and_names_none_never_opens_a_model(
    world: World, client: FlaskClient
) -> None:
    name = move_over(world, "moved", CARD.replace("gated: manual\n", ""))
    assert "add `gated: false`" in refused(world, client)["gated"]
    owner = context(world.cast.owner.actor)
    tiers.settle(world.house, owner, name, world.house.tiers["T3"], None)
    told = imported(world, client)
    assert (told["tier"], len(told["form"]["fields"])) == ("T3", 5)
    assert "stays T3" in told["notes"][0]


WRONG = (
    ("# No front matter\n", "README.md"),
    ("---\ngated: manual\n# It does not end\n", "README.md"),
    ("---\n---\n", "README.md"),
    ("---\ngated: [\n---\n", "README.md"),
    (card("gated: maybe"), "gated"),
    (card("gated: auto", "extra_gated_eu_disallowed: true"), "extra_gated_eu_disallowed"),
    (card("gated: auto", "extra_gated_fields: {A: email}"), "extra_gated_fields"),
    (card("gated: auto", "extra_gated_prompt: [a]"), "extra_gated_prompt"),
)


def test_a_card_that_cannot_be_kept_changes_nothing(world: World, client: FlaskClient) -> None:
    """And whoever lists, describes or looks at the model is answered."""
    name = move_over(world, "moved", "# New\n")
    for text, key in WRONG:
        write_card(world, name, text)
        before = find(world.house, name)
        assert list(refused(world, client)) == [key], text
        assert find(world.house, name) == before
        for path in (f"/api/models/{MOVED}", f"/{MOVED}", "/api/models?cardData=true"):
            assert client.get(path).status_code == 200, (path, text)


def test_a_revision_is_named_and_must_have_a_card(world: World, client: FlaskClient) -> None:
    name = move_over(world, "moved")
    first = contents.show(world.house, context(world.cast.owner.actor), *name).revision
    assert first is not None
    write_card(world, name, card("gated: false"))
    assert imported(world, client, revision=first.id, dry_run=True)["tier"] == "T3"
    assert imported(world, client, dry_run=True)["tier"] == "T0"
    for revision in ("none", "--all", "../main", "0" * 40):
        assert list(refused(world, client, revision=revision)) == ["revision"]


def test_a_card_that_changes_while_it_is_read_is_not_imported(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = move_over(world, "moved")
    read = contents.card

    def slowly(*given: Any) -> str:
        text = read(*given)
        write_card(world, name, card("gated: false"))
        return text

    monkeypatch.setattr(contents, "card", slowly)
    with pytest.raises(Conflict):
        cards.import_card(world.house, context(world.cast.owner.actor), name)
    assert find(world.house, name).tier.code == "T5"


def test_only_publishers_import_and_the_operator(world: World, client: FlaskClient) -> None:
    name = move_over(world, "moved")
    path = f"models/{MOVED}/import-card"
    for key in ("handler", "approver", "researcher", "applicant", "admin", "compliance"):
        assert post(client, world.cast[key], path, {}).status_code == 403, key
    assert client.post(f"/api/v1/{path}", json={}).status_code == 401
    _, text = tokens.create(world.house, context(), world.cast.owner.id, "r", Scope.READ, 1)
    reader = {"Authorization": f"Bearer {text}"}
    assert client.post(f"/api/v1/{path}", json={}, headers=reader).status_code == 403
    owner = context(world.cast.owner.actor)
    tiers.settle(world.house, owner, name, None, Visibility.HIDDEN)
    assert post(client, world.cast.researcher, path, {}).status_code == 404
    assert cards.import_card(world.house, context(), name).tier.code == "T3"


def test_a_key_of_idempotency_and_a_strict_body(world: World, client: FlaskClient) -> None:
    move_over(world, "moved")
    path, owner = f"models/{MOVED}/import-card", world.cast.owner
    first = post(client, owner, path, {}, **{"Idempotency-Key": "one"})
    again = post(client, owner, path, {}, **{"Idempotency-Key": "one"})
    assert (first.get_json(), again.headers["Idempotent-Replayed"]) == (again.get_json(), "true")
    for body in ({"revison": "main"}, {"dry_run": "yes"}, {"revision": ""}, {"revision": "a\0b"}):
        assert post(client, owner, path, body).status_code == 422


def test_no_other_models_agreement_is_written(
    world: World, client: FlaskClient, tmp_path: Path
) -> None:
    """Not even one that the model was made to ask for."""
    imported(world, client, "/".join(move_over(world, "moved")))
    shared = find(world.house, ("northfield", "moved")).agreements
    name = move_over(world, "second", card("gated: auto", "extra_gated_prompt: Other."))
    (tmp_path / "README.md").write_text(card("gated: auto", "extra_gated_prompt: Other."))
    tier = world.house.tiers["T2"]
    target = Target(*name, release="second", tier=tier, agreements=shared)
    revisions.publish(world.house, context(), tmp_path, target)
    told = imported(world, client, "northfield/second")
    assert agreements.show(world.house, shared[0]).version == 1
    assert find(world.house, name).agreements == (*shared, told["agreement"]["id"])


def test_a_model_keeps_its_agreement_under_another_name(world: World, client: FlaskClient) -> None:
    name = move_over(world, "moved")
    imported(world, client)
    kept = find(world.house, name).agreements
    repositories.move(world.house, context(world.cast.owner.actor), name, ("northfield", "other"))
    assert imported(world, client, "northfield/other")["changed"] is False
    assert find(world.house, ("northfield", "other")).agreements == kept


def test_who_applies_after_an_import_answers_its_questions(
    world: World, client: FlaskClient
) -> None:
    """Refused, applied for, approved, served; each wrong answer is refused by its name."""
    name = move_over(world, "moved")
    imported(world, client)
    model, who = find(world.house, name), world.cast.applicant
    file = f"/{MOVED}/resolve/main/config.json"
    assert client.get(file, headers=who.headers).status_code == 403
    wrong = {"company": "", "country": "Ghana", "date_of_birth": "1990", "i_will_not_share_it": "",
             "i_want_to_use_this_model_for": "other"}  # fmt: skip
    body = {"models": [MOVED], "purpose": "A study", "answers": wrong}
    case = post(client, who, "applications", body).get_json()
    path = f"applications/{case['id']}"
    answer = post(client, who, f"{path}/submit", {"version": case["version"]})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.get_json()["errors"]} == set(wrong)
    changed = client.patch(
        f"/api/v1/{path}", json={"version": case["version"], "answers": ANSWERS},
        headers=who.headers,
    ).get_json()  # fmt: skip
    answer = post(client, who, f"{path}/submit", {"version": changed["version"]})
    assert answer.get_json()["code"] == "terms_missing"
    builders.accept(world.house, who, model.agreements[0])
    sent = post(client, who, f"{path}/submit", {"version": changed["version"]})
    assert sent.status_code == 200, sent.get_json()
    builders.decide(world.house, world.cast.approver, case["id"])
    assert client.get(file, headers=who.headers).status_code == 200


def test_model_info_has_the_cards_own_words(world: World, client: FlaskClient) -> None:
    move_over(world, "moved")
    imported(world, client)
    info = client.get(f"/api/models/{MOVED}").get_json()
    assert info["cardData"]["extra_gated_fields"]["Company"] == "text"
    assert info["cardData"]["extra_gated_fields"]["I want to use this model for"]["options"] == [
        "Research", {"label": "Other", "value": "other"},
    ]  # fmt: skip
    assert info["cardData"]["license_link"] == "https://lab.example/licence"
    page = client.get(f"/{MOVED}").get_data(as_text=True)
    assert '<a href="https://lab.example/licence" rel="nofollow noopener">lyra-research</a>' in page


def test_a_card_attacks_no_page(world: World, client: FlaskClient) -> None:
    evil = "<script>alert(1)</script>{{7*7}}"
    lines = ["gated: manual", f"extra_gated_prompt: '# {evil}'", f"extra_gated_heading: '{evil}'",
             "license_link: 'javascript:alert(1)'", f"license: '{evil}'"]  # fmt: skip
    name = move_over(world, "moved", card(*lines, f"extra_gated_fields: {{'{evil}': text}}"))
    imported(world, client)
    agreement = find(world.house, name).agreements[0]
    for path in (f"/{MOVED}", f"/agreements/{agreement}"):
        text = client.get(path).get_data(as_text=True)
        assert "<script>alert" not in text, path
        assert "javascript:" not in text, path


def test_a_service_refuses_what_the_page_refuses(world: World) -> None:
    name = move_over(world, "moved", card("gated: 7"))
    with pytest.raises(Invalid, match="gated"):
        cards.import_card(world.house, context(world.cast.owner.actor), name, dry_run=True)
