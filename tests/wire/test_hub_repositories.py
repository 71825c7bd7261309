"""Repositories by the unmodified client: settings, branches, tags, names, ends, and what is not."""

from __future__ import annotations

import pytest

from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from tests.cast import NAMESPACE, context
from tests.wire.clients import Client
from tests.wire.server import Live


@pytest.fixture
def owner(hub: Client, live: Live) -> Client:
    """The owner of the namespace, with a token that may write."""
    person = live.world.cast["owner"].id
    _, text = tokens.create(live.house, context(), person, f"repo-{hub.version}", Scope.WRITE, 1)
    return hub.at(live.url, text)


def test_a_repository_is_set_named_moved_and_deleted(owner: Client, live: Live) -> None:
    """Its gate and who sees it, branches and tags, its former name at three doors, and its end."""
    name = f"{NAMESPACE}/life-{owner.version.replace('.', '-')}"
    told = owner.run(
        """
api.create_repo(name)
api.upload_file(repo_id=name, path_in_repo="config.json", path_or_fileobj=b"{}")
steps = {}

api.update_repo_settings(name, gated="manual")
steps["gated"] = api.model_info(name).gated
steps["loosened"] = failure(api.update_repo_settings, name, gated=False)
api.update_repo_settings(name, private=True)
steps["hidden"] = [api.model_info(name).private, api.repo_exists(name, token=False)]
api.update_repo_settings(name, private=False)
steps["shown"] = [api.model_info(name).private, api.repo_exists(name, token=False)]

api.create_branch(name, branch="feat/x")
api.create_branch(name, branch="feat/x", exist_ok=True)
steps["branch twice"] = failure(api.create_branch, name, branch="feat/x")["status"]
api.upload_file(repo_id=name, path_in_repo="b.txt", path_or_fileobj=b"b", revision="feat/x")
api.create_tag(name, tag="v1", revision="feat/x", tag_message="First")
api.create_tag(name, tag="v1", revision="feat/x", exist_ok=True)
steps["tag twice"] = failure(api.create_tag, name, tag="v1")["status"]
refs = api.list_repo_refs(name)
steps["refs"] = [sorted(b.name for b in refs.branches), [t.name for t in refs.tags]]
steps["files"] = [sorted(api.list_repo_files(name, revision=r)) for r in ("main", "feat/x", "v1")]
api.delete_branch(name, branch="feat/x")
steps["tag stays"] = sorted(api.list_repo_files(name, revision="v1"))
api.delete_tag(name, tag="v1")
steps["gone"] = [api.revision_exists(name, r) for r in ("main", "feat/x", "v1")]
steps["no branch"] = failure(api.delete_branch, name, branch="feat/x")["status"]
steps["main"] = failure(api.delete_branch, name, branch="main")["status"]
steps["squash"] = failure(api.super_squash_history, name)
steps["request"] = failure(
    api.upload_file, repo_id=name, path_in_repo="c", path_or_fileobj=b"c", create_pr=True
)

new = name + "-moved"
api.move_repo(name, new)
steps["moved"] = [
    api.model_info(name).id == new,
    Path(hf_hub_download(name, "config.json")).read_bytes() == b"{}",
    sorted(p.name for p in Path(snapshot_download(name)).iterdir()),
    api.repo_exists(new), [c.title for c in api.list_repo_commits(new)],
]
steps["taken"] = failure(api.move_repo, new, taken)["status"]
api.delete_repo(new)
steps["deleted"] = [api.repo_exists(new), api.repo_exists(name)]
api.delete_repo(new, missing_ok=True)
steps["twice"] = failure(api.delete_repo, new)["kinds"][0]
tell(steps)
""",
        name=name,
        taken=f"{NAMESPACE}/lyra-t0",
    )
    assert told["gated"] == "manual"
    assert told["loosened"]["status"] == 403
    assert "stage decision" in told["loosened"]["text"]
    assert (told["hidden"], told["shown"]) == ([True, False], [False, True])
    assert (told["branch twice"], told["tag twice"], told["taken"]) == (409, 409, 409)
    assert told["refs"] == [["feat/x", "main"], ["v1"]]
    assert told["files"] == [["config.json"], ["b.txt", "config.json"], ["b.txt", "config.json"]]
    assert told["tag stays"] == ["b.txt", "config.json"]
    assert told["gone"] == [True, False, False]
    assert (told["no branch"], told["main"]) == (404, 400)
    for what, words in (("squash", "revisions are not squashed"), ("request", "no pull requests")):
        assert told[what]["status"] == 501, told[what]
        assert words in told[what]["text"]
    same_id, same_bytes, files, exists, titles = told["moved"]
    assert (same_id, same_bytes, files, exists) == (True, True, ["config.json"], True)
    assert len(titles) == 1
    assert told["deleted"] == [False, False]
    assert told["twice"] == "RepositoryNotFoundError"


# Each with the words that say what to do instead.
UNSPOKEN = {
    "api.create_repo('northfield/set', repo_type='dataset')": "only models live here",
    "api.upload_file(repo_id='northfield/set', path_in_repo='x', path_or_fileobj=b'x',"
    " repo_type='dataset')": "only models live here",
    "list(api.list_datasets())": "only models live here",
    "list(api.list_spaces())": "only models live here",
    "api.create_discussion(name, title='Hello')": "no discussions here",
    "list(api.get_repo_discussions(name))": "no discussions here",
    "api.create_pull_request(name, title='Hello')": "no discussions here",
    "list(api.list_collections())": "no collections here",
    "api.create_collection('Mine', namespace='northfield')": "no collections here",
    "list(api.list_repo_likers(name))": "nothing is liked here",
    "api.unlike(name)": "nothing is liked here",
    "list(api.list_lfs_files(name))": "see the tree of a revision",
    "list(api.list_papers(query='x'))": "no papers here",
    "list(api.list_webhooks())": "no webhooks here",
    "api.get_user_overview('owner-user')": "no public page here",
    "list(api.list_organization_members('northfield'))": "show no members here",
    "api.get_model_tags()": "list models with `filter`",
}


def test_what_is_not_offered_is_said_in_words_that_reach_the_caller(owner: Client) -> None:
    """A feature is 501 with what to do instead; a dataset one would read is just not found."""
    told = owner.run(
        """
found = {call: failure(lambda: eval(call)) for call in calls}
found["read"] = failure(api.dataset_info, "northfield/set")
tell(found)
""",
        calls=list(UNSPOKEN),
        name=f"{NAMESPACE}/lyra-t0",
    )
    assert "RepositoryNotFoundError" in told.pop("read")["kinds"]
    for call, answer in told.items():
        assert answer is not None, call
        assert answer["status"] == 501, (call, answer)
        assert UNSPOKEN[call] in answer["text"], (call, answer)
