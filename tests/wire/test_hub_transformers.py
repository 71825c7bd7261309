"""`transformers` 4.57 and 5.x, unmodified: what it says at a gate, and what it loads behind it.

Each has its own `huggingface_hub` (0.36 and 2.x) and no torch: configuration and tokenizer are
read, weights are not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gatekeeper.cli.demo_files import write_model_files
from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.services.publishing import revisions
from tests import builders
from tests.builders import RELEASE, RESEARCH
from tests.cast import NAMESPACE, context
from tests.hub_cards import find
from tests.wire.clients import TRANSFORMERS, Client, python_with
from tests.wire.proxy import Proxy
from tests.wire.server import Live

SHAPE = "argus-60m"  # the smallest of the demonstration's
TEXT = "A gate that works for everybody"

LOAD = """
from transformers import AutoConfig, AutoTokenizer

def load(name, **given):
    config = AutoConfig.from_pretrained(name, **given)
    tokenizer = AutoTokenizer.from_pretrained(name, **given)
    ids = tokenizer(words).input_ids
    return {"kind": config.model_type, "size": len(tokenizer) - config.vocab_size,
            "again": tokenizer.decode(ids), "ids": ids}
"""
REFUSED = f"""{LOAD}
tell({{
    "open": load(open_name, token=False),
    "refused": [failure(kind.from_pretrained, gated, **given)
                for given in ({{"token": False}}, {{}}) for kind in (AutoConfig, AutoTokenizer)],
}})
"""


@pytest.fixture(scope="module")
def models(live: Live, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """The same files as an open model and behind a reviewer."""
    folder = tmp_path_factory.mktemp("words")
    write_model_files(folder, SHAPE, "---\nlicense: apache-2.0\n---\n# Words\n", "wire")

    def publish(name: str, tier: str, *agreements: AgreementId) -> Model:
        target = revisions.Target(
            NAMESPACE, name, RELEASE, live.house.tiers[tier], agreements=agreements
        )
        revisions.publish(live.house, context(), folder, target)
        return find(live.house, (NAMESPACE, name))

    return {"T0": publish("words-open", "T0"), "T3": publish("words-gated", "T3", RESEARCH)}


def held(live: Live, model: Model) -> dict[str, str]:
    """Return the SHA-256 of each file of a model, by path."""
    with live.house.db.reading() as read:
        revision = read.catalogue.revision(model.id, "main")
        assert revision is not None
        return {file.path: file.sha256 for file in read.catalogue.files(revision.id)}


def cached(client: Client, model: Model) -> dict[str, str]:
    """Return the SHA-256 of each file that the client has of a model, by path."""
    (commit,) = (client.cache / f"models--{NAMESPACE}--{model.name}" / "snapshots").iterdir()
    return {
        str(path.relative_to(commit)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in commit.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("version", TRANSFORMERS)
def test_transformers_names_the_gate_and_our_page_and_loads_once_there_is_a_grant(
    live: Live, models: dict[str, Model], proxy: Proxy, tmp_path: Path, version: str
) -> None:
    """Anonymous and without a grant an OSError; then every byte, and nothing is asked twice."""
    python = python_with(TRANSFORMERS[version])
    guest, gated = live.hire(), models["T3"]
    machine = Client(version, python, tmp_path / "machine").at(proxy.url, guest.token)
    given = {"open_name": models["T0"].full_name, "gated": gated.full_name, "words": TEXT}

    told = machine.run(REFUSED, **given)
    assert told["open"]["again"] == TEXT
    assert (told["open"]["kind"], told["open"]["size"]) == ("gpt2", 0)
    pages = [f"/sign-in?next=/{gated.full_name}"] * 2 + [f"/{gated.full_name}"] * 2
    for refused, page in zip(told["refused"], pages, strict=True):
        assert "OSError" in refused["kinds"]
        assert "gated repo" in refused["text"]
        assert f"{proxy.url}{page}" in refused["text"]

    builders.grant(live.house, guest, gated, live.world.cast.approver)
    reader = machine.elsewhere("reader")
    first = reader.run(f"{LOAD}\ntell(load(gated))", **given)
    assert first == told["open"]
    files = cached(reader, gated)
    assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    assert files.items() <= held(live, gated).items()

    proxy.take()
    assert reader.run(f"{LOAD}\ntell(load(gated))", **given) == first
    again = [request for request in proxy.take() if "/resolve/" in request.path]
    assert {request.method for request in again} <= {"HEAD"}
    if version != "4.57":  # which asks at `main` again for what it does not find
        paths = [request.path.partition("/resolve/")[2].split("/", 1)[1] for request in again]
        assert [path for path in paths if path not in files] == []
