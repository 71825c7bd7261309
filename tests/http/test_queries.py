"""No page or answer asks the database more often because more is stored.

A house grows twice, by 3 and then by 9 of everything that can be many: releases, models, revisions,
agreements, people, applications, grants, memberships, tokens. Every GET route is asked each time,
by somebody to whom all of it is shown, and the statements are counted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from gatekeeper.app import create_app, read_keys
from gatekeeper.domain.applications import ApplicationState
from gatekeeper.domain.catalogue import AgreementId, Model, Visibility
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.people import Role, Scope
from gatekeeper.domain.uploads import UploadId
from gatekeeper.services import agreements, downloads, grants, members, sessions, tokens
from gatekeeper.services.applications import decisions, drafts, reading
from gatekeeper.services.applications.conditions import MAX_MODELS
from gatekeeper.services.applications.drafts import Typed
from gatekeeper.services.uploads import sending
from gatekeeper.services.uploads.sending import Wanted
from tests import builders
from tests.builders import COMMUNITY, FORM, RESEARCH, World
from tests.cast import NAMESPACE, Member, context, hire_one
from tests.conftest import Site
from tests.statements import counted

FEW, MANY = 3, 12
_T3 = "/api/models/{t3}"
_V1 = "/api/v1"

# endpoint -> who asks ('' is nobody) and for what
DOORS: Mapping[str, Sequence[tuple[str, str]]] = {
    "catalogue.index": (
        ("", "/"), ("researcher", "/"), ("owner", "/"), ("researcher", "/?q=line&show=open"),
    ),
    "catalogue.release": (
        ("", "/releases/northfield/lyra"), ("researcher", "/releases/northfield/lyra"),
        ("owner", "/releases/northfield/lyra"),
    ),
    "catalogue.model": (("", "/{t3}"), ("researcher", "/{t3}"), ("owner", "/{t3}")),
    "catalogue.tree": (("researcher", "/{t3}/tree/main"),),
    "catalogue.blob": (("researcher", "/{t3}/blob/main/README.md"),),
    "catalogue.commit": (("researcher", "/{t3}/commit/{revision}"),),
    "access.index": (("researcher", "/access"),),
    "access.model": (("researcher", "/access/{t3}"), ("researcher", "/access/{stopped}")),
    "apply.form": (("pending", "/apply/{t4}"), ("pending", "/apply/{drafted}")),
    "apply.applications": (("researcher", "/applications"), ("pending", "/applications")),
    "apply.application": (
        ("pending", "/applications/{case}"), ("researcher", "/applications/{decided}"),
    ),
    "apply.agreement": (
        ("", "/agreements/research-use"), ("researcher", "/agreements/research-use"),
    ),
    "apply.receipt": (("researcher", "/agreements/research-use/receipts/{receipt}"),),
    "own.show": (("owner", "/own/northfield/lyra"),),
    "own.show_form": (("owner", "/own/northfield/lyra/lyra-t3/form"),),
    "own.show_card": (("owner", "/own/northfield/lyra/lyra-t3/card"),),
    "device.show": (("researcher", "/device"),),
    "uploads.show": (("owner", "/own/northfield/lyra/lyra-t3/files"),),
    "uploads.look": (("owner", "/own/northfield/lyra/lyra-t3/files/uploads/{upload}"),),
    "review.index": (
        ("handler", "/review"), ("compliance", "/review"), ("approver", "/review?view=mine"),
    ),
    "review.show": (
        ("handler", "/review/{case}"), ("approver", "/review/{decided}"),
        ("compliance", "/review/{case}"),
    ),
    "audit.index": (
        ("compliance", "/audit"), ("compliance", "/audit?model={t3}"), ("admin", "/audit?person=z"),
    ),
    "admin.mail": (("admin", "/admin/mail"),),
    "machines.metrics": (("", "/metrics"),),
    "account.show": (("researcher", "/account"), ("handler", "/account")),
    "account.record": (("researcher", "/account/record"),),
    "dev.mail": (("", "/dev/mail"),),
    "files.signed_file": (("", "{link}"),),
    "api.me.show_me": (("handler", f"{_V1}/me"),),
    "api.me.list_tokens": (("researcher", f"{_V1}/me/tokens"),),
    "api.me.list_sessions": (("researcher", f"{_V1}/me/sessions"),),
    "api.catalogue.list_releases": (
        ("", f"{_V1}/releases"), ("researcher", f"{_V1}/releases"), ("owner", f"{_V1}/releases"),
    ),
    "api.catalogue.show_release": (("researcher", f"{_V1}/releases/northfield/lyra"),),
    "api.catalogue.list_models": (
        ("", f"{_V1}/models"), ("researcher", f"{_V1}/models"), ("owner", f"{_V1}/models"),
    ),
    "api.catalogue.show_model": (("researcher", _V1 + "/models/{t3}"),),
    "api.catalogue.list_files": (("researcher", _V1 + "/models/{t3}/revisions/main/files"),),
    "api.agreements.show_agreement": (("", f"{_V1}/agreements/research-use"),),
    "api.applications.list_applications": (
        ("handler", f"{_V1}/applications"), ("compliance", f"{_V1}/applications"),
        ("researcher", f"{_V1}/applications"),
    ),
    "api.applications.show_application": (
        ("pending", _V1 + "/applications/{case}"), ("approver", _V1 + "/applications/{case}"),
    ),
    "api.grants.list_grants": (
        ("researcher", f"{_V1}/grants"), ("handler", _V1 + "/grants?model={t3}"),
        ("compliance", f"{_V1}/grants?person=researcher-user"),
    ),
    "api.audit.list_entries": (
        ("compliance", f"{_V1}/audit/entries"), ("researcher", f"{_V1}/audit/entries"),
    ),
    "api.uploads.list_uploads": (("owner", f"{_V1}/uploads"),),
    "api.uploads.show_upload": (("owner", _V1 + "/uploads/{upload}"),),
    "api.mail.list_dead": (("admin", f"{_V1}/mail/dead"),),
    "hub.list_models": (
        ("", "/api/models"), ("researcher", "/api/models"), ("owner", "/api/models?full=true"),
        ("", "/api/models?sort=lastModified&filter=other"),
    ),
    "hub.model_info": (("", _T3), ("researcher", f"{_T3}?blobs=true")),
    "hub.list_tree": (
        ("", f"{_T3}/tree/main"), ("researcher", f"{_T3}/tree/main?recursive=true&expand=true"),
    ),
    "hub.list_refs": (("", f"{_T3}/refs"),),
    "hub.list_commits": (("", f"{_T3}/commits/main"),),
    "hub.auth_check": (("researcher", f"{_T3}/auth-check"),),
    "hub.whoami": (("handler", "/api/whoami-v2"),),
    "hub_requests.list_requests": (
        ("handler", f"{_T3}/user-access-request/pending"),
        ("handler", f"{_T3}/user-access-request/accepted"),
        ("compliance", f"{_T3}/user-access-request/rejected?q=a"),
    ),
    "hub_requests.report": (("handler", "/{t3}/user-access-report"),),
    "hub.resolve_file": (
        ("", "/{t3}/resolve/main/README.md"), ("researcher", "/{t3}/resolve/main/config.json"),
    ),
}  # fmt: skip
ASKED = [door for several in DOORS.values() for door in several]
# They show nothing that is stored, or one row of it.
WITHOUT = {
    "machines.healthz", "machines.readyz", "machines.robots", "static", "account.register",
    "account.register_first_admin", "account.ask_reset", "account.reset", "account.sign_in",
    "account.verify", "hub.agent_harnesses", "hub.no_such_repository", "hub.telemetry",
    "hub_xet.write_token", "hub_xet.read_token", "hub_xet.not_kept",
    "hub_unspoken.no_git", "hub_unspoken.no_such_feature", "hub_unspoken.no_such_kind",
    "hub_unspoken.no_such_part", "hub_unspoken.not_spoken", "api.document.show_document",
    "reference.index", "reference.shapes",
}  # fmt: skip

Counts = Mapping[tuple[str, str], int]


class Growing:
    """One house that grows, and its application."""

    def __init__(self, world: World, app: Flask, directory: Path) -> None:
        self.world = world
        self.app = app
        self.directory = directory
        self.numbers = iter(range(1000))
        self.stopped = world.models["T3"]
        self.drafted: list[Model] = []

    def grow(self, by: int) -> None:
        """Add so many of everything."""
        for n in islice(self.numbers, by):
            lab = f"lab-{n}"
            builders.add_release(self.world.house, lab, f"line-{n}")
            self.hire(n, lab)
            terms = AgreementId(f"terms-{n}")
            builders.publish_agreement(self.world.house, terms)
            held, self.stopped, drafted = self.publish(n, lab, terms)
            self.drafted.append(drafted)
            self.hold(held, self.stopped)
            self.apply(n)
            self.discuss(n)
            builders.give_up_mail(self.world.house, [self.world.cast.owner.id])
            self.upload(n)

    def hire(self, n: int, lab: str) -> None:
        """Give roles in another namespace, a token, a session, and a colleague."""
        house, cast = self.world.house, self.world.cast
        roles = {"owner": Role.OWNER, "handler": Role.HANDLER, "approver": Role.APPROVER}
        for key, role in roles.items():
            members.set_role(house, context(), lab, cast[key].email, role, remove=False)
        tokens.create(house, context(), cast.researcher.id, f"t{n}", Scope.READ, 9)
        self.enter("researcher", f"other-{n}")

    def publish(self, n: int, lab: str, terms: AgreementId) -> list[Model]:
        """Publish into the release everybody looks at and into one of its own."""
        house, at = self.world.house, self.directory
        asks, form = (RESEARCH, terms), replace(FORM, title=f"Form {n}")
        found = [
            builders.publish_model(house, at, f"held-{n}", "T3", asks=asks, form=form),
            builders.publish_model(house, at, f"stopped-{n}", "T3", asks=asks, form=form),
            builders.publish_model(house, at, f"drafted-{n}", "T4", asks=asks, form=FORM),
        ]
        builders.publish_model(house, at, f"line-{n}", "T0", release=f"line-{n}", namespace=lab)
        builders.publish_model(house, at, f"taken-{n}", "T2", asks=(COMMUNITY,))
        builders.publish_model(house, at, f"unseen-{n}", "T3", visibility=Visibility.HIDDEN)
        builders.publish_model(house, at, "lyra-t3", "T3", asks=(RESEARCH,), form=FORM,
                               edition=f"edition {n}", tag=f"tag-{n}")  # fmt: skip
        return found

    def hold(self, held: Model, stopped: Model) -> None:
        """Give two people grants; stop one of each."""
        house, cast = self.world.house, self.world.cast
        builders.accept(house, cast.researcher, COMMUNITY)  # grants T2 models
        for member in (cast.researcher, cast.pending):
            builders.grant(house, member, held, cast.approver)
            grant = builders.grant(house, member, stopped, cast.approver)
            grants.change(
                house, context(), grant.id, GrantCommand.SUSPEND, EndReason.LEAK, "a leak"
            )

    def apply(self, n: int) -> None:
        """Let somebody new apply for and somebody new hold the model; leave a draft of several."""
        house, cast, t3 = self.world.house, self.world.cast, self.world.models["T3"]
        builders.apply_for(house, hire_one(house, f"asking{n}"), t3)
        builders.grant(house, hire_one(house, f"holding{n}"), t3, cast.approver)
        names = [(model.namespace, model.name) for model in self.drafted[-MAX_MODELS:]]
        drafts.start(house, context(cast.pending.actor), names, Typed(purpose="later"))

    def discuss(self, n: int) -> None:
        """Let a new colleague write into the case."""
        house, pending = self.world.house, self.world.cast.pending
        case = self.case(pending, ApplicationState.SUBMITTED)
        colleague = hire_one(house, f"colleague{n}")
        members.set_role(house, context(), NAMESPACE, colleague.email, Role.HANDLER, remove=False)
        for internal in (True, False):
            ctx = context(colleague.actor)
            decisions.post_message(house, ctx, case, f"Note {n}", internal=internal)

    def upload(self, n: int) -> UploadId:
        """Begin an upload, for the model everybody looks at."""
        house, owner = self.world.house, context(self.world.cast.owner.actor)
        wanted = Wanted(f"part-{n}.bin", 9)
        return sending.begin(house, owner, self.world.name("T3"), wanted).upload.id

    def case(self, lead: Member, state: ApplicationState) -> Any:
        """Return a person's first case in a state."""
        mine = reading.mine(self.world.house, context(lead.actor)).applications
        return next(a.id for a in reversed(mine) if a.state is state)

    def enter(self, who: str, session: str = "first") -> str:
        """Begin a session of one of the cast; return its id."""
        session_id, person = f"session-{session}-of-{who}-0123456789", self.world.cast[who].id
        payload = json.dumps({"_user_id": person})
        sessions.begin(self.world.house, context(), session_id, person, payload, "browser")
        return session_id

    def values(self) -> dict[str, str]:
        """Return what the placeholders of the doors stand for now."""
        house, cast, model = self.world.house, self.world.cast, self.world.models["T3"]
        with house.db.reading() as read:
            revision = read.catalogue.revision(model.id, "main")
        assert revision is not None
        link = downloads.issue_link(house, context(cast.researcher.actor), self.world.ref("T3"))
        accepted = agreements.mine(house, context(cast.researcher.actor))
        return {
            **{key.lower(): model.full_name for key, model in self.world.models.items()},
            "case": self.case(cast.pending, ApplicationState.SUBMITTED),
            "decided": self.case(cast.researcher, ApplicationState.APPROVED),
            "receipt": next(a.id for a, text in accepted if text.id == RESEARCH),
            "revision": revision.id,
            "link": link.path,
            "stopped": self.stopped.full_name,
            "drafted": self.drafted[-1].full_name,
            "upload": self.upload(0),
        }

    def measure(self) -> Counts:
        """Ask at every door, and again while counting: what is written once an hour is there."""
        values, found = self.values(), {}
        people = {who for who, _ in ASKED if who}
        cookies = {who: self.enter(who, values["revision"]) for who in people}
        for who, path in ASKED:
            client, headers = self.app.test_client(), {}
            if who and path.startswith(("/api/", "/{t3}/resolve", "/{t3}/user")):
                headers = self.world.cast[who].headers
            elif who:
                client.set_cookie("gk_session", cookies[who], domain="localhost")
            for _ in range(2):
                with counted(self.world.house) as seen:
                    answer = client.get(path.format_map(values), headers=headers)
                    answer.get_data()
                    answer.close()
                assert answer.status_code == (403 if "{stopped}" in path else 200), path
            found[who, path] = len(seen)
        return found


@pytest.fixture(scope="module")
def counts(
    sqlite_template: Callable[[bool], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Counts, Counts]]:
    """Count at every door with few and with many."""
    directory = tmp_path_factory.mktemp("growing")
    data, world = sqlite_template(True)
    shutil.copytree(data, directory / "data")
    site = Site(directory / "data")
    house = site.open()
    app = create_app(site.settings, house, read_keys(site.settings, site.data).sessions)
    app.testing = True
    growing = Growing(replace(world, house=house), app, directory / "files")
    growing.grow(FEW)
    few = growing.measure()
    growing.grow(MANY - FEW)
    yield few, growing.measure()
    house.db.close()


@pytest.mark.parametrize(("who", "path"), ASKED)
def test_a_door_asks_as_often_of_many_as_of_few(
    who: str, path: str, counts: tuple[Counts, Counts]
) -> None:
    few, many = counts
    assert many[who, path] == few[who, path]


def test_every_route_that_shows_something_is_counted(app: Flask) -> None:
    routes = {r.endpoint for r in app.url_map.iter_rules() if "GET" in (r.methods or set())}
    assert routes == set(DOORS) | WITHOUT
