"""Making repositories and committing to them over the Hub's wire, and what it refuses."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from gatekeeper.domain.people import Role, Scope
from gatekeeper.services import contents, members, tokens
from gatekeeper.services.publishing import releases
from tests.builders import WEIGHTS, World
from tests.cast import context
from tests.http.hub.conftest import Hub, elsewhere, file, ndjson

README = b"---\nlicense: mit\n---\n# New\n"


def test_a_new_repository_is_withheld_and_belongs_to_a_release_of_its_name(
    owner: Hub, world: World
) -> None:
    made = owner.post("/api/repos/create", {"name": "fresh", "organization": "northfield"})
    assert made.status_code == 200
    assert made.get_json()["url"].endswith("/northfield/fresh")
    shown = contents.show(world.house, context(world.cast["owner"].actor), "northfield", "fresh")
    assert (shown.model.tier.code, shown.model.release_name) == ("T5", "fresh")
    assert owner.client.get("/northfield/fresh").status_code == 200
    again = owner.post("/api/repos/create", {"name": "northfield/fresh", "private": False})
    assert (again.status_code, again.get_json()["url"]) == (409, made.get_json()["url"])


def test_only_publishers_make_repositories(world: World, client: FlaskClient) -> None:
    new = {"name": "fresh", "organization": "northfield"}
    assert Hub(client, None).post("/api/repos/create", new).status_code == 401
    for key in ("researcher", "handler", "approver", "admin"):
        answer = Hub(client, world.cast[key]).post("/api/repos/create", new)
        assert answer.status_code == 403, key


@pytest.mark.parametrize(
    ("asked", "is_hidden"),
    [
        ({"private": True}, True),
        ({"private": False}, False),
        ({"visibility": "private"}, True),
        ({"visibility": "public"}, False),
        ({}, False),
    ],
)
def test_either_word_for_hidden_is_understood(
    owner: Hub, client: FlaskClient, asked: dict[str, Any], is_hidden: bool
) -> None:
    assert owner.post("/api/repos/create", {"name": "northfield/x", **asked}).status_code == 200
    seen = client.get("/api/models/northfield/x").status_code
    assert seen == (401 if is_hidden else 200)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a--b", "organization": "northfield"}, 400),
        ({"name": "../x", "organization": "northfield"}, 400),
        ({"name": "x", "organization": "nobodys"}, 403),
        ({"name": "x"}, 403),
        ({"name": "x", "organization": "northfield", "type": "dataset"}, 501),
        ({"organization": "northfield"}, 400),
        ({"name": 7, "organization": "northfield"}, 400),
        ([], 400),
    ],
)
def test_a_repository_that_cannot_be_is_refused_in_words(
    owner: Hub, body: Any, status: int
) -> None:
    answer = owner.post("/api/repos/create", body)
    assert answer.status_code == status
    assert answer.get_json()["error"] == answer.headers["X-Error-Message"]


def test_a_commit_is_one_revision_and_sending_it_again_is_the_same(owner: Hub) -> None:
    owner.post("/api/repos/create", {"name": "northfield/fresh"})
    lines = file("README.md", README), file("sub dir/a#b.txt", b"text"), file("empty", b"")
    first = owner.commit("northfield/fresh", *lines)
    assert first.status_code == 200, first.get_json()
    oid = first.get_json()["commitOid"]
    assert first.get_json()["commitUrl"].endswith(f"/northfield/fresh/commit/{oid}")
    assert set(owner.files("northfield/fresh")) == {"README.md", "sub dir/a#b.txt", "empty"}
    assert owner.commit("northfield/fresh", *lines).get_json()["commitOid"] == oid
    got = owner.client.get("/northfield/fresh/resolve/main/README.md", headers=owner.headers)
    assert got.data == README


def test_a_commit_changes_deletes_and_keeps_the_rest(owner: Hub) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    owner.commit(name, *(file(path, path.encode()) for path in ("a", "b", "f/x", "f/g/y", "fx")))
    gone = ("deletedFolder", {"path": "f/"}), ("deletedFile", {"path": "b"})
    assert owner.commit(name, *gone, file("a", b"new")).status_code == 200
    files = owner.files(name)
    assert set(files) == {"a", "fx"}
    assert files["a"] == hashlib.sha1(b"blob 3\0new", usedforsecurity=False).hexdigest()


def test_a_parent_that_is_not_the_branchs_head_is_a_conflict_and_a_repeated_commit_is_none(
    owner: Hub,
) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    first = owner.commit(name, file("a", b"1")).get_json()["commitOid"]
    second = owner.commit(name, file("a", b"2"), parentCommit=first).get_json()["commitOid"]
    again = owner.commit(name, file("a", b"2"), parentCommit=first)
    assert (again.status_code, again.get_json()["commitOid"]) == (200, second)
    assert owner.commit(name, file("a", b"3"), parentCommit=first).status_code == 409
    assert owner.commit(name, file("a", b"3"), parentCommit="0" * 40).status_code == 409
    assert (
        len(owner.client.get(f"/api/models/{name}/commits/main", headers=owner.headers).get_json())
        == 2
    )


def test_preupload_says_how_each_file_is_sent_and_what_is_there(owner: Hub, world: World) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    owner.commit(name, file("a", b"1"))
    large = world.house.policy.lfs_threshold_bytes
    answer = owner.post(
        f"/api/models/{name}/preupload/main",
        {
            "files": [
                {"path": "a", "size": 1, "sample": "MQ=="},
                {"path": "b.bin", "size": large, "sample": ""},
                {"path": "out/x.log", "size": large - 1},
            ],
            "gitIgnore": "# kept\n*.log\n",
        },
    ).get_json()
    found = {item["path"]: item for item in answer["files"]}
    assert found["a"] == {
        "path": "a", "uploadMode": "regular", "shouldIgnore": False,
        "oid": hashlib.sha1(b"blob 1\x001", usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    assert found["b.bin"] == {"path": "b.bin", "uploadMode": "lfs", "shouldIgnore": False}
    assert found["out/x.log"]["shouldIgnore"] is True


def after_header(key: str, **value: str) -> bytes:
    """Write a commit of one line."""
    return ndjson(("header", {"summary": "s"}), (key, value))


BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "no header": (ndjson(file("a", b"1")), 400),
    "nothing": (b"\n", 400),
    "no JSON": (after_header("deletedFile", path="kept") + b"{oops\n", 400),
    "no object": (after_header("deletedFile", path="kept") + b"[]\n", 400),
    "an empty header": (ndjson(("header", None)), 400),
    "no base64": (after_header("file", path="a", content="%", encoding="base64"), 400),
    "another encoding": (after_header("file", path="a", content="", encoding="utf-8"), 400),
    "unknown change": (after_header("symlink", path="a"), 400),
    "no digest": (after_header("lfsFile", path="a", algo="sha256", oid="x"), 400),
    "another digest": (after_header("lfsFile", path="a", algo="md5", oid="0" * 64), 400),
    "out of the tree": (ndjson(("header", {}), file("../a", b"1")), 400),
    "absolute": (ndjson(("header", {}), file("/a", b"1")), 400),
    "under .git": (ndjson(("header", {}), file(".git/config", b"1")), 400),
    "under .GIT": (ndjson(("header", {}), file(".GIT/config", b"1")), 400),
    "too deep": (ndjson(("header", {}), file("a/" * 32 + "b", b"1")), 400),
    "one path twice": (ndjson(("header", {}), file("a", b"1"), file("a", b"2")), 400),
    "a file and a folder": (ndjson(("header", {}), file("a", b"1"), file("a/b", b"1")), 400),
    "nothing to delete": (after_header("deletedFile", path="none"), 400),
    "everything deleted": (after_header("deletedFile", path="kept"), 400),
    "too long a line": (ndjson(("header", {}), file("a", bytes(2 << 20))), 413),
    "too large a file": (ndjson(("header", {}), file("a", bytes(1 << 20))), 413),
    "blank lines": (ndjson(("header", {}), file("a", b"1")) + b"\n" * 20_000, 400),
    "nested": (b'{"key":"header","value":' + b"[" * 10_000 + b"\n", 400),
}


@pytest.mark.parametrize(("body", "status"), BAD_BODIES.values(), ids=list(BAD_BODIES))
def test_what_is_no_commit_is_refused_in_words_and_stores_nothing(
    owner: Hub, world: World, body: bytes, status: int
) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    owner.commit(name, file("kept", b"kept"))
    before = sorted(world.house.objects.walk())
    answer = owner.commit_raw(name, body)
    assert answer.status_code == status, answer.data
    assert answer.get_json()["error"] == answer.headers["X-Error-Message"]
    assert sorted(world.house.objects.walk()) == before
    assert set(owner.files(name)) == {"kept"}


def test_a_digest_opens_only_what_one_may_read(
    owner: Hub, world: World, client: FlaskClient
) -> None:
    """A publisher elsewhere who knows the digest of gated weights gets nothing for it."""
    held = contents.show(world.house, context(world.cast["owner"].actor), *world.name("T3")).files
    weights = next(f for f in held if f.path == "model.safetensors")
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    named = "lfsFile", {"path": "copy", "algo": "sha256", "oid": weights.sha256}
    unknown = "lfsFile", {"path": "copy", "algo": "sha256", "oid": "0" * 64}
    assert owner.commit(name, unknown).status_code == 400
    assert owner.commit(name, named).status_code == 200  # they may read it: it is their own
    stranger = elsewhere(world, client)
    stranger.post("/api/repos/create", {"name": "elsewhere/theirs"})
    stolen, guessed = (
        stranger.commit("elsewhere/theirs", named),
        stranger.commit("elsewhere/theirs", unknown),
    )
    assert (stolen.status_code, guessed.status_code) == (400, 400)
    said = stolen.get_json()["error"].replace(weights.sha256, "")
    assert said == guessed.get_json()["error"].replace("0" * 64, "")


@pytest.mark.parametrize("key", ["T0", "T3", "T5"])
def test_who_may_not_publish_is_told_so_before_the_body_is_read(
    world: World, client: FlaskClient, key: str
) -> None:
    name = "/".join(world.name(key))
    lines = file("a", b"1")
    assert Hub(client, None).commit(name, lines).status_code == 401
    reader = Hub(client, world.cast["researcher"])
    assert reader.commit(name, lines).status_code == 403
    assert reader.post(f"/api/models/{name}/preupload/main", {"files": []}).status_code == 403


def test_a_hidden_model_is_written_to_like_a_missing_one(world: World, client: FlaskClient) -> None:
    hidden, missing = "/".join(world.name("hidden")), "northfield/none"
    for caller in (Hub(client, None), elsewhere(world, client)):
        answers = [caller.commit(name, file("a", b"1")) for name in (hidden, missing)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].data == answers[1].data


def test_a_branch_that_is_not_there_takes_no_commit(owner: Hub, world: World) -> None:
    name = "/".join(world.name("T3"))
    answer = owner.commit(name, file("a", b"1"), branch="none")
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound")
    sha = owner.client.get(f"/api/models/{name}", headers=owner.headers).get_json()["sha"]
    assert owner.commit(name, file("a", b"1"), branch=sha).status_code == 404


def test_a_pull_request_is_not_offered(owner: Hub, world: World) -> None:
    name = "/".join(world.name("T3"))
    answer = owner.client.post(
        f"/api/models/{name}/commit/main?create_pr=1", data=b"", headers=owner.headers
    )
    assert answer.status_code == 501


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("# no front matter", 200),
        ("---\nlicense: mit\ntags: [a, b]\n---\n", 200),
        ("---\nlicense: [mit\n---\n", 400),
        ("---\na: &x [1]\nb: *x\n---\n", 400),
        ("---\n- a\n---\n", 400),
        ("---\na: !!python/object/apply:os.system [ls]\n---\n", 400),
        ("---\na: " + "[" * 5000 + "\n---\n", 400),
        ("---\na: '" + "x" * 40_000 + "'\n---\n", 400),
    ],
)
def test_a_card_is_looked_over_before_it_is_sent(owner: Hub, card: str, status: int) -> None:
    answer = owner.post("/api/validate-yaml", {"content": card, "repoType": "model"})
    assert answer.status_code == status
    assert bool(answer.get_json()["errors"]) == (status == 400)


def test_an_undecided_tier_may_become_any_and_a_chosen_one_only_stricter(owner: Hub) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    without_terms = owner.put(f"/api/models/{name}/settings", {"gated": "auto"})
    assert without_terms.status_code == 400
    assert owner.put(f"/api/models/{name}/settings", {"gated": "manual"}).get_json() == {
        "gated": "manual", "private": False,
    }  # fmt: skip
    assert owner.client.get(f"/api/v1/models/{name}").get_json()["tier"] == "T3"
    loosened = owner.put(f"/api/models/{name}/settings", {"gated": False})
    assert (loosened.status_code, "stage decision" in loosened.get_json()["error"]) == (403, True)
    assert owner.put(f"/api/models/{name}/settings", {"gated": "manual"}).status_code == 200


def test_who_sees_a_model_is_a_setting_too(owner: Hub, client: FlaskClient) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    for wanted, seen in (({"private": True}, 401), ({"visibility": "public"}, 200)):
        assert owner.put(f"/api/models/{name}/settings", wanted).status_code == 200
        assert client.get(f"/api/models/{name}").status_code == seen


@pytest.mark.parametrize("body", [{"gated": "yes"}, {"gated": True}, {"private": "x"}, []])
def test_settings_that_are_none_are_refused(owner: Hub, world: World, body: Any) -> None:
    name = "/".join(world.name("T3"))
    assert owner.put(f"/api/models/{name}/settings", body).status_code == 400


def test_branches_and_tags_come_and_go_and_revisions_stay(owner: Hub) -> None:
    name = "northfield/fresh"
    owner.post("/api/repos/create", {"name": name})
    assert owner.post(f"/api/models/{name}/branch/dev", {}).status_code == 404  # nothing to name
    first = owner.commit(name, file("a", b"1")).get_json()["commitOid"]
    assert owner.post(f"/api/models/{name}/branch/feat%2Fx", {}).status_code == 200
    assert owner.post(f"/api/models/{name}/tag/main", {"tag": "v1"}).status_code == 200
    second = owner.commit(name, file("a", b"2"), branch="feat%2Fx").get_json()["commitOid"]
    assert owner.post(f"/api/models/{name}/branch/b2", {"startingPoint": second}).status_code == 200
    found = owner.client.get(f"/api/models/{name}/refs").get_json()
    at = {ref["name"]: ref["targetCommit"] for ref in found["branches"] + found["tags"]}
    assert at == {"main": first, "feat/x": second, "b2": second, "v1": first}
    for taken in ("branch/feat%2Fx", "branch/v1"):
        assert owner.post(f"/api/models/{name}/{taken}", {}).status_code == 409
    assert owner.post(f"/api/models/{name}/tag/main", {"tag": "v1"}).status_code == 409
    assert owner.delete(f"/api/models/{name}/branch/main").status_code == 400
    assert owner.delete(f"/api/models/{name}/tag/feat%2Fx").status_code == 404
    for gone in ("branch/feat%2Fx", "branch/b2", "tag/v1"):
        assert owner.delete(f"/api/models/{name}/{gone}").status_code == 200
    assert set(owner.files(name, second)) == {"a"}


@pytest.mark.parametrize("ref", ["..", "a..b", "-d", "a" * 201, "0" * 40, "x.lock", "a%00b"])
def test_what_is_no_name_of_a_branch_is_refused(owner: Hub, world: World, ref: str) -> None:
    name = "/".join(world.name("T3"))
    assert owner.post(f"/api/models/{name}/branch/{ref}", {}).status_code in {400, 404}


def test_a_commit_may_be_larger_than_a_form(owner: Hub) -> None:
    owner.post("/api/repos/create", {"name": "northfield/fresh"})
    lines = [ndjson(file(f"text-{n}.txt", b"%d" % n)) for n in range(200)]
    body = ndjson(("header", {"summary": "Much"})) + b"".join(
        line.rstrip().ljust(15_000) + b"\n" for line in lines
    )
    assert len(body) > 2_900_000
    assert owner.commit_raw("northfield/fresh", body).status_code == 200
    assert len(owner.files("northfield/fresh")) == len(lines)


def test_bytes_that_came_by_a_grant_are_not_passed_on_without_being_fetched(
    world: World, client: FlaskClient
) -> None:
    """The ledger would not know that they left, and the gate's terms forbid it."""
    holder = world.cast["researcher"]
    releases.add_namespace(world.house, context(), "elsewhere", "Elsewhere")
    members.set_role(
        world.house, context(), "elsewhere", holder.email, Role.PUBLISHER, remove=False
    )
    _, text = tokens.create(world.house, context(), holder.id, "hub", Scope.WRITE, 1)
    hub = Hub(client, None, text)
    assert hub.post("/api/repos/create", {"name": "elsewhere/copy"}).status_code == 200
    for key, status in (("T3", 400), ("T0", 200)):
        shown = contents.show(world.house, context(), *world.name(key))
        weights = next(f for f in shown.files if f.path == WEIGHTS)
        line = ("lfsFile", {"path": "x", "algo": "sha256", "oid": weights.sha256})
        assert hub.commit("elsewhere/copy", line).status_code == status, key


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/repos/create", {"name": "\ud800/x"}),
        ("POST", "/api/repos/create", {"name": "x", "organization": "\ud800"}),
        ("POST", "/api/repos/create", {"name": "x", "organization": "a\x00b"}),
        ("POST", "/api/repos/create", {"name": "x", "organization": "B" * 100_000}),
        ("POST", "/api/repos/move", {"fromRepo": "northfield/lyra-t0", "toRepo": "\ud800/x"}),
        ("POST", "/api/models/northfield/lyra-t0/branch/HEAD", {}),
        ("POST", "/api/models/northfield/lyra-t0/branch/refs%2Fheads%2Fx", {}),
        ("PUT", "/api/models/northfield/lyra-t0/settings", {}),
    ],
)
def test_what_no_name_could_be_is_refused_in_few_words(
    owner: Hub, method: str, path: str, body: Any
) -> None:
    answer = owner.client.open(path, method=method, json=body, headers=owner.headers)
    assert answer.status_code == 400
    assert len(answer.headers["X-Error-Message"]) <= 1000


def test_a_message_that_no_database_keeps_is_refused(owner: Hub) -> None:
    answer = owner.commit("northfield/lyra-t0", file("a", b"a"), summary="a\x00b")
    assert answer.status_code == 400


@pytest.mark.parametrize("pattern", ["[z-a]", "a" * 300, "a\\"])
def test_a_pattern_that_is_none_is_refused(owner: Hub, pattern: str) -> None:
    asked = {"files": [{"path": "a", "size": 1}], "gitIgnore": pattern}
    answer = owner.post("/api/models/northfield/lyra-t0/preupload/main", asked)
    assert answer.status_code == 400


def test_a_pattern_of_many_stars_is_answered(owner: Hub) -> None:
    """Whatever backtracks would not come to an end."""
    asked = {"files": [{"path": "a" * 250, "size": 1}], "gitIgnore": "a*" * 40 + "b"}
    answer = owner.post("/api/models/northfield/lyra-t0/preupload/main", asked)
    assert answer.get_json()["files"][0]["shouldIgnore"] is False


def test_a_withheld_model_is_not_loosened_by_a_word_of_the_hub(owner: Hub) -> None:
    answer = owner.put("/api/models/northfield/lyra-t5/settings", {"gated": "manual"})
    assert (answer.status_code, "stage decision" in answer.headers["X-Error-Message"]) == (
        403,
        True,
    )


def test_writing_is_not_promised_to_a_token_that_reads(world: World, client: FlaskClient) -> None:
    owner = world.cast["owner"]
    _, text = tokens.create(world.house, context(), owner.id, "reads", Scope.READ, 1)
    door = "/api/models/northfield/lyra-t0/auth-check"
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get(door, headers=headers).status_code == 200
    assert client.get(f"{door}/write", headers=headers).status_code == 403
    assert client.get(f"{door}/write", headers=owner.headers).status_code == 200


@pytest.mark.parametrize("host", ["a b", "127.0.0.1:1@evil.example", "x" * 300, "evil/../x"])
def test_a_host_that_is_none_is_in_no_address(owner: Hub, host: str) -> None:
    asked = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 3}]}
    headers = {**owner.headers, "Host": host}
    path = "/northfield/lyra-t0.git/info/lfs/objects/batch"
    answer = owner.client.post(path, json=asked, headers=headers)
    assert answer.status_code in {200, 400}
    assert host not in answer.get_data(as_text=True)
