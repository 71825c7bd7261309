"""What the unmodified huggingface_hub reads about models, and who it is told to be."""

from __future__ import annotations

import hashlib

from tests.wire.clients import Client
from tests.wire.proxy import Proxy
from tests.wire.server import CROWD, CROWD_SIZE, LFS_BYTES, ODD_PATH, SMALL_FILES, Live

MANY = "northfield/many-files"
GATED = "northfield/lyra-t3"
HIDDEN = "northfield/lyra-hidden"
NONE = "northfield/none"


def test_a_model_is_described_with_its_files(hub: Client) -> None:
    """model_info with files_metadata, security status and expand."""
    script = """
info = api.model_info(repo, files_metadata=True, securityStatus=True)
narrow = api.model_info(repo, expand=["gated", "sha"])
branch = api.model_info(repo, revision="feat/x")
tell({
    "id": info.id, "author": info.author, "sha": info.sha, "private": info.private,
    "gated": info.gated, "tags": info.tags, "task": info.pipeline_tag,
    "library": info.library_name, "card": info.card_data.to_dict(),
    "created": info.created_at.isoformat(), "modified": info.last_modified.isoformat(),
    "files": {s.rfilename: [s.size, s.blob_id, s.lfs and s.lfs.sha256] for s in info.siblings},
    "narrow": [narrow.sha, narrow.gated, narrow.siblings, narrow.tags],
    "branch": branch.sha,
})
"""
    told = hub.run(script, repo=MANY)
    assert (told["id"], told["author"]) == (MANY, "northfield")
    assert (told["private"], told["gated"]) == (False, False)
    assert told["created"].endswith("+00:00")
    assert told["modified"] >= told["created"]
    assert (told["task"], told["library"]) == ("text-generation", "transformers")
    assert {"tiny", "tests", "en", "de", "license:mit"} <= set(told["tags"])
    assert told["card"]["license"] == "mit"
    assert told["card"]["language"] == ["en", "de"]
    assert len(told["files"]) == SMALL_FILES + 4
    size, blob_id, lfs = told["files"]["model.safetensors"]
    assert (size, lfs) == (len(LFS_BYTES), hashlib.sha256(LFS_BYTES).hexdigest())
    assert len(blob_id) == 40
    assert told["files"][ODD_PATH][2] is None
    assert told["narrow"] == [told["sha"], False, None, None]
    assert told["branch"] != told["sha"]


def test_metadata_of_gated_models_is_public_and_says_how_they_are_gated(hub: Client) -> None:
    """False for T0, auto where conditions decide, manual where people do."""
    script = """
tell([
    [api.model_info(f"northfield/lyra-t{n}").gated for n in range(6)],
    len(api.model_info(gated).siblings),
])
"""
    told = hub.run(script, gated=GATED)
    assert told == [[False, "auto", "auto", "manual", "manual", "manual"], 5]


def test_lists_follow_pages_on_the_host_the_client_used(hub: Client, proxy: Proxy) -> None:
    """All of more than a page, and a limit above a page."""
    script = """
ids = [m.id for m in api.list_models(author=author)]
some = [m.id for m in api.list_models(author=author, limit=7)]
many = [m.id for m in api.list_models(author=author, limit=150)]
tell([ids, some, many])
"""
    ids, some, many = hub.at(proxy.url).run(script, author=CROWD)
    assert ids == sorted(set(ids))
    assert len(ids) == CROWD_SIZE
    assert some == ids[:7]
    assert many == ids
    assert len([s for s in proxy.take() if "cursor=" in s.target]) == 2


def test_lists_filter_and_sort(hub: Client, live: Live) -> None:
    """author, search, gated, tags, task, sort, full; hidden models are nowhere in them."""
    script = """
def ids(**asked): return [m.id for m in api.list_models(**asked)]
tell({
    "search": ids(search="LYRA-T"), "gated": ids(gated=True, author="northfield"),
    "open": ids(gated=False, author="northfield"),
    "tagged": ids(filter=["tiny", "license:mit"]), "untagged": ids(filter="nowhere"),
    "task": ids(pipeline_tag="text-generation"), "apps": ids(apps="ollama"),
    "newest": ids(sort="created_at", limit=150), "changed": ids(sort="last_modified", limit=3),
    "full": [len(m.siblings or []) for m in api.list_models(filter="tiny", full=True)],
    "card": [m.card_data.license for m in api.list_models(filter="tiny", cardData=True)],
    "narrow": [m.gated for m in api.list_models(filter="tiny", expand=["gated"])],
    "all": ids(),
})
"""
    told = hub.run(script)
    assert told["search"] == [f"northfield/lyra-t{n}" for n in range(6)]
    assert told["gated"] == ["northfield/large-gated", *told["search"][1:]]
    assert told["open"] == ["northfield/lyra-t0", MANY]
    assert told["tagged"] == told["task"] == [MANY]
    assert told["untagged"] == told["apps"] == []
    assert told["newest"][0] == f"{CROWD}/one-{CROWD_SIZE - 1:03}"
    assert len(told["newest"]) == len(set(told["newest"])) == len(told["all"])
    assert sorted(told["newest"]) == sorted(told["all"])
    assert told["changed"][0] == told["newest"][0]
    assert (told["full"], told["card"], told["narrow"]) == ([SMALL_FILES + 4], ["mit"], [False])
    assert HIDDEN not in told["all"]
    owner = hub.at(live.url, live.world.cast.owner.token)
    assert HIDDEN in owner.run("tell([m.id for m in api.list_models(author='northfield')])")


def test_trees_list_folders_and_files(hub: Client) -> None:
    """At the top, in a folder with a blank and below another, recursively, with last commits."""
    script = """
def paths(*a, **k): return [i.path for i in api.list_repo_tree(repo, *a, **k)]
every = list(api.list_repo_tree(repo, recursive=True, expand=True, revision="feat/x"))
tell({
    "top": paths(), "odd": paths("sub dir"), "deep": paths("shards/3", revision="feat/x"),
    "files": [i.path for i in every if hasattr(i, "blob_id")],
    "folders": [[i.path, len(i.tree_id)] for i in every if hasattr(i, "tree_id")],
    "commits": {i.path: i.last_commit.oid for i in every},
    "lfs": [i.lfs.sha256 for i in every if getattr(i, "lfs", None)],
    "heads": [c.commit_id for c in api.list_repo_commits(repo, revision="feat/x")],
    "none": failure(paths, "nowhere"),
    "gated": [i.path for i in api.list_repo_tree(gated)],
    "listed": api.list_repo_files(repo),
})
"""
    told = hub.run(script, repo=MANY, gated=GATED)
    assert {"shards", "sub dir", "config.json"} <= set(told["top"])
    assert told["odd"] == [ODD_PATH]
    assert len(told["deep"]) == SMALL_FILES / 4
    assert len(told["files"]) == len(told["listed"]) == SMALL_FILES + 4
    assert dict(told["folders"]) == dict.fromkeys(
        ["shards", "shards/0", "shards/1", "shards/2", "shards/3", "sub dir"], 40
    )
    assert told["lfs"] == [hashlib.sha256(LFS_BYTES).hexdigest()]
    assert told["commits"]["config.json"] == told["heads"][0]
    assert "EntryNotFoundError" in told["none"]["kinds"]
    assert told["gated"] == ["LICENSE", "README.md", "config.json", "deep", "model.safetensors"]


def test_paths_info_leaves_out_what_is_missing(hub: Client) -> None:
    """A file, a folder and a missing path give two items, also on `feat/x`."""
    script = """
for revision in ("main", "feat/x"):
    found = api.get_paths_info(
        repo, ["config.json", "none.txt", "sub dir"], revision=revision, expand=True
    )
tell([[i.path, i.last_commit.title] for i in found])
"""
    title = "Publish many-files"
    assert hub.run(script, repo=MANY) == [["config.json", title], ["sub dir", title]]


def test_refs_and_commits_are_listed(hub: Client) -> None:
    """Branches, tags, no pull requests; the history with author, date and message."""
    script = """
refs = api.list_repo_refs(repo, include_pull_requests=True)
commits = api.list_repo_commits(repo)
tell({
    "branches": {b.name: [b.ref, b.target_commit] for b in refs.branches},
    "tags": {t.name: t.ref for t in refs.tags}, "requests": refs.pull_requests,
    "commits": [[c.commit_id, c.title, c.message, c.authors] for c in commits],
})
"""
    told = hub.run(script, repo=MANY)
    assert set(told["branches"]) == {"main", "feat/x"}
    assert told["branches"]["feat/x"][0] == "refs/heads/feat/x"
    assert told["tags"] == {"v1.0": "refs/tags/v1.0"}
    assert told["requests"] == []
    words = ["Publish many-files", "With everything in it.", ["operator"]]
    assert told["commits"] == [[told["branches"]["main"][1], *words]]


def test_whoami_names_the_person_and_their_owners(hub: Client, live: Live) -> None:
    """Name, organisations and token; a login keeps the token, a wrong one is refused."""
    script = """
me = api.whoami()
hub.login(token=os.environ["HF_TOKEN"])
tell([me["name"], [o["name"] for o in me["orgs"]], me["auth"]["accessToken"]])
"""
    for member, orgs in ((live.world.cast.owner, ["northfield"]), (live.world.cast.applicant, [])):
        name, found, token = hub.at(live.url, member.token).run(script)
        assert (name, found) == (member.username, orgs)
        assert token == {"displayName": "tests", "role": str(member.scope)}
    told = hub.at(live.url, "gk_nonsense").run("tell(failure(api.whoami))")
    assert "Invalid user token" in told["text"]
    assert told["status"] == 401


def test_auth_check_asks_the_one_rule(hub: Client, live: Live) -> None:
    """Open, gated with and without a grant, hidden and missing."""
    script = (
        "tell([(failure(api.auth_check, repo) or {'kinds': []})['kinds'][:1] for repo in repos])"
    )
    repos = [MANY, GATED, HIDDEN, NONE]
    gone = ["RepositoryNotFoundError"]
    assert hub.run(script, repos=repos) == [[], ["GatedRepoError"], gone, gone]
    holder = hub.at(live.url, live.world.cast.researcher.token)
    assert holder.run(script, repos=repos) == [[], [], gone, gone]
    owner = hub.at(live.url, live.world.cast.owner.token)
    assert owner.run(script, repos=repos) == [[], [], [], gone]


def test_existence_is_answered_without_an_exception(hub: Client, live: Live) -> None:
    """A gated model exists; a hidden one and a missing one do not, over plain http too."""
    script = """
tell([
    [api.repo_exists(repo) for repo in (open_one, gated, hidden, none, "gpt2")],
    [api.repo_exists(open_one, repo_type=kind) for kind in ("dataset", "space")],
    [api.revision_exists(open_one, rev) for rev in ("feat/x", "v1.0", "none")],
    [api.file_exists(open_one, path) for path in ("config.json", "none.txt", odd)],
    api.file_exists(gated, "README.md"),
])
"""
    given = {"open_one": MANY, "gated": GATED, "hidden": HIDDEN, "none": NONE, "odd": ODD_PATH}
    clients = {
        hub: [True, True, False, False, False],
        hub.at(live.url, live.world.cast.researcher.token): [True, True, False, False, False],
        hub.at(live.url, live.world.cast.owner.token): [True, True, True, False, False],
    }
    for client, expected in clients.items():
        repos, others, revisions, files, card = client.run(script, **given)
        assert repos == expected
        assert others == [False, False]
        assert revisions == [True, True, False]
        assert files == [True, False, True]
        assert card is True
