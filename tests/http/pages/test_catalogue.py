"""The catalogue's pages: what each viewer sees, what nobody may learn, that text stays text."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.domain.catalogue import Visibility
from gatekeeper.services import access, catalogue
from gatekeeper.services.publishing import revisions
from tests import builders
from tests.builders import World
from tests.cast import Cast, context
from tests.http.pages.conftest import Open

EVERY_KEY = (
    "owner", "handler", "approver", "compliance", "admin", "researcher", "applicant", "pending",
    "stranger", None,
)  # fmt: skip
MOST_BYTES = 60_000


def publish(world: World, directory: Path, name: str, files: dict[str, str], **target: Any) -> str:
    """Publish an open model with these files; return its address."""
    folder = directory / name
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    wanted = revisions.Target(
        namespace="northfield",
        name=name,
        **{"release": "lyra", "tier": world.house.tiers["T0"], **target},
    )
    revisions.publish(world.house, context(), folder, wanted)
    return f"/northfield/{name}"


def revision_of(world: World, key: str, name: str = "main") -> str:
    """Return the id a branch of one of the models points to."""
    view = catalogue.model(world.house, context(world.cast.owner.actor), *world.name(key), name)
    assert view.revision is not None
    return view.revision.id


# --- the list ---


def test_the_catalogue_needs_no_account(browser: Open) -> None:
    text = browser().text("/")
    assert "Lyra" in text
    assert "5 of 6 models" not in text  # one of the six is open
    assert "1 of 6 models open to all" in text
    assert browser().cookie == ""


def test_a_list_says_where_the_viewer_stands(browser: Open, cast: Cast) -> None:
    assert "You have access" in browser(cast.researcher).text("/")
    pending = browser(cast.pending).text("/")
    assert "Under review" in pending
    assert "Application GK-" in pending
    assert "Not applied" in browser(cast.applicant).text("/")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True), ("?q=lyra-t3", True), ("?q=LYRA small", True), ("?q=nothing-of-this", False),
        ("?show=gated", True), ("?show=soon", False), ("?show=open&sort=name", True),
        ("?show=bogus&sort=bogus&page=bogus", True), ("?page=99999999999999999999", True),
        ("?page=-3", True), ("?q=%00", None), ("?q=" + "x" * 5000, False),
    ],
)  # fmt: skip
def test_search_and_filters_leave_out_and_never_fail(
    browser: Open, query: str, found: bool | None
) -> None:
    answer = browser().get("/" + query)
    if found is None:
        assert answer.status_code == 400
        return
    assert answer.status_code == 200
    assert ('href="/releases/northfield/lyra"' in answer.text) is found
    assert ("Nothing matches" in answer.text) is not found


def test_applied_is_a_filter_of_people(browser: Open, cast: Cast) -> None:
    assert "/releases/northfield/lyra" in browser(cast.pending).text("/?show=applied")
    assert "Nothing matches" in browser(cast.applicant).text("/?show=applied")
    assert "Applied" not in browser().text("/?show=applied")


def test_what_was_searched_for_is_shown_as_text(browser: Open) -> None:
    answer = browser().get("/?q=<script>alert(1)</script>")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_a_site_without_releases_tells_who_may_publish_how(
    app: Any, world: World, browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "releases", lambda *_: ([], None))
    assert "When the first one is published" in browser().text("/")
    assert "gatekeeper publish" in browser(world.cast.owner).text("/")


# --- one release ---


def test_a_release_shows_its_gates_risks_and_signs_to_everybody(browser: Open) -> None:
    text = browser().text("/releases/northfield/lyra")
    for words in (
        "Cheap text at scale", "A detector is open.", "Ask twice.", "Small first", "Withheld",
        "Partner", "We release in stages.", 'href="mailto:desk@lab.example"',
    ):  # fmt: skip
        assert words in text


def test_every_gated_model_has_the_open_one_named_beside_it(browser: Open, world: World) -> None:
    rows = browser().text("/releases/northfield/lyra").split("<tbody>")[1].split("</tr>")
    for key in ("T1", "T2", "T3", "T4", "T5"):
        name = world.models[key].full_name
        row = next(r for r in rows if f'href="/{name}"' in r)
        assert f'href="/{world.models["T0"].full_name}"' in row
        assert f'href="/{world.models["T0"].full_name}"' in browser().text(f"/{name}")


def test_a_release_offers_the_step_that_is_next(browser: Open, world: World, cast: Cast) -> None:
    t3, t0 = world.models["T3"].full_name, world.models["T0"].full_name
    card = browser(cast.researcher).text("/releases/northfield/lyra").split("Your access")[1]
    assert f'class="btn p full" href="/access/{t3}"' in card
    card = browser().text("/releases/northfield/lyra").split("Your access")[1]
    assert f'class="btn p full" href="/access/{t0}"' in card
    assert 'class="btn full" href="/sign-in?next=' in card


# --- one model ---


@pytest.mark.parametrize("key", ["researcher", "applicant", "pending", "stranger", "owner", None])
@pytest.mark.parametrize("tier", ["T0", "T1", "T2", "T3", "T4", "T5"])
def test_the_panel_prints_the_verdict_clause_by_clause(
    browser: Open, world: World, key: str | None, tier: str
) -> None:
    member = world.cast[key] if key else None
    text = browser(member).text(f"/{world.models[tier].full_name}")
    panel = text.split("What you still need")[1].split("</aside>")[0]
    with world.house.db.reading() as read:
        person = read.people.by_id(member.id) if member else None
        verdict = access.judge(read, person, world.models[tier], context().now).verdict
    assert re.findall(r"<b>([^<]+)</b>", panel) == [c.title for c in verdict.clauses]
    said = {"met": "Done", "unmet": "Missing", "waiting": "Waiting", "not_needed": "Not needed"}
    assert re.findall(r">(\w[\w ]*): </span>", panel) == [said[c.state] for c in verdict.clauses]


def test_a_withheld_model_is_read_and_not_fetched(browser: Open, world: World) -> None:
    text = browser().text(f"/{world.models['T5'].full_name}")
    assert "The card." in text
    assert builders.WEIGHTS in text
    assert f"{builders.WEIGHTS}?download" not in text
    assert "its files are not given out" in text


def test_a_card_can_do_nothing_but_be_read(browser: Open, world: World, tmp_path: Path) -> None:
    card = (
        "---\ntitle: <script>x</script>\n---\n# evil\n\n<script>alert(1)</script>\n\n"
        "![seen](https://tracker.example/p.png) [go](javascript:alert(2)) "
        "<img src=x onerror=alert(3)> [on](https://good.example)\n"
    )
    at = publish(world, tmp_path, "evil", {"README.md": card, "w.bin": "x"})
    for path in (at, f"{at}/blob/main/README.md"):
        prose = browser().get(path).text.split('class="prose"')[1].split("</section>")[0]
        for bad in ("<script", "<img", "onerror=alert(3)>", 'href="javascript', "tracker.example"):
            assert bad not in prose
        assert 'href="https://good.example"' in prose


def test_file_names_are_text(browser: Open, world: World, tmp_path: Path) -> None:
    name = '<b>it\'s "odd" & 100% #1?.txt'
    at = publish(world, tmp_path, "odd", {"README.md": "# odd", f"<i>/{name}": "hello odd file"})
    page = browser().get(at)
    assert "<b>it" not in page.text
    href = re.search(r'<a href="([^"]+)">&lt;i&gt;/&lt;b&gt;it', page.text)
    assert href is not None
    blob = browser().get(html.unescape(href[1]))
    assert blob.status_code == 200
    assert "hello odd file" in blob.text
    down = re.search(r'class="btn p full" href="([^"]+)"', blob.text)
    assert down is not None
    assert browser().get(html.unescape(down[1])).get_data() == b"hello odd file"


def test_a_model_without_a_card_or_files_is_a_page(
    browser: Open, world: World, tmp_path: Path
) -> None:
    at = publish(world, tmp_path, "bare", {"w.bin": "x"})
    assert "This model has no card" in browser().text(at)


def test_a_long_card_is_cut_and_leads_to_the_whole(
    browser: Open, world: World, tmp_path: Path
) -> None:
    card = "# long\n\n" + "A paragraph of words.\n\n" * 3000
    answer = browser().get(publish(world, tmp_path, "long", {"README.md": card, "w.bin": "x"}))
    assert len(answer.get_data()) < MOST_BYTES
    assert "Read the whole card" in answer.text


# --- revisions and files ---


def test_the_addresses_the_hub_prints_are_pages(browser: Open, world: World) -> None:
    at, head = f"/{world.models['T3'].full_name}", revision_of(world, "T3")
    for path in (
        at, f"{at}/tree/main", f"{at}/tree/{head}", f"{at}/tree/v1", f"{at}/tree/feat%2Fx",
        f"{at}/tree/main/deep", f"{at}/blob/main/deep/vocab.txt", f"{at}/blob/feat%2Fx/README.md",
        f"{at}/commit/{head}", f"{at}?revision=feat/x", f"{at}?revision={head}",
    ):  # fmt: skip
        assert browser().get(path).status_code == 200, path


def test_a_file_and_a_directory_have_one_address_each(browser: Open, world: World) -> None:
    at = f"/{world.models['T3'].full_name}"
    to_blob = browser().get(f"{at}/tree/feat%2Fx/deep/vocab.txt")
    assert to_blob.headers["Location"] == f"{at}/blob/feat%2Fx/deep/vocab.txt"
    to_tree = browser().get(f"{at}/blob/main/deep")
    assert to_tree.headers["Location"] == f"{at}/tree/main/deep"


def test_a_commit_says_what_it_changed(browser: Open, world: World, tmp_path: Path) -> None:
    first = revision_of(world, "T0")
    builders.publish_model(world.house, tmp_path, "lyra-t0", "T0", edition="second")
    at, second = f"/{world.models['T0'].full_name}", revision_of(world, "T0")
    text = browser().text(f"{at}/commit/{second}")
    assert "Publish the second edition" in text
    assert f'href="{at}/commit/{first}"' in text
    changed = re.findall(r'class="pill \w* nodot">(\w+)<', text.split("<tbody>")[1])
    assert set(changed) == {"changed"}
    assert "README.md" not in text.split("<tbody>")[1]  # it stayed as it was
    before = browser().text(f"{at}/commit/{first}")
    assert set(re.findall(r'nodot">(\w+)<', before.split("<tbody>")[1])) == {"added"}


@pytest.mark.parametrize(
    "tail",
    [
        "/tree/none", "/tree/main/none", "/blob/main/none", "/blob/none/README.md",
        "/commit/" + "0" * 40, "/commit/main", "?revision=none", "?revision=../x",
        "?revision=-x", "/tree/main/..%2F..%2Fetc", "/tree/main//", "/blob/main/%2e%2e/x",
        "/tree/" + "x" * 3000, "/blob/main/" + "y/" * 1000,
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(browser: Open, world: World, tail: str) -> None:
    assert browser().get(f"/{world.models['T3'].full_name}{tail}").status_code == 404


@pytest.mark.parametrize(
    "path", ["/northfield/none", "/no/such", "/%3Cb%3E/x", "/a%2Fb/c", "/northfield/lyra-t0%0d%0aX"]
)
def test_a_name_that_could_not_exist_is_not_found(browser: Open, path: str) -> None:
    answer = browser().get(path)
    assert answer.status_code == 404
    assert "X" not in answer.headers


def test_a_revision_belongs_to_its_model(browser: Open, world: World) -> None:
    other = revision_of(world, "T4")
    assert browser().get(f"/{world.models['T3'].full_name}/commit/{other}").status_code == 404


def test_only_an_open_file_is_shown(browser: Open, world: World, cast: Cast) -> None:
    gated, canary = f"/{world.models['T3'].full_name}", builders.artifact_canary("lyra-t3")
    for member in (None, cast.applicant, cast.researcher, cast.owner):
        assert canary not in browser(member).text(f"{gated}/blob/main/config.json")
        assert "Ask before you use it." in browser(member).text(f"{gated}/blob/main/LICENSE")
    opened = f"/{world.models['T0'].full_name}/blob/main/config.json"
    assert builders.artifact_canary("lyra-t0") in browser().text(opened)


def test_looking_at_pages_records_nothing(browser: Open, world: World, cast: Cast) -> None:
    with world.house.db.reading() as read:
        before = read.audit.head().size
    one = browser(cast.applicant)
    at = f"/{world.models['T3'].full_name}"
    for path in ("/", at, f"{at}/tree/main", f"{at}/blob/main/LICENSE", f"/access{at}"):
        one.get(path)
    with world.house.db.reading() as read:
        assert read.audit.head().size == before


# --- hidden models, size ---


@pytest.mark.parametrize("key", EVERY_KEY)
def test_a_hidden_model_is_named_to_those_around_it_alone(
    browser: Open, world: World, key: str | None
) -> None:
    one, name = browser(world.cast[key] if key else None), world.models["hidden"].full_name
    inside = key in {"owner", "handler", "approver"}
    for path in ("/", "/?q=hidden", "/releases/northfield/lyra", f"/{world.models['T3'].full_name}",
                 "/agreements/research-use"):  # fmt: skip
        answer = one.get(path)
        assert answer.status_code == 200
        shown = answer.text.replace("?q=hidden", "").replace('type="hidden"', "")
        assert ("lyra-hidden" in shown) <= inside, path
    tails = ("", "/tree/main", f"/blob/main/{builders.WEIGHTS}", f"/commit/{'0' * 40}")
    for tail in tails[:3]:
        assert one.get(f"/{name}{tail}").status_code == (200 if inside else 404)


def test_hidden_and_missing_look_alike(browser: Open, world: World, cast: Cast) -> None:
    for member in (None, cast.applicant):
        one = browser(member)
        for tail in ("", "/tree/main", "/blob/main/README.md"):
            hidden = one.get(f"/{world.models['hidden'].full_name}{tail}")
            missing = one.get(f"/northfield/lyra-absent{tail}")
            same = [_bare(answer.text) for answer in (hidden, missing)]
            assert same[0] == same[1]
            assert hidden.status_code == missing.status_code == 404


def _bare(text: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", text)


def test_a_release_of_hidden_models_alone_is_not_found(
    browser: Open, world: World, tmp_path: Path
) -> None:
    builders.add_release(world.house, name="umbra")
    publish(world, tmp_path, "umbra-one", {"w.bin": "x"}, visibility=Visibility.HIDDEN,
            release="umbra")  # fmt: skip
    assert browser().get("/releases/northfield/umbra").status_code == 404
    assert "umbra" not in browser().text("/")
    assert browser(world.cast.owner).get("/releases/northfield/umbra").status_code == 200


def test_pages_stay_small_however_many_files(browser: Open, world: World, tmp_path: Path) -> None:
    files = {f"shard-{n:04}-of-0400-with-a-rather-long-name.bin": str(n) for n in range(400)}
    at = publish(world, tmp_path, "many", {"README.md": "# many", **files})
    at2 = publish(world, tmp_path / "2", "many", {"README.md": "# many", "one.bin": "1"})
    with world.house.db.reading() as read:
        model = read.catalogue.model("northfield", "many")
        assert model is not None
        head = read.catalogue.revision(model.id, "main")
        assert head is not None
    assert at == at2
    first = head.parent_id
    for path in (
        at, f"{at}?revision={first}", f"{at}/tree/{first}", f"{at}/commit/{head.id}",
        f"/access{at}?revision={first}",
    ):  # fmt: skip
        answer = browser(world.cast.owner).get(path)
        assert answer.status_code == 200
        assert len(answer.get_data()) < MOST_BYTES, path
    second = browser().text(f"{at}/tree/{first}?page=2")
    assert "shard-0060" in second
    assert "shard-0001" not in second
