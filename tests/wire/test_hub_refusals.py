"""Each state somebody can be in, asked by the unmodified clients: exception, status, code, words.

Frozen and withdrawn have no verb yet; they are shown in process, in test_hub_answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import RejectReason
from gatekeeper.domain.catalogue import AgreementId, Model
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.people import Scope
from gatekeeper.services import grants, members, tokens
from gatekeeper.services.applications import decisions
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.publishing import repositories
from tests import builders
from tests.builders import FORM, RESEARCH
from tests.cast import NAMESPACE, Member, context
from tests.wire.clients import Client
from tests.wire.server import Live

CHANGING = AgreementId("changing-terms")
GATED, PLAIN, GONE = "GatedRepoError", "HfHubHTTPError", "RepositoryNotFoundError"
LONG_AGO = timedelta(days=3000)  # longer than any grant


@dataclass(frozen=True, slots=True)
class Row:
    """One state: who asks for what, and what the client says of it."""

    model: str
    token: str
    status: int
    kind: str
    code: str
    words: str  # the true cause
    page: str = ""  # where this person goes next
    path: str = "config.json"
    revision: str = "main"


def stopped(live: Live, model: Model, command: GrantCommand) -> Member:
    """Hire a holder and stop the grant."""
    member, approver = live.hire(), live.world.cast.approver
    held = builders.grant(live.house, member, model, approver)
    grants.change(live.house, context(approver.actor), held.id, command, EndReason.LEAK)
    return member


def expired(live: Live, model: Model) -> Member:
    """Hire somebody who was granted the model long ago."""
    member, approver = live.hire(), live.world.cast.approver
    case = builders.apply_for(live.house, member, model)
    then = context(approver.actor, context().now - LONG_AGO)
    decisions.decide(live.house, then, case.id, Decision(VerdictKind.APPROVE, case.version))
    return member


def asked(live: Live, model: Model, decision: Decision | None = None) -> tuple[Member, str]:
    """Hire an applicant; return them and the page of their case, decided so."""
    member = live.hire()
    case = builders.apply_for(live.house, member, model)
    if decision is not None:
        builders.decide(live.house, live.world.cast.approver, case.id, decision)
    return member, f"/applications/{case.id}"


@pytest.fixture(scope="module")
def rows(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Row]:
    """Bring the house into every state; `renamed` is the one that opens."""
    folder, house, cast = tmp_path_factory.mktemp("states"), live.house, live.world.cast
    builders.publish_agreement(house, CHANGING)

    def publish(name: str, asks: AgreementId = RESEARCH) -> Model:
        return builders.publish_model(house, folder, name, "T3", asks=(asks,), form=FORM)

    model, changing, old = publish("states"), publish("changing", CHANGING), publish("named-once")
    name, withheld = model.full_name, f"{NAMESPACE}/lyra-t5"

    def gated(member: Member, words: str, page: str, of: str = name) -> Row:
        return Row(of, member.token, 403, GATED, "GatedRepo", words, page)

    pending, pending_page = asked(live, model)
    question = Decision(VerdictKind.ASK, 0, "Which group?")
    refusal = Decision(VerdictKind.REJECT, 0, "Not for this.", RejectReason.OUT_OF_SCOPE)
    (returned, question_page), (rejected, refusal_page) = (
        asked(live, model, decision) for decision in (question, refusal)
    )
    holder, outdated, banned, mover = (live.hire() for _ in range(4))
    for member, held in ((holder, model), (outdated, changing), (banned, model), (mover, old)):
        builders.grant(house, member, held, cast.approver)
    builders.publish_agreement(house, CHANGING, change=Change.MATERIAL, edition="second")
    repositories.move(
        house, context(cast.owner.actor), (NAMESPACE, old.name), (NAMESPACE, "named-anew")
    )
    members.set_suspended(house, context(), banned.email, "test", suspended=True)
    suspended = stopped(live, model, GrantCommand.SUSPEND)
    revoked = stopped(live, model, GrantCommand.REVOKE)
    ended, guest, lost = expired(live, model), live.hire(), live.hire()
    tokens.revoke(house, context(lost.actor), lost.token_id)
    bad_token = ("Invalid credentials in Authorization header",)
    open_model = f"{NAMESPACE}/lyra-t0"
    return {
        "anonymous": Row(name, "", 401, GATED, "GatedRepo", "be authenticated", "/sign-in"),
        "unverified": gated(cast.stranger, "not verified", "/account"),
        "no application": gated(guest, "have not applied", f"/{name}"),
        "pending": gated(pending, "awaiting a review", pending_page),
        "returned": gated(returned, "asked you a question", question_page),
        "rejected": gated(rejected, "has been refused", refusal_page),
        "suspended": gated(suspended, "is suspended", "/access"),
        "revoked": gated(revoked, "was revoked", "/access"),
        "expired": gated(ended, "has ended", f"/{name}"),
        "terms outdated": gated(
            outdated, "have changed", f"/{changing.full_name}", changing.full_name
        ),
        "withheld": gated(holder, "is withheld", f"/{withheld}", withheld),
        "wrong token": Row(open_model, "gk_" + "0" * 49, 401, PLAIN, "", *bad_token),
        "revoked token": Row(open_model, lost.token, 401, PLAIN, "", *bad_token),
        "suspended account": Row(open_model, banned.token, 401, PLAIN, "", *bad_token),
        "missing file": Row(
            name, holder.token, 404, "EntryNotFoundError", "EntryNotFound", "", path="none.txt"
        ),
        "missing revision": Row(
            name, holder.token, 404, "RevisionNotFoundError", "RevisionNotFound", "",
            revision="feat/none",
        ),
        "hidden": Row(f"{NAMESPACE}/lyra-hidden", guest.token, 404, GONE, "RepoNotFound", ""),
        "missing": Row(f"{NAMESPACE}/nothing", guest.token, 404, GONE, "RepoNotFound", ""),
        "hidden, anonymous": Row(f"{NAMESPACE}/lyra-hidden", "", 401, GONE, "RepoNotFound", ""),
        "missing, anonymous": Row(f"{NAMESPACE}/nothing", "", 401, GONE, "RepoNotFound", ""),
        "renamed": Row(old.full_name, mover.token, 200, "", "", ""),
    }  # fmt: skip


ASK = """
def told(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        answer = error.response
        return {
            "kinds": [kind.__name__ for kind in type(error).__mro__], "text": str(error),
            "status": answer.status_code, "code": answer.headers.get("X-Error-Code", ""),
        }
    return None

tell({
    state: [
        told(hf_hub_download, model, path, revision=revision, token=token or False,
             cache_dir=str(Path.home() / state)),
        told(api.auth_check, model, token=token or False),
        api.repo_exists(model, token=token or False) if state not in wrong else None,
    ]
    for state, (model, token, path, revision) in rows.items()
})
"""


def test_each_state_has_its_exception_status_code_and_next_page(
    hub: Client, live: Live, rows: Mapping[str, Row]
) -> None:
    """At the file and at `auth_check`; a gated model exists, a hidden or missing one does not."""
    wrong = [state for state, row in rows.items() if row.kind == PLAIN]
    given = {state: (r.model, r.token, r.path, r.revision) for state, r in rows.items()}
    for state, (fetched, checked, exists) in hub.run(ASK, rows=given, wrong=wrong).items():
        row = rows[state]
        if row.status == 200:
            assert (fetched, checked) == (None, None), state
            continue
        seen = [fetched, checked] if not state.startswith("missing ") else [fetched]
        for told in seen:
            assert row.kind in told["kinds"], (state, told)
            assert (told["status"], told["code"]) == (row.status, row.code), (state, told)
            assert row.words in told["text"], (state, told)
            assert not row.page or f"{live.url}{row.page}" in told["text"], (state, told)
        if row.kind == GONE:
            assert GATED not in fetched["kinds"], state
        if state not in wrong:
            assert exists is (row.kind != GONE), state
        assert row.kind != PLAIN or GONE not in fetched["kinds"], state


def test_hidden_and_missing_are_one_sentence_to_each_of_the_clients(
    hub: Client, rows: Mapping[str, Row]
) -> None:
    """A file system call hides no gate: gated is said, what may not be seen is not there."""
    script = """
from huggingface_hub import HfFileSystem
def texts(token):
    return [
        [failure(call, model, *more, token=token)["text"].replace(model, "MODEL")
         for call, more in ((api.model_info, ()), (api.list_repo_files, ()), (api.auth_check, ()),
                            (hf_hub_download, ("config.json",)))]
        for model in names
    ]
def plain(found):  # without the id of each request
    import re
    return re.sub(r"(Request ID: |Root=)[\\w-]+", "", json.dumps(found))
fs = HfFileSystem(token=token)
tell({
    "same": [plain(a) == plain(b) for a, b in (texts(False), texts(token))],
    "gated": failure(lambda: fs.open(gated + "/config.json").read())["kinds"],
    "hidden": failure(lambda: fs.open(names[0] + "/config.json").read())["kinds"],
})
"""
    told = hub.run(
        script,
        names=[rows["hidden"].model, rows["missing"].model],
        gated=rows["pending"].model,
        token=rows["pending"].token,
    )
    assert told["same"] == [True, True]
    assert GATED in told["gated"]
    assert "FileNotFoundError" in told["hidden"]


def test_a_token_of_too_little_scope_writes_and_decides_nothing(hub: Client, live: Live) -> None:
    """The owner with a token that only reads, the approver with one that only writes."""
    cast = live.world.cast
    texts = [
        tokens.create(live.house, context(), cast[key].id, f"scope-{hub.version}", scope, 1)[1]
        for key, scope in (("owner", Scope.READ), ("approver", Scope.WRITE))
    ]
    told = hub.run(
        """
reads, writes = texts
before = api.model_info(name).sha
tell([
    failure(api.upload_file, repo_id=name, path_in_repo="x", path_or_fileobj=b"x", token=reads),
    failure(api.create_tag, name, tag="x", token=reads),
    failure(api.delete_repo, name, token=reads),
    failure(api.grant_access, name, "guest0-user", token=writes),
    failure(api.upload_file, repo_id=name, path_in_repo="x", path_or_fileobj=b"x", token=False),
    api.model_info(name).sha == before,
])
""",
        name=f"{NAMESPACE}/lyra-t0",
        texts=texts,
    )
    *refused, anonymous, same = told
    for answer in refused:
        assert answer["status"] == 403, answer
        assert "GatedRepoError" not in answer["kinds"], answer
    assert anonymous["status"] == 401
    assert same is True
