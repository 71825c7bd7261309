"""The `gatekeeper` command as a person at the machine uses it: words, JSON and exit codes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gatekeeper import resources
from gatekeeper.app import create_app
from gatekeeper.cli import main
from gatekeeper.cli.desk import Desk
from gatekeeper.domain.catalogue import Visibility
from tests.conftest import make_settings

CONFIG = resources.directory("config")
EMAIL = "amara.osei@kumasi.example"


class Machine:
    """A data directory and the command that works in it."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *words: str, expect: int = 0) -> str:
        """Run a command; return what it printed on stdout."""
        result: Result = CliRunner().invoke(main, ["--data", str(self.data), *words])
        assert result.exit_code == expect, (words, result.output, result.exception)
        return result.stdout

    def json(self, *words: str, expect: int = 0) -> Any:
        """Run a reading command with --json and parse it."""
        return json.loads(self(*words, "--json", expect=expect))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh install with one namespace, release, agreement and person."""
    made = Machine(tmp_path / "data")
    made("init")
    made("namespace", "add", "northfield", "--title", "Northfield")
    source = tmp_path / "release"
    shutil.copytree(CONFIG / "demo" / "releases" / "argus", source)
    for path in source.glob("*.toml"):
        path.write_text(re.sub(r"@[+-]\d+d", "2026-01-31", path.read_text()))
    made("release", "create", "northfield/real", "--title", "Real", "--from", str(source))
    agreement = str(CONFIG / "demo" / "agreements" / "research-use.toml")
    made("agreement", "publish", agreement, "--id", "research-use", "--change", "material")
    made("person", "add", EMAIL, "--username", "amara", "--name", "Amara Osei", "--verified")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to publish."""
    made = tmp_path / "model"
    (made / "sub dir").mkdir(parents=True)
    (made / "README.md").write_text("# Lyra\n")
    (made / "weights.bin").write_bytes(bytes(range(256)) * 8192)
    (made / "sub dir" / "a b#c.txt").write_text("x")
    return made


def publish(machine: Machine, folder: Path, tier: str = "T3", *more: str, expect: int = 0) -> str:
    form = str(CONFIG / "demo" / "forms" / "research.toml")
    return machine(
        "publish", str(folder), "northfield/lyra", "--release", "northfield/real", "--tier", tier,
        "--agreement", "research-use", "--form", form, "--quiet", *more, expect=expect,
    )  # fmt: skip


def test_a_second_init_refuses_to_make_a_second_truth(machine: Machine) -> None:
    machine("init", expect=1)


def test_a_command_before_init_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--data", str(tmp_path), "audit", "verify"])
    assert result.exit_code == 1
    assert "gatekeeper init" in result.stderr


def test_a_release_may_be_created_before_its_page_is_written(
    machine: Machine, folder: Path, tmp_path: Path
) -> None:
    machine("release", "create", "northfield/bare", "--title", "Bare")
    publish(machine, folder, "T3", "--release", "northfield/bare")
    house = Desk(machine.data).house
    app = create_app(make_settings(), house, bytes(32))
    page = app.test_client().get("/releases/northfield/bare")
    assert page.status_code == 200
    assert "There is no risk analysis yet" in page.get_data(as_text=True)
    told = app.test_client().get("/api/v1/releases/northfield/bare").get_json()
    assert told["content"]["risks"]["risk"] == []
    assert app.test_client().get("/").status_code == 200
    with house.db.reading() as read:
        written = read.catalogue.release("northfield", "real")
    machine("release", "create", "northfield/real", "--title", "Renamed")
    with house.db.reading() as read:
        renamed = read.catalogue.release("northfield", "real")
    house.db.close()
    assert written is not None
    assert renamed is not None
    assert (renamed.title, renamed.content_sha256) == ("Renamed", written.content_sha256)
    empty = tmp_path / "release" / "risks.toml"
    empty.write_text("")
    source = str(tmp_path / "release")
    machine("release", "create", "northfield/real", "--title", "R", "--from", source, expect=1)


def test_publishing_twice_makes_one_revision(machine: Machine, folder: Path) -> None:
    first = publish(machine, folder).split()
    again = publish(machine, folder).split()
    assert first[:2] == again[:2]
    assert (first[2], again[2]) == ("published,", "unchanged,")
    (folder / "README.md").write_text("# Lyra, second\n")
    assert publish(machine, folder).split()[1] != first[1]


def test_publishing_never_loosens_a_tier(machine: Machine, folder: Path) -> None:
    publish(machine, folder)
    publish(machine, folder, "T0", expect=1)
    publish(machine, folder, "T4")
    explained = machine.json("access", "explain", EMAIL, "northfield/lyra", expect=1)
    assert {row["clause"]: row["state"] for row in explained}["grant"] == "unmet"


def test_terms_that_are_not_named_again_stay_as_they_are(machine: Machine, folder: Path) -> None:
    publish(machine, folder, "T3", "--visibility", "hidden", "--open-file", "sub dir/a b#c.txt")
    house = Desk(machine.data).house
    with house.db.reading() as read:
        before = read.catalogue.model("northfield", "lyra")
    (folder / "README.md").write_text("# Lyra, second\n")
    machine(
        "publish", str(folder), "northfield/lyra", "--release", "northfield/real", "--tier", "T3",
        "--quiet",
    )  # fmt: skip
    with house.db.reading() as read:
        after = read.catalogue.model("northfield", "lyra")
    house.db.close()
    assert before is not None
    assert after is not None
    assert (before.agreements, before.open_files) == (("research-use",), {"sub dir/a b#c.txt"})
    assert before.visibility is Visibility.HIDDEN
    assert replace(after, changed_at=before.changed_at) == before
    publish(machine, folder, "T3", "--visibility", "public")
    assert machine.json("audit", "list", "--kind", "ModelTermsChanged")


def refs(machine: Machine) -> dict[str, tuple[str, str]]:
    """Return kind and revision of each branch and tag."""
    house = Desk(machine.data).house
    with house.db.reading() as read:
        model = read.catalogue.model("northfield", "lyra")
        found = read.catalogue.refs(model.id) if model is not None else []
    house.db.close()
    return {ref.name: (str(ref.kind), str(ref.revision_id)) for ref in found}


def test_a_tag_names_one_revision_for_good(machine: Machine, folder: Path) -> None:
    first = publish(machine, folder, "T3", "--tag", "v1.0").split()[1]
    assert refs(machine) == {"main": ("branch", first), "v1.0": ("tag", first)}
    publish(machine, folder, "T3", "--tag", "v1.0")  # again: nothing has changed
    publish(machine, folder, "T3", "--tag", "same")  # an unchanged folder can be named later
    (folder / "README.md").write_text("# Lyra, second\n")
    before = machine("audit", "list")
    publish(machine, folder, "T3", "--tag", "v1.0", expect=1)
    publish(machine, folder, "T3", "--branch", "v1.0", expect=1)
    publish(machine, folder, "T3", "--tag", "main", expect=1)
    publish(machine, folder, "T3", "--branch", "next", "--tag", "next", expect=1)
    assert machine("audit", "list") == before
    second = publish(machine, folder, "T3", "--tag", "v2.0").split()[1]
    assert refs(machine) == {
        "main": ("branch", second), "same": ("tag", first), "v1.0": ("tag", first),
        "v2.0": ("tag", second),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a b\n..", "", "a..b", "/a", "-a", "a" * 201, "0" * 40])
def test_a_branch_or_tag_is_named_as_git_would(machine: Machine, folder: Path, name: str) -> None:
    publish(machine, folder, "T3", "--branch", name, expect=1)
    if name:
        publish(machine, folder, "T3", "--tag", name, expect=1)
    assert not list((machine.data / "store" / "blobs").glob("*/*"))


def test_terms_that_let_nobody_in_are_refused(machine: Machine, folder: Path) -> None:
    bare = ("publish", str(folder), "northfield/lyra", "--release", "northfield/real", "--quiet")
    form = str(CONFIG / "demo" / "forms" / "research.toml")
    told = CliRunner().invoke(main, ["--data", str(machine.data), *bare, "--tier", "T2"])
    assert told.exit_code == 1
    assert "--agreement" in told.stderr
    machine(*bare, "--tier", "T1")
    machine(*bare, "--tier", "T2", expect=1)  # a model that exists is moved into no dead end either
    machine(*bare, "--tier", "T2", "--form", form)
    machine(*bare, "--tier", "T2", "--agreement", "research-use")
    machine(*bare, "--tier", "T3")


@pytest.mark.parametrize("path", ["*", "../up", "/etc/passwd", "a\\b", "", "x" * 513])
def test_an_open_file_is_a_path_in_the_folder(machine: Machine, folder: Path, path: str) -> None:
    publish(machine, folder, "T3", "--open-file", path, expect=1)
    assert not list((machine.data / "store" / "blobs").glob("*/*"))


def test_names_that_would_overfill_an_entry_are_refused(machine: Machine, folder: Path) -> None:
    many = [word for n in range(40) for word in ("--open-file", f"{n}".zfill(240))]
    publish(machine, folder, "T3", *many, expect=1)
    publish(machine, folder, "T3", "--title", "x" * 20_000, expect=1)
    repeated = ["--agreement", "research-use"] * 2000
    publish(machine, folder, "T3", *repeated)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.txt", "README.md"])
def test_a_link_in_the_folder_is_refused_and_nothing_is_published(
    machine: Machine, folder: Path, target: str
) -> None:
    (folder.parent / "outside.txt").write_text("outside")
    (folder / "link").symlink_to(target)
    publish(machine, folder, expect=1)
    machine("access", "explain", EMAIL, "northfield/lyra", expect=4)


@pytest.mark.parametrize("name", ["a\\b", "tab\tname", "bidi\u202ename", " lead", ".git/config"])
def test_a_file_name_that_would_mislead_is_refused(
    machine: Machine, folder: Path, name: str
) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    if name.startswith(".git"):
        publish(machine, folder)  # a checkout's own folder is left out
        return
    publish(machine, folder, expect=1)


def test_an_unknown_tier_or_release_is_refused_before_anything_is_stored(
    machine: Machine, folder: Path
) -> None:
    publish(machine, folder, "T9", expect=1)
    machine(
        "publish", str(folder), "northfield/lyra", "--release", "northfield/none", "--tier", "T0",
        expect=4,
    )  # fmt: skip
    assert not list((machine.data / "store" / "blobs").glob("*/*"))


def test_explain_prints_each_clause_and_the_fact_behind_it(machine: Machine, folder: Path) -> None:
    publish(machine, folder)
    words = machine("access", "explain", EMAIL, "northfield/lyra", expect=1)
    assert "no (no_application)" in words
    rows = machine.json("access", "explain", EMAIL, "northfield/lyra", expect=1)
    assert [row["clause"] for row in rows][-2:] == ["grant", "agreements"]
    assert any(row["fact"].startswith("per_") for row in rows)
    machine("access", "explain", "nobody@x.example", "northfield/lyra", expect=4)


def test_explain_takes_a_moment_in_the_form_that_lists_print(
    machine: Machine, folder: Path
) -> None:
    publish(machine, folder)
    printed = machine.json("audit", "list", "--limit", "1")[0]["at"]
    for at in (printed, "2027-01-31T12:00:00Z", "2027-01-31T12:00:00.5+02:00", "2027-01-31"):
        machine("access", "explain", EMAIL, "northfield/lyra", "--at", at, expect=1)
    for at in ("soon", "2027-02-31", "12:00", ""):
        machine("access", "explain", EMAIL, "northfield/lyra", "--at", at, expect=2)
    within = ("--since", "2026-01-01T00:00:00+14:00", "--until", "2100-01-01T00:00:00Z")
    assert machine.json("audit", "list", *within) == machine.json("audit", "list")


def test_tokens_are_printed_once_and_can_be_revoked(machine: Machine) -> None:
    text = machine("token", "create", EMAIL, "--name", "laptop", "--scope", "read").strip()
    assert text.startswith("gk_")
    rows = machine.json("token", "list", EMAIL)
    assert [(r["name"], r["live"], text in json.dumps(r)) for r in rows] == [
        ("laptop", True, False)
    ]
    machine("token", "revoke", rows[0]["id"])
    assert machine.json("token", "list", EMAIL)[0]["live"] is False
    machine("token", "revoke", "tok_none", expect=4)


def test_the_ledger_is_clean_and_replays(machine: Machine, folder: Path) -> None:
    publish(machine, folder)
    verified = machine.json("audit", "verify")
    assert verified["findings"] == []
    assert verified["size"] == len(machine("audit", "export").splitlines())
    assert machine.json("audit", "rebuild", "--compare") == []
    kinds = {row["kind"] for row in machine.json("audit", "list")}
    assert {"RevisionPublished", "ModelCreated", "LedgerExported"} <= kinds
    about = machine.json("audit", "list", "--about", EMAIL)
    assert {row["kind"] for row in about} == {"PersonRegistered", "AddressVerified"}


def test_fsck_names_a_blob_that_was_altered_or_lost(machine: Machine, folder: Path) -> None:
    publish(machine, folder)
    assert machine.json("fsck", "--read-data")["faults"] == []
    blobs = sorted((machine.data / "store" / "blobs").glob("*/*"), key=lambda b: b.stat().st_size)
    blobs[-1].chmod(0o640)
    data = bytearray(blobs[-1].read_bytes())
    data[100] ^= 1
    blobs[-1].write_bytes(data)
    assert machine.json("fsck")["faults"] == []  # the size is right
    assert [f["sha256"] for f in machine.json("fsck", "--read-data", expect=3)["faults"]] == [
        blobs[-1].name
    ]
    blobs[0].unlink()
    assert machine.json("fsck", expect=3)["faults"][0]["detail"] == "missing"


def test_reading_every_byte_says_how_far_it_is_unless_it_should_not(
    machine: Machine, folder: Path
) -> None:
    publish(machine, folder)

    def said(*words: str) -> str:
        result = CliRunner().invoke(main, ["--data", str(machine.data), "fsck", *words])
        assert result.exit_code == 0
        return result.stderr

    size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    last = said("--read-data").splitlines()[-1]
    assert last == f"read: {size_bytes} of {size_bytes} bytes"
    assert len(said("--read-data").splitlines()) <= 10
    assert said("--read-data", "--quiet") == said() == said("--quiet") == ""


def test_an_sql_edit_of_the_ledger_is_found(machine: Machine) -> None:
    connection = sqlite3.connect(machine.data / "gatekeeper.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("UPDATE entries SET kind = 'Other'")
    connection.execute("DROP TRIGGER entries_no_update")
    connection.execute("UPDATE entries SET body = replace(body, 'a', 'b') WHERE id = 2")
    connection.commit()
    connection.close()
    findings = machine.json("audit", "verify", expect=3)["findings"]
    assert any("leaf 1" in f["where"] for f in findings)


def test_settings_are_shown_with_their_origin_and_secrets_masked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_SECRETS__ENTRY_KEY", "ab" * 32)
    monkeypatch.setenv("GATEKEEPER_LINKS__TTL_SECONDS", "2")
    shown = machine("config", "show", "--origin")
    assert "ttl_seconds = 2  # GATEKEEPER_LINKS__TTL_SECONDS" in shown
    assert "abab" not in shown
    assert "********" in shown
    told = machine.json("config", "show", "--origin")
    assert told["links"]["ttl_seconds"] == {"value": 2, "origin": "GATEKEEPER_LINKS__TTL_SECONDS"}
    assert told["secrets"]["entry_key"]["value"] == "********"
    plain = machine.json("config", "show")
    assert {name: set(keys) for name, keys in told.items()} == {n: set(k) for n, k in plain.items()}
    assert all(one["origin"] for keys in told.values() for one in keys.values())
    words = [line.partition(" = ")[2] for line in shown.splitlines() if " = " in line]
    assert len(words) == sum(map(len, plain.values()))
    assert all("  # " in word for word in words)


def test_wrong_usage_exits_2(machine: Machine) -> None:
    machine("publish", expect=2)
    machine("access", "explain", EMAIL, "noslash", expect=2)
    for subset in ("4/3", "²/3", "1/" + "9" * 5000, "0/1", "1"):
        machine("fsck", "--subset", subset, expect=2)
    machine("audit", "list", "--before", "9" * 30, expect=2)
    machine("audit", "export", "--from", "9" * 30, expect=2)


def test_the_operators_acts_are_recorded_as_the_operators(machine: Machine) -> None:
    assert {row["actor"] for row in machine.json("audit", "list")} == {"operator"}


def test_the_worker_sends_what_is_owed_and_ends_when_told(machine: Machine) -> None:
    machine("person", "add", "late@uni.example", "--username", "late", "--name", "Late One")
    command = [sys.executable, "-m", "gatekeeper", "--data", str(machine.data), "worker"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    while "mail to [address]" not in said and process.poll() is None:
        said = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0, said + rest
    assert "late@uni.example" not in said + rest
    assert "Traceback" not in rest
