"""The demonstration's model files are true to their formats, and its content holds together."""

import importlib.util
import json
import shutil
import struct
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.cli import demo_real
from gatekeeper.cli.demo_files import DATA_SETS, SHAPES, write_model_files

CONTENT = Path(__file__).parents[2] / "config" / "demo"
RELEASES = sorted((CONTENT / "releases").iterdir())
MEGABYTES = {
    "lyra-124m": 2,
    "lyra-355m": 4,
    "lyra-774m": 6,
    "lyra-1558m": 8,
    "lyra-detect-small": 1,
    "lyra-detect-large": 3,
    "parley-mini-110m": 2,
    "parley-chat-345m": 4,
    "parley-chat-tuned": 4,
    "timbre-base": 2,
    "timbre-clone-lite": 3,
    "timbre-clone": 4,
    "argus-60m": 1,
    "argus-220m": 2,
    "argus-770m": 4,
}
TIERS = {
    "lyra-124m": "T0",
    "lyra-355m": "T0",
    "lyra-774m": "T2",
    "lyra-1558m": "T3",
    "lyra-detect-small": "T0",
    "lyra-detect-large": "T3",
    "parley-mini-110m": "T0",
    "parley-chat-345m": "T3",
    "parley-chat-tuned": "T4",
    "parley-traps": "T0",
    "timbre-base": "T0",
    "timbre-clone-lite": "T2",
    "timbre-clone": "T5",
    "argus-60m": "T0",
    "argus-220m": "T0",
    "argus-770m": "T1",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every demonstration model, each in a folder of its name."""
    root = tmp_path_factory.mktemp("models")
    for name in [*SHAPES, *DATA_SETS]:
        write_model_files(root / name, name, f"# {name}\n", "seed", CONTENT / "files" / name)
    return root


def digests(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {
        path.relative_to(directory).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def read_safetensors(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def weight_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.safetensors"))


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def models_by_name() -> dict[str, dict[str, Any]]:
    return {
        model["name"]: model
        for release in RELEASES
        for model in read_toml(release / "models.toml")["model"]
    }


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lyra-124m", "lyra-1558m", "parley-mini-110m", "parley-traps"])
def test_the_same_seed_gives_the_same_bytes(name: str, written: Path, tmp_path: Path) -> None:
    write_model_files(tmp_path, name, f"# {name}\n", "seed", CONTENT / "files" / name)
    assert digests(tmp_path) == digests(written / name)


def test_the_weights_do_not_depend_on_the_machine(written: Path) -> None:
    tensors, data = read_safetensors(written / "lyra-124m" / "model.safetensors")
    start, _ = tensors["wte.weight"]["data_offsets"]
    assert data[start : start + 12].hex() == "b03b953c76bcfbbc2f3b01bc"


def test_another_seed_changes_the_weights_and_nothing_else(written: Path, tmp_path: Path) -> None:
    write_model_files(tmp_path, "argus-60m", "# argus-60m\n", "another seed")
    mine, theirs = digests(tmp_path), digests(written / "argus-60m")
    assert {path for path in mine if mine[path] != theirs[path]} == {"model.safetensors"}


def test_two_models_of_one_shape_have_different_weights(written: Path) -> None:
    chat, tuned = (digests(written / name) for name in ("parley-chat-345m", "parley-chat-tuned"))
    assert chat["config.json"] == tuned["config.json"]
    assert chat["model.safetensors"] != tuned["model.safetensors"]


@pytest.mark.parametrize("name", SHAPES)
def test_tensors_fill_their_file_without_gap_or_overlap(name: str, written: Path) -> None:
    for path in weight_files(written / name):
        header, data = read_safetensors(path)
        assert header.pop("__metadata__") == {"format": "pt"}
        end = 0
        for tensor in header.values():
            begin, new_end = tensor["data_offsets"]
            count = 1
            for size in tensor["shape"]:
                count *= size
            assert begin == end
            assert new_end - begin == count * {"BF16": 2, "F32": 4}[tensor["dtype"]]
            end = new_end
        assert end == len(data)


@pytest.mark.parametrize("name", SHAPES)
def test_no_number_is_infinite_or_nan_and_all_are_small(name: str, written: Path) -> None:
    size = SHAPES[name].item_bytes
    for path in weight_files(written / name):
        _, data = read_safetensors(path)
        top_bytes = {byte & 0x7F for byte in set(data[size - 1 :: size])}
        assert max(top_bytes) <= 0x3F  # an exponent of all ones needs 0x7F


def test_random_weights_are_spread_like_a_fresh_model(written: Path) -> None:
    header, data = read_safetensors(written / "lyra-detect-small" / "model.safetensors")
    begin, end = header["transformer.wte.weight"]["data_offsets"]
    values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    deviation = (sum(value * value for value in values) / len(values)) ** 0.5
    assert abs(sum(values) / len(values)) < 0.001
    assert 0.018 < deviation < 0.022


@pytest.mark.parametrize(("name", "megabytes"), MEGABYTES.items())
def test_weights_have_the_size_the_demonstration_promises(
    name: str, megabytes: int, written: Path
) -> None:
    size_bytes = sum(path.stat().st_size for path in weight_files(written / name))
    assert abs(size_bytes / 1_000_000 / megabytes - 1) < 0.12


@pytest.mark.parametrize("name", SHAPES)
def test_the_configuration_agrees_with_the_tensors(name: str, written: Path) -> None:
    config = json.loads((written / name / "config.json").read_bytes())
    shapes: dict[str, list[int]] = {}
    for path in weight_files(written / name):
        header, _ = read_safetensors(path)
        shapes |= {
            key.removeprefix("transformer."): value["shape"]
            for key, value in header.items()
            if key != "__metadata__"
        }
    width = config["n_embd"]
    assert shapes["wte.weight"] == [config["vocab_size"], width]
    assert shapes["wpe.weight"] == [config["n_positions"], width]
    assert shapes["h.0.attn.c_attn.weight"] == [width, 3 * width]
    assert {int(key.split(".")[1]) for key in shapes if key.startswith("h.")} == set(
        range(config["n_layer"])
    )
    assert width % config["n_head"] == 0
    assert ("score.weight" in shapes) == ("id2label" in config)


def test_the_index_of_the_shards_names_every_tensor_once(written: Path) -> None:
    directory = written / "lyra-1558m"
    index = json.loads((directory / "model.safetensors.index.json").read_bytes())
    found: dict[str, str] = {}
    total_bytes = 0
    for path in weight_files(directory):
        header, data = read_safetensors(path)
        names = header.keys() - {"__metadata__"}
        assert not names & found.keys()
        found |= dict.fromkeys(names, path.name)
        total_bytes += len(data)
    assert index == {"metadata": {"total_size": total_bytes}, "weight_map": found}
    assert set(found.values()) == {
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }


@pytest.mark.parametrize("name", ["lyra-124m", "parley-chat-345m"])
def test_every_merge_joins_known_tokens_to_a_known_token(name: str, written: Path) -> None:
    tokenizer = json.loads((written / name / "tokenizer.json").read_bytes())
    vocabulary = tokenizer["model"]["vocab"]
    for merge in tokenizer["model"]["merges"]:
        first, second = merge.split(" ")
        assert {first, second, first + second} <= vocabulary.keys()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert vocabulary == json.loads((written / name / "vocab.json").read_bytes())
    assert len([token for token in vocabulary if len(token) == 1]) == 256


def test_a_data_set_has_no_weights(written: Path) -> None:
    assert set(digests(written / "parley-traps")) == {"README.md", "LICENSE", "probes.jsonl"}


def test_exactly_one_model_has_a_file_with_a_space_and_a_hash_in_its_name(written: Path) -> None:
    odd = [path for path in written.rglob("*") if " " in path.name and "#" in path.name]
    assert [path.relative_to(written).as_posix() for path in odd] == [
        "lyra-124m/samples/unfiltered #1.txt"
    ]
    assert odd[0].read_text(encoding="utf-8").startswith("SYNTHETIC TEXT")


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no demonstration model is called 'lyra-2m'"):
        write_model_files(tmp_path, "lyra-2m", "", "seed")


# --- Content --------------------------------------------------------------------------------------


def test_every_model_has_its_promised_tier_a_card_and_files() -> None:
    models = models_by_name()
    assert {name: model["tier"] for name, model in models.items()} == TIERS
    assert models.keys() == SHAPES.keys() | DATA_SETS
    cards = {path.stem for release in RELEASES for path in (release / "cards").iterdir()}
    assert cards == models.keys()


def test_every_gate_names_agreements_and_forms_that_exist_and_an_open_sibling() -> None:
    models = models_by_name()
    agreements = {path.stem for path in (CONTENT / "agreements").iterdir()}
    forms = {path.stem for path in (CONTENT / "forms").iterdir()}
    for model in models.values():
        assert set(model["agreements"]) <= agreements
        assert ("form" in model) == (model["tier"] in {"T3", "T4"})
        assert model.get("form", "research") in forms
        if model["tier"] != "T0":
            assert models[model["sibling"]]["tier"] == "T0"


def test_every_stage_speaks_of_models_of_its_release() -> None:
    for release in RELEASES:
        names = {model["name"] for model in read_toml(release / "models.toml")["model"]}
        staged = [stage["models"] for stage in read_toml(release / "stages.toml")["stage"]]
        assert set().union(*staged) == names


def test_every_seeded_application_answers_its_form() -> None:
    demo, models = read_toml(CONTENT / "demo.toml"), models_by_name()
    people = {person["username"]: person for person in demo["person"]}
    assert len({person["email"] for person in people.values()}) == len(demo["person"])
    for application in demo["application"]:
        assert people[application["person"]].get("key") not in {"applicant", "stranger"}
        form = models[application["model"].partition("/")[2]]["form"]
        fields = {
            field["name"]: field for field in read_toml(CONTENT / f"forms/{form}.toml")["field"]
        }
        answers = application["answers"]
        assert answers.keys() <= fields.keys()
        assert answers.keys() >= {name for name, field in fields.items() if field["required"]}
        for name, answer in answers.items():
            assert answer in fields[name].get("options", [answer])
            assert len(str(answer)) <= fields[name].get("max_chars", 100)


def test_the_probe_set_holds_forty_different_questions() -> None:
    lines = (CONTENT / "files/parley-traps/probes.jsonl").read_text(encoding="utf-8").splitlines()
    probes = [json.loads(line) for line in lines]
    assert [probe["id"] for probe in probes] == [f"T{number:02}" for number in range(1, 41)]
    assert len({probe["ask"] for probe in probes}) == 40


def test_real_files_are_fetched_as_wheels_so_that_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    for has_pip in (True, False):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=has_pip: found or None)
        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/uv")
        demo_real.fetch("silero-vad", tmp_path)
    assert [command[0] for command in asked] == [sys.executable, "/usr/bin/uv"]
    assert all({"--only-binary=:all:", "--no-deps"} <= set(command) for command in asked)
