"""The page of a model's files: uploaded with and without the script, published, shown to few."""

from __future__ import annotations

import hashlib
import html
import io
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.people import SYSTEM, Role
from gatekeeper.services import members
from gatekeeper.services.uploads import verifying
from tests.builders import WEIGHTS, World
from tests.cast import NAMESPACE, Cast, context, hire_one
from tests.conftest import Site
from tests.http.pages.conftest import Browser, Open, without_token
from tests.seaweed import Seaweed, s3_objects

PAGE = "/own/northfield/lyra/lyra-t3/files"
UPLOADS = f"{PAGE}/uploads"
BODY = b"bytes that were uploaded"
DIGEST = hashlib.sha256(BODY).hexdigest()
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Script:
    """What the page's script sends, in a browser that has the page open."""

    browser: Browser

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of each request, with the token of the page."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.browser.text(PAGE))
        assert token is not None
        return {"Accept": JSON, "X-CSRFToken": token[1]}

    def post(self, after: str, **form: str) -> TestResponse:
        """Send a small form."""
        return self.browser.client.post(f"{UPLOADS}{after}", data=form, headers=self.headers)

    def put(self, path: str, body: bytes) -> TestResponse:
        """Send a part."""
        return self.browser.client.put(path, data=body, headers=self.headers)

    def begin(self, path: str = "new.bin", **more: str) -> dict[str, Any]:
        """Begin an upload."""
        answer = self.post("", **{"path": path, "size_bytes": str(len(BODY)), "mark": "m", **more})
        assert answer.status_code == 200, answer.get_json()
        found: dict[str, Any] = answer.get_json()
        return found

    def send(self, path: str = "new.bin", **more: str) -> str:
        """Upload a file, up to where the worker comes in; return the upload's id."""
        begun = self.begin(path, **more)
        assert self.put(begun["parts"][0]["url"], BODY).status_code == 200
        told = self.post(f"/{begun['id']}/complete").get_json()
        assert told["state"] == "verifying"
        return str(begun["id"])


@pytest.fixture
def script(browser: Open, cast: Cast) -> Script:
    """The owner's page and its script."""
    return Script(browser(cast.owner))


def verify(world: World) -> None:
    """Let the worker do what waits."""
    while verifying.verify_next(world.house, lambda: context(SYSTEM)):
        pass


def base_of(text: str) -> str:
    """Return the revision that a page would change."""
    found = re.search(r'name="base" value="([^"]*)"', text)
    assert found is not None
    return found[1]


def test_what_the_script_uploads_is_seen_once_it_is_published(
    script: Script, browser: Open, cast: Cast, world: World
) -> None:
    upload_id = script.send("onnx/new.bin", sha256=DIGEST)
    assert "Being checked" in script.browser.text(PAGE)
    verify(world)
    text = script.browser.text(PAGE)
    assert DIGEST in text
    assert "A new file." in text
    everybody = browser(cast.applicant)
    assert "new.bin" not in everybody.text("/northfield/lyra-t3/tree/main")
    publish = {"base": base_of(text), "upload": upload_id, "message": "One more", "remove": WEIGHTS}
    answer = script.browser.send(f"{PAGE}/publish", PAGE, **publish)
    assert answer.headers["Location"] == "/northfield/lyra-t3"
    assert "onnx" in everybody.text("/northfield/lyra-t3/tree/main")
    assert WEIGHTS not in everybody.text("/northfield/lyra-t3/tree/main")
    assert "Nothing was uploaded yet" in script.browser.text(PAGE)


def test_a_small_file_goes_up_with_a_form_and_no_script(
    browser: Open, cast: Cast, world: World
) -> None:
    owner = browser(cast.owner)
    sent = {"file": (io.BytesIO(BODY), "../../etc/new.bin"), "folder": "/notes/"}
    assert owner.send(PAGE, **sent).headers["Location"] == PAGE
    verify(world)
    text = owner.text(PAGE)
    assert "notes/new.bin" in text
    assert DIGEST in text
    for more in ({"file": (io.BytesIO(b""), "")}, {}):
        answer = owner.send(PAGE, **more)
        assert answer.status_code == 422
        assert "hoose a file first" in answer.get_data(as_text=True)
    answer = owner.send(PAGE, file=(io.BytesIO(BODY), "x.bin"), folder="a/../b")
    assert answer.status_code == 422
    assert "forbidden segment" in answer.get_data(as_text=True)
    form = {"data": bytes(3 << 20), "content_type": "multipart/form-data; boundary=x"}
    assert owner.client.post(PAGE, **form).status_code == 413


def test_the_page_says_what_to_do_without_a_script(script: Script) -> None:
    text = script.browser.text(PAGE).partition('class="no-js"')[2].partition("</section>")[0]
    command = "gatekeeper publish ./FOLDER northfield/lyra-t3 --release northfield/lyra --tier T3"
    assert command in text
    assert 'href="/docs/api#uploads"' in text
    assert 'type="file"' in text


def test_an_upload_goes_on_after_a_reload_and_begins_anew_for_another_file(script: Script) -> None:
    first = script.begin()
    assert script.begin()["id"] == first["id"]
    assert "Not all of it has come" in script.browser.text(PAGE)
    assert script.begin(mark="changed")["id"] != first["id"]
    assert script.browser.get(f"{UPLOADS}/{first['id']}").status_code == 404


def test_what_failed_is_said_in_words(script: Script, world: World) -> None:
    script.send(sha256="0" * 64)
    verify(world)
    text = script.browser.text(PAGE)
    assert f"{'0' * 64} was announced; what came has {DIGEST}" in text
    assert 'name="upload"' not in text
    wrong = {
        (422, "forbidden segment"): {"path": "../x"},
        (422, "64 hexadecimal digits"): {"sha256": "x"},
        (422, "say how long"): {"size_bytes": "x"},
        (422, "no fewer than 0"): {"size_bytes": "-1"},
        (413, "file has at most"): {"size_bytes": str(1 << 50)},
    }
    for (status, words), typed in wrong.items():
        answer = script.post("", **{"path": "a", "size_bytes": "1", **typed})
        assert answer.status_code == status
        assert words in answer.get_json()["text"]


def test_there_are_the_parts_of_the_upload_and_a_hundred_addresses_at_once(script: Script) -> None:
    begun = script.begin(size_bytes=str((16 << 20) * 2000))
    assert len(begun["parts"]) == 100
    url = begun["parts"][0]["url"].removesuffix("/1")
    for number in (0, 2001, 10_001, -1):
        assert script.put(f"{url}/{number}", BODY).status_code == 404


def test_a_full_disk_is_said_so(script: Script, site: Site) -> None:
    part = script.begin()["parts"][0]["url"]
    tmp = site.data / "store" / "tmp"
    tmp.rename(tmp.with_name("gone"))
    answer = script.put(part, BODY)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["detail"].startswith("The store cannot be written")
    tmp.with_name("gone").rename(tmp)
    assert script.put(part, BODY).status_code == 200


def test_another_revision_meanwhile_is_said_and_nothing_is_lost(
    script: Script, world: World
) -> None:
    uploads = [script.send("one.bin"), script.send("two.bin")]
    verify(world)
    base = base_of(script.browser.text(PAGE))
    first, second = (
        script.browser.send(
            f"{PAGE}/publish", PAGE, base=base, upload=upload, message="<b>kept</b>"
        )
        for upload in uploads
    )
    assert (first.status_code, second.status_code) == (303, 409)
    text = second.get_data(as_text=True)
    assert "another revision was published meanwhile" in html.unescape(text).lower()
    assert "&lt;b&gt;kept" in text
    assert base_of(text) != base
    again = {"base": base_of(text), "upload": uploads[1], "message": ""}
    assert script.browser.send(f"{PAGE}/publish", PAGE, **again).status_code == 303


def test_what_cannot_be_a_revision_keeps_what_was_typed(script: Script, world: World) -> None:
    upload_id = script.send("config.json/new.bin")
    verify(world)
    base = base_of(script.browser.text(PAGE))
    for sent, words in (
        ({"message": "typed"}, "upload a file or mark one"),
        ({"upload": upload_id, "message": "typed"}, "a file and a folder at once"),
        ({"remove": "none", "message": "typed"}, "there is no file"),
    ):
        answer = script.browser.send(f"{PAGE}/publish", PAGE, base=base, **sent)
        text = html.unescape(answer.get_data(as_text=True))
        assert answer.status_code == 422
        assert words in text.lower()
        assert ">typed</textarea>" in text


def test_nobody_else_knows_the_page_or_an_upload(
    script: Script, browser: Open, cast: Cast, world: World
) -> None:
    """A pending applicant and a stranger find nothing; another publisher not what is not theirs."""
    begun = script.begin("secret-name.bin")
    part, upload = begun["parts"][0]["url"], f"{UPLOADS}/{begun['id']}"
    for member in (cast.pending, cast.applicant, cast.stranger, cast.researcher, cast.approver):
        other = browser(member)
        missing = without_token(other.get(PAGE.replace("lyra-t3", "lyra-t0")))
        assert without_token(other.get(PAGE)).replace("lyra-t3", "lyra-t0") == missing
        assert other.get(upload).status_code == 404
        assert other.send(f"{upload}/give-up", "/account").status_code == 404
        assert other.send(f"{PAGE}/publish", "/account", upload=begun["id"]).status_code == 404
        about = {"path": "a", "size_bytes": "1", "csrf_token": token_of(other)}
        assert other.client.post(UPLOADS, data=about).status_code == 404
        headers = {**script.headers, "X-CSRFToken": token_of(other)}
        assert other.client.put(part, data=BODY, headers=headers).status_code == 404
    colleague = hire_one(world.house, "colleague")
    members.set_role(
        world.house, context(), NAMESPACE, colleague.email, Role.PUBLISHER, remove=False
    )
    theirs = Script(browser(colleague))
    assert "secret-name.bin" not in theirs.browser.text(PAGE)
    assert theirs.browser.get(upload).status_code == 404
    assert theirs.put(part, BODY).status_code == 404
    assert theirs.post(f"/{begun['id']}/give-up").status_code == 404
    assert theirs.begin("secret-name.bin")["id"] != begun["id"]
    assert script.browser.get(upload).status_code == 200


def token_of(browser: Browser) -> str:
    """Return a CSRF token of somebody's own."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.text("/account"))
    assert found is not None
    return found[1]


def test_an_upload_is_reached_through_its_own_model_alone(script: Script) -> None:
    upload_id = script.begin()["id"]
    for other in ("lyra-t2", "lyra-hidden", "none"):
        page = PAGE.replace("lyra-t3", other)
        assert script.browser.get(f"{page}/uploads/{upload_id}").status_code == 404
        answer = script.put(f"{page}/uploads/{upload_id}/parts/1", BODY)
        assert answer.status_code == 404


def test_a_part_from_another_site_is_not_taken(script: Script) -> None:
    part = script.begin()["parts"][0]["url"]
    for headers in ({}, {"X-CSRFToken": "x"}):
        answer = script.browser.client.put(part, data=BODY, headers={"Accept": JSON, **headers})
        assert answer.status_code == 400
        assert answer.get_json()["title"] == "This form could not be taken"


def test_whose_session_ended_is_told_so_by_a_script_and_sends_nothing(
    script: Script, cast: Cast, browser: Open
) -> None:
    part, headers = script.begin()["parts"][0]["url"], script.headers
    script.browser.send("/sign-out", "/account")
    answer = script.browser.client.get(UPLOADS + "/x", headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "no_account")
    assert script.browser.client.put(part, data=BODY, headers=headers).status_code in {400, 401}
    assert len(Script(browser(cast.owner)).begin()["parts"]) == 1


def test_an_upload_that_nobody_came_back_to_is_gone(script: Script, world: World) -> None:
    begun = script.begin()
    late = replace(context(SYSTEM), now=context().now + timedelta(hours=30))
    verifying.sweep(world.house, late)
    assert script.put(begun["parts"][0]["url"], BODY).status_code == 404
    assert "new.bin" not in script.browser.text(PAGE)


def test_the_page_alone_may_send_to_the_store(
    script: Script, site: Site, world: World, cast: Cast, seaweed: Seaweed, bucket: str
) -> None:
    here = script.browser.get(PAGE).headers["Content-Security-Policy"]
    assert "connect-src" not in here
    store = s3_objects(seaweed.url, bucket, site.data / "spool")
    house = replace(world.house, objects=store)
    app = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
    owner = Browser(app.test_client()).sign_in(cast.owner)
    policy = owner.get(PAGE).headers["Content-Security-Policy"]
    origin = re.search(r"connect-src 'self' (http://127\.0\.0\.1:[0-9]+)$", policy)
    assert origin is not None
    assert policy.startswith(here)
    assert owner.get("/own/northfield/lyra").headers["Content-Security-Policy"] == here
    begun = Script(owner).begin()
    assert begun["parts"][0]["url"].startswith(f"{origin[1]}/")
