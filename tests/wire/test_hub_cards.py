"""A gated card goes up with the unmodified client, is imported, and shown back to it."""

from __future__ import annotations

from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests import builders
from tests.cast import NAMESPACE, context
from tests.hub_cards import ANSWERS, CARD, find
from tests.wire.clients import Client
from tests.wire.server import Live

CALL = """
import json, urllib.request

def call(path, body):
    asked = urllib.request.Request(
        f"{hub.constants.ENDPOINT}/api/v1/{path}", json.dumps(body).encode(),
        {"Authorization": f"Bearer {os.environ['HF_TOKEN']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)
"""
OWNER = f"""{CALL}
api.create_repo(name)
api.upload_file(repo_id=name, path_in_repo="README.md", path_or_fileobj=card.encode())
api.upload_file(repo_id=name, path_in_repo="config.json", path_or_fileobj=b"{{}}")
before = api.model_info(name)
told = call(f"models/{{name}}/import-card", {{}})
after = api.model_info(name)
listed = next(iter(api.list_models(search=name.split("/")[1], cardData=True)))
tell({{
    "gated": [before.gated, after.gated], "told": told,
    "card": after.card_data.to_dict(), "listed": listed.card_data.to_dict(),
}})
"""
READER = """
tell(failure(hf_hub_download, name, "config.json"))
"""
APPLY = f"""{CALL}
tell(call(path, body))
"""
HOLDER = """
tell(Path(hf_hub_download(name, "config.json")).read_bytes() == b"{}")
"""


def test_a_gated_card_goes_up_is_imported_and_gates(hub: Client, live: Live) -> None:
    """Shown back with its fields; refused, applied for with an answer of each type, then served."""
    name = f"{NAMESPACE}/gated-card-{hub.version.replace('.', '-')}"
    owner = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), owner, f"card-{hub.version}", Scope.WRITE, 1)
    seen = hub.at(live.url, text).run(OWNER, name=name, card=CARD)
    assert seen["gated"] == ["manual", "manual"]  # withheld before, reviewed after
    assert (seen["told"]["tier_before"], seen["told"]["tier"]) == ("T5", "T3")
    for card in (seen["card"], seen["listed"]):
        assert card["extra_gated_heading"] == "Ask for Lyra"
        assert card["extra_gated_fields"]["Country"] == "country"
        options = card["extra_gated_fields"]["I want to use this model for"]["options"]
        assert options == ["Research", {"label": "Other", "value": "other"}]

    guest = live.hire()
    reader = hub.at(live.url, guest.token)
    refused = reader.run(READER, name=name)
    assert "GatedRepoError" in refused["kinds"]
    model = find(live.house, (NAMESPACE, name.partition("/")[2]))
    body = {"models": [name], "purpose": "A study", "answers": ANSWERS}
    made = reader.run(APPLY, path="applications", body=body)
    builders.accept(live.house, guest, model.agreements[0])
    path, body = f"applications/{made['id']}/submit", {"version": made["version"]}
    sent = reader.run(APPLY, path=path, body=body)
    assert sent["state"] == "submitted"
    builders.decide(live.house, live.world.cast.approver, made["id"])
    assert reader.run(HOLDER, name=name) is True
