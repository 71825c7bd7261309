"""A publisher's files in Chromium: chosen, sent, broken off, gone on with, checked, published.

On a disk, where parts go through the server, and on a real S3 server, where they go to the store's
own addresses under its CORS rules. Parts are 5 MiB, the smallest there are.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESK, sign_in
from tests.browser.test_looks import LOOKS, check
from tests.live import Demo, free_port, start, stop
from tests.seaweed import CREDENTIALS, running_seaweed, s3_client, settings_for

PART = 5 << 20
MODEL = "northfield/lyra-124m"  # open to all, so that what was published is read at once
PAGE = "/own/northfield/lyra/lyra-124m/files"
SMALL, LARGE = b'{"hidden_size": 768}\n', random.Random(7).randbytes(3 * PART + 4321)


@pytest.fixture(scope="module", params=["disk", "s3"])
def uploads_demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """A demo of this module's own on each store; its bucket takes parts from its pages alone."""
    data, port = tmp_path_factory.mktemp("uploads") / "data", free_port()
    small = {"GATEKEEPER_UPLOADS__PART_BYTES": str(PART)}
    if request.param == "disk":
        yield from running(data, port, small)
        return
    with running_seaweed() as server:
        client = s3_client(server.url)
        client.create_bucket(Bucket="uploads")
        allowed = {
            "AllowedOrigins": [f"http://127.0.0.1:{port}"],
            "AllowedMethods": ["PUT"],
            "AllowedHeaders": ["content-type"],
        }
        client.put_bucket_cors(Bucket="uploads", CORSConfiguration={"CORSRules": [allowed]})
        store = settings_for("uploads", server.url)
        yield from running(data, port, {**small, **CREDENTIALS, **store})


def running(data: Path, port: int, environment: dict[str, str]) -> Iterator[Demo]:
    """Run a demo until the generator goes on."""
    process, output = start(data, port, **environment)
    try:
        yield Demo(data, port, output)
    finally:
        stop(process)


@pytest.fixture
def owner_page(chromium: Any, uploads_demo: Demo) -> Iterator[Any]:
    """The page of files, open before the owner."""
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{uploads_demo.port}",
        viewport={"width": DESK[0], "height": DESK[1]},
        reduced_motion="reduce",
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    sign_in(page, uploads_demo, "owner")
    page.goto(PAGE)
    yield page
    context.close()


def publish(page: Any) -> None:
    """Publish what is ready."""
    page.get_by_role("button", name="Publish as a new revision").click()
    page.wait_for_url(f"**/{MODEL}")


def ready(page: Any, path: str) -> Any:
    """Wait until a file was checked; return its row."""
    row = page.locator(f'#uploaded [data-path="{path}"]')
    row.get_by_text("Ready", exact=True).wait_for()
    return row


def bytes_of(demo: Demo, path: str) -> bytes:
    """Download a file of the model as anybody does."""
    answer = demo.ask(f"/{MODEL}/resolve/main/{path}")
    assert answer.status == 200, path
    return answer.body


def is_part(url: str) -> bool:
    """Say whether a request sends a part, to us or to the store."""
    return "/parts/" in url or "partNumber=" in url


def test_files_of_a_folder_broken_off_and_gone_on_with_become_one_revision(
    owner_page: Any, uploads_demo: Demo, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    for path, body in {
        "small.json": SMALL, "deep/er/empty.txt": b"", "large.bin": LARGE, ".git/config": b"no"
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    page, sent, broken = owner_page, [], []

    def break_off(route: Any) -> None:
        broken.append(route.request.url)
        route.abort("connectionreset")

    # The second part of the large file and all after it are lost with the connection.
    page.route(lambda url: is_part(url) and ("/parts/2" in url or "partNumber=2" in url), break_off)
    page.set_input_files("#f-tree", folder)
    ready(page, "small.json")
    ready(page, "deep/er/empty.txt")
    page.get_by_text("Trying again in").wait_for()
    page.get_by_role("button", name="Pause large.bin").click()
    page.get_by_text("Paused; what was sent is kept.").wait_for()
    assert broken

    page.unroute_all()
    page.reload()  # as after the browser was closed
    unfinished = page.locator('#uploaded [data-path="large.bin"]')
    assert (
        unfinished.get_by_text("choose the same file again", exact=False)
        .or_(unfinished.get_by_text("Choose the same file again", exact=False))
        .count()
    )
    page.on("request", lambda request: sent.append(request.url) if is_part(request.url) else None)
    page.set_input_files("#f-files", folder / "large.bin")
    row = ready(page, "large.bin")
    assert hashlib.sha256(LARGE).hexdigest() in row.inner_text()
    numbers = {url.rpartition("/parts/")[2] if "/parts/" in url
               else url.partition("partNumber=")[2].partition("&")[0] for url in sent}  # fmt: skip
    assert "2" in numbers
    assert "1" not in numbers  # it had come before, and was not sent again
    page.get_by_label("What changed").fill("Three files from a browser")
    publish(page)
    assert page.get_by_text("Published:").count()
    assert bytes_of(uploads_demo, "large.bin") == LARGE
    assert bytes_of(uploads_demo, "small.json") == SMALL
    assert bytes_of(uploads_demo, "deep/er/empty.txt") == b""
    assert uploads_demo.ask(f"/{MODEL}/resolve/main/.git/config").status == 404


def test_what_cannot_be_taken_is_said_beside_the_file(
    owner_page: Any, uploads_demo: Demo, tmp_path: Path
) -> None:
    page, body = owner_page, os.urandom(1000)
    (tmp_path / "wrong.bin").write_bytes(body)
    page.get_by_text("Where they belong, and their digests").click()
    page.get_by_label("Digests to compare with").fill(f"{'a' * 64}  ./wrong.bin\n")
    page.set_input_files("#f-files", tmp_path / "wrong.bin")
    failed = page.locator('#uploaded [data-path="wrong.bin"]')
    failed.get_by_text(f"{'a' * 64} was announced").wait_for()
    assert hashlib.sha256(body).hexdigest() in failed.inner_text()
    page.get_by_role("textbox", name="Folder in the model").fill("../up")
    page.set_input_files("#f-files", tmp_path / "wrong.bin")
    refused = page.locator("#sending li")
    refused.get_by_text("the file name has a forbidden segment").wait_for()
    refused.get_by_role("button", name="Give up").click()
    failed.get_by_role("button", name="Give up").click()
    page.get_by_text("Nothing was uploaded yet").wait_for()


def test_the_store_s_refusals_are_tried_again_and_the_page_says_so(
    owner_page: Any, uploads_demo: Demo, tmp_path: Path
) -> None:
    page, told = owner_page, []

    def down(route: Any) -> None:
        told.append(route.request.url)
        if len(told) > 2:
            route.continue_()
        elif "/parts/" in route.request.url:
            said = {"title": "We cannot answer just now", "detail": "The disk is full."}
            route.fulfill(status=503, json=said)
        else:
            route.abort("connectionrefused")

    page.route(is_part, down)
    (tmp_path / "again.bin").write_bytes(b"again")
    page.set_input_files("#f-files", tmp_path / "again.bin")
    page.get_by_text("The disk is full").or_(page.get_by_text("does not answer")).wait_for()
    ready(page, "again.bin").get_by_role("button", name="Give up").click()
    page.get_by_text("Nothing was uploaded yet").wait_for()


@pytest.mark.parametrize("uploads_demo", ["disk"], indirect=True)
@pytest.mark.parametrize("status", [413, 403])
def test_what_a_proxy_refuses_is_said_and_not_sent_again(
    owner_page: Any, tmp_path: Path, status: int
) -> None:
    page, told = owner_page, []

    def refuse(route: Any) -> None:
        told.append(route.request.url)
        route.fulfill(status=status, content_type="text/html", body="<h1>nginx</h1>")

    page.route(is_part, refuse)
    (tmp_path / "refused.bin").write_bytes(b"refused")
    page.set_input_files("#f-files", tmp_path / "refused.bin")
    row = page.locator("#sending li")
    row.get_by_text(f"The server in front refused this part ({status}).", exact=True).wait_for()
    row.get_by_role("button", name="Try again").wait_for()  # it waits for the person
    assert len(told) == 1
    row.get_by_role("button", name="Give up").click()
    page.get_by_text("Nothing was uploaded yet").wait_for()


@pytest.mark.parametrize("uploads_demo", ["disk"], indirect=True)
def test_without_a_script_a_small_file_goes_up_and_is_published(
    chromium: Any, uploads_demo: Demo, tmp_path: Path
) -> None:
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{uploads_demo.port}", java_script_enabled=False
    )
    page = context.new_page()
    sign_in(page, uploads_demo, "owner")
    page.goto(PAGE)
    assert page.get_by_text("gatekeeper publish ./FOLDER").count()
    (tmp_path / "plain.txt").write_bytes(b"plain")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "plain.txt")
    page.get_by_role("button", name="Upload").click()
    for _ in range(40):
        if page.get_by_text("Ready", exact=True).count():
            break
        page.wait_for_timeout(250)
        page.reload()
    publish(page)
    assert bytes_of(uploads_demo, "plain.txt") == b"plain"
    context.close()


@pytest.mark.parametrize("uploads_demo", ["disk"], indirect=True)
@pytest.mark.parametrize("look", LOOKS)
def test_the_page_is_accessible_and_fits_with_files_in_every_state(
    chromium: Any, uploads_demo: Demo, shots: Path, tmp_path: Path, look: str
) -> None:
    models = {"light": "355m", "dark": "774m", "phone": "1558m"}  # each begins empty
    scheme, size = LOOKS[look]
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{uploads_demo.port}", color_scheme=scheme,
        viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(30_000)
    page = context.new_page()
    sign_in(page, uploads_demo, "owner")
    page.goto(PAGE.replace("124m", models[look]))
    check(page, shots / f"uploads-empty-{look}.png", look)
    page.get_by_text("Where they belong, and their digests").click()
    page.get_by_label("Digests to compare with").fill(f"{'a' * 64}  special_tokens_map.json\n")
    for name in ("config.json", "special_tokens_map.json"):
        (tmp_path / name).write_bytes(SMALL)
        page.set_input_files("#f-files", tmp_path / name)
    ready(page, "config.json")
    page.locator("#uploaded").get_by_text("Failed", exact=True).wait_for()
    page.route(lambda url: "/parts/2" in url, lambda route: route.abort("connectionreset"))
    large = tmp_path / "model-00001-of-00002.safetensors"
    large.write_bytes(LARGE)
    page.set_input_files("#f-files", large)
    page.get_by_text("Trying again in").wait_for()
    page.get_by_role("button", name=f"Pause {large.name}").click()
    page.get_by_text("Paused; what was sent is kept.").wait_for()
    check(page, shots / f"uploads-{look}.png", look)
    context.close()
