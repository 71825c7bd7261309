"""What is not offered is refused in words, and alike whether or not there is such a model."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.cast import Cast


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/api/datasets", "only models"),
        ("GET", "/api/spaces?limit=2", "only models"),
        ("POST", "/api/datasets/a/b/preupload/main", "only models"),
        ("GET", "/api/models/{}/discussions?p=0", "contact on the release's page"),
        ("POST", "/api/models/{}/discussions", "contact on the release's page"),
        ("DELETE", "/api/models/{}/like", "nothing is liked"),
        ("GET", "/api/models/{}/likers", "nothing is liked"),
        ("GET", "/api/models/{}/lfs-files", "tree of a revision"),
        ("GET", "/api/collections", "no collections"),
        ("GET", "/api/collections/a/b-123", "no collections"),
        ("GET", "/api/users/somebody/overview", "no public page"),
        ("GET", "/api/organizations/northfield/members", "no members"),
        ("GET", "/api/jobs/somebody", "nothing is run here"),
        ("GET", "/api/settings/webhooks", "no webhooks"),
    ],
)
def test_what_is_not_offered_is_501_and_says_what_to_do(
    client: FlaskClient, cast: Cast, method: str, path: str, said: str
) -> None:
    for name in ("northfield/lyra-t3", "northfield/lyra-hidden", "northfield/none"):
        answer = client.open(path.format(name), method=method, headers=cast.applicant.headers)
        assert (answer.status_code, "X-Error-Code" in answer.headers) == (501, False)
        assert said in answer.headers["X-Error-Message"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/datasets/a/b",
        "/api/spaces/a/b/revision/main",
        "/datasets/a/b/resolve/main/x",
        "/datasets/b/resolve/main/x",
        "/spaces/a/b/resolve/main/x/y",
    ],
)
def test_a_dataset_is_missing_like_a_model_that_is(
    client: FlaskClient, cast: Cast, path: str
) -> None:
    for headers, status in (({}, 401), (cast.applicant.headers, 404)):
        for method in ("GET", "HEAD"):
            answer = client.open(path, method=method, headers=headers)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (status, "RepoNotFound")


def test_a_dead_token_is_told_so_there_too(client: FlaskClient) -> None:
    dead = {"Authorization": "Bearer gk_" + "0" * 49}
    for path in ("/api/datasets", "/api/models/a/b/discussions", "/api/users/x/likes"):
        assert client.get(path, headers=dead).status_code == 401


def test_git_is_told_what_to_use(client: FlaskClient) -> None:
    answer = client.get("/northfield/lyra-t0.git/info/refs?service=git-upload-pack")
    assert (answer.status_code, "hf download" in answer.headers["X-Error-Message"]) == (404, True)
