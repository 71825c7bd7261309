"""Fills an empty demo with config/demo: people, releases, models, agreements and cases.

Everything goes through the services, each act under a clock set back to its day, in order of time,
so that the ledger reads as eleven months of an archive. Not here: the server (demo), the model
files' bytes (demo_files).
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from gatekeeper import clock, resources
from gatekeeper.cli.demo_files import write_model_files
from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import ApplicationId, Outcome, RejectReason
from gatekeeper.domain.catalogue import AgreementId, Visibility
from gatekeeper.domain.grants import EndReason, GrantCommand
from gatekeeper.domain.people import OPERATOR, Actor, ActorKind, Context, PersonId, Role, SiteRole
from gatekeeper.services import agreements, grants, members, registration
from gatekeeper.services.applications import decisions, drafts
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import folder, releases, revisions

FOUNDED_DAYS_AGO = 330.0
_DATE = re.compile(r"@([+-]\d+)d")

NOT_YET = ApplicationId("")

Step = tuple[float, Callable[[], None]]


@dataclass(slots=True)
class Seeder:
    """One seeding: where from, where to, and what the day is."""

    house: House
    now: datetime
    passwords: Mapping[str, str]
    source: Path = field(default_factory=lambda: resources.directory("config") / "demo")
    people: dict[str, PersonId] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def as_operator(self, days_ago: float) -> Context:
        """Return the operator's Context so many days ago."""
        return replace(clock.context_for(OPERATOR), now=self.now - timedelta(days=days_ago))

    def as_person(self, username: str, days_ago: float) -> Context:
        """Return a person's Context so many days ago."""
        actor = Actor(ActorKind.PERSON, self.people[username])
        return replace(self.as_operator(days_ago), actor=actor)

    def toml(self, path: Path) -> dict[str, Any]:
        """Read a TOML file, `@-12d` standing for the day twelve days ago."""
        return tomllib.loads(self.dated(path.read_text()))

    def dated(self, text: str) -> str:
        """Write each `@-12d` of a text as an ISO date."""
        return _DATE.sub(lambda m: str(self.now.date() + timedelta(days=int(m[1]))), text)


def seed(house: House, passwords: Mapping[str, str]) -> Seeder:
    """Fill an empty House; `passwords` by account key. Returns who is who."""
    seeder = Seeder(house, clock.read_clock(), passwords)
    plan = seeder.toml(seeder.source / "demo.toml")
    _add_people(seeder, plan)
    _publish_agreements(seeder)
    for release in plan["release"]:
        publish_release(seeder, release["owner"], seeder.source / "releases" / release["folder"])
    steps = [step for case in plan["application"] for step in _case(seeder, case)]
    steps += [_acceptance(seeder, row) for row in plan["acceptance"]]
    for _, do in sorted(steps, key=lambda step: -step[0]):
        do()
    return seeder


def _add_people(seeder: Seeder, plan: Mapping[str, Any]) -> None:
    ctx = seeder.as_operator(FOUNDED_DAYS_AGO)
    for row in plan["namespace"]:
        releases.add_namespace(seeder.house, ctx, row["name"], row["title"])
    for row in plan["person"]:
        key = row.get("key", "")
        typed = registration.Registration(
            row["email"],
            row["username"],
            row["name"],
            row["affiliation"],
            seeder.passwords.get(key, ""),
        )
        role = SiteRole(row["site_role"]) if "site_role" in row else None
        verified = row.get("verified", True)
        made = registration.create_person(seeder.house, ctx, typed, verified=verified, role=role)
        seeder.people[row["username"]], seeder.names[row["username"]] = made, row["name"]
        if key:
            seeder.keys[key] = row["username"]
        for namespace in plan["namespace"] if "namespace_role" in row else ():
            members.set_role(
                seeder.house,
                ctx,
                namespace["name"],
                row["email"],
                Role(row["namespace_role"]),
                remove=False,
            )


def _publish_agreements(seeder: Seeder) -> None:
    ctx = seeder.as_operator(FOUNDED_DAYS_AGO - 1)
    for path in sorted((seeder.source / "agreements").glob("*.toml")):
        title, intro, clauses = folder.read_agreement(path)
        agreements.publish(
            seeder.house, ctx, AgreementId(path.stem), title, intro, clauses, Change.MATERIAL
        )


def publish_release(seeder: Seeder, owner: str, source: Path) -> None:
    """Publish a demo release: its page from the folder, and every model of its models.toml."""
    days_ago = FOUNDED_DAYS_AGO - 10
    with tempfile.TemporaryDirectory() as scratch:
        dated = Path(scratch) / "release"
        shutil.copytree(source, dated)
        for path in dated.glob("*.toml"):
            path.write_text(seeder.dated(path.read_text()))
        page = folder.read_release(dated)
        ctx = seeder.as_operator(days_ago)
        releases.create_or_change(seeder.house, ctx, owner, source.name, page.about.title, page)
        for index, row in enumerate(tomllib.loads((dated / "models.toml").read_text())["model"]):
            card = (dated / "cards" / f"{row['name']}.md").read_text()
            files = Path(scratch) / row["name"]
            attached = seeder.source / "files" / row["name"]
            write_model_files(files, row["name"], card, f"gatekeeper-{row['name']}", attached)
            ctx = seeder.as_operator(days_ago - 30 * (index + 1))
            revisions.publish(seeder.house, ctx, files, target_of(seeder, owner, source.name, row))


def target_of(seeder: Seeder, owner: str, release: str, row: Mapping[str, Any]) -> revisions.Target:
    """Return where and under what a row of models.toml is published."""
    form = row.get("form")
    return revisions.Target(
        namespace=owner,
        name=row["name"],
        release=release,
        tier=seeder.house.tiers[row["tier"]],
        title=row["title"],
        agreements=tuple(AgreementId(a) for a in row["agreements"]),
        form=folder.read_form_file(seeder.source / "forms" / f"{form}.toml") if form else None,
        visibility=Visibility(row["visibility"]),
        open_files=tuple(row["open_files"]),
        message=f"Publish {row['title']}",
    )


def _acceptance(seeder: Seeder, row: Mapping[str, Any]) -> Step:
    def accept() -> None:
        ctx = seeder.as_person(row["person"], row["age_days"])
        _accept(seeder, ctx, row["person"], AgreementId(row["agreement"]))

    return row["age_days"], accept


def _accept(seeder: Seeder, ctx: Context, username: str, agreement_id: AgreementId) -> None:
    agreement = agreements.show(seeder.house, agreement_id)
    signing = agreements.Signing(
        agreement.sha256, [c.id for c in agreement.clauses], seeder.names[username]
    )
    agreements.accept(seeder.house, ctx, agreement_id, signing)


@dataclass(slots=True)
class _Case:
    """One case of demo.toml on its way to the state it names."""

    seeder: Seeder
    row: Mapping[str, Any]
    id: ApplicationId = NOT_YET
    version: int = 0

    def staff(self, key: str) -> str:
        """Return the username of a staff key."""
        return self.seeder.keys[key]

    def submit(self) -> None:
        """Accept the terms, write the draft and send it."""
        row, house = self.row, self.seeder.house
        ctx = self.seeder.as_person(row["person"], row["age_days"])
        owner, _, name = row["model"].partition("/")
        with house.db.reading() as read:
            model = read.catalogue.model(owner, name)
        assert model is not None, row["model"]  # noqa: S101  a demo of our own
        answers = {k: _text(v) for k, v in row["answers"].items()}
        typed = drafts.Typed(row["purpose"], answers, row["public_summary"])
        draft = drafts.start(house, ctx, [(owner, name)], typed)
        for agreement_id in model.agreements:
            _accept(self.seeder, ctx, row["person"], agreement_id)
        sent = drafts.submit(house, ctx, draft.application_id, drafts.Submission())
        self.id, self.version = sent.id, sent.version

    def claim(self, days_ago: float) -> None:
        """Let the named assignee take the case."""
        ctx = self.seeder.as_person(self.staff(self.row["assignee"]), days_ago)
        self.version = decisions.claim(self.seeder.house, ctx, self.id, self.version).version

    def decide(self, key: str, days_ago: float, decision: Decision) -> None:
        """Let a member of staff decide."""
        ctx = self.seeder.as_person(self.staff(key), days_ago)
        stamped = replace(decision, version=self.version)
        self.version = decisions.decide(self.seeder.house, ctx, self.id, stamped).version

    def write(self, username: str, days_ago: float, text: str, *, internal: bool = False) -> None:
        """Let somebody write in the thread."""
        ctx = self.seeder.as_person(username, days_ago)
        self.version = decisions.post_message(
            self.seeder.house, ctx, self.id, text, internal=internal
        ).version

    def end(self, days_ago: float, then: Mapping[str, Any]) -> None:
        """Do to the grant what the case says came after."""
        ctx = self.seeder.as_person(self.staff("approver"), days_ago)
        with self.seeder.house.db.reading() as read:
            grant = read.grants.of_application(self.id)[0]
        grants.change(
            self.seeder.house,
            ctx,
            grant.id,
            GrantCommand(then["act"]),
            EndReason(then["reason"]),
            then["note"],
        )


def _case(seeder: Seeder, row: Mapping[str, Any]) -> Iterator[Step]:
    case = _Case(seeder, row)
    acted = row.get("acted_age_days", row["age_days"])
    yield row["age_days"], case.submit
    assignee = row.get("assignee", "none")
    if assignee != "none":
        claimed = acted + (row["age_days"] - acted) * 0.5
        yield claimed, lambda: case.claim(claimed)
        if note := row.get("internal_note"):
            noted = acted + (row["age_days"] - acted) * 0.25
            yield noted, lambda: case.write(case.staff(assignee), noted, note, internal=True)
    yield from _outcome(case, row, acted, assignee)


def _outcome(case: _Case, row: Mapping[str, Any], acted: float, assignee: str) -> Iterator[Step]:
    note = row.get("note", "")
    ends_on = date.fromisoformat(row["ends_on"]) if "ends_on" in row else None
    approve = Decision(VerdictKind.APPROVE, 0, note=note, ends_on=ends_on)
    match row["state"]:
        case "info_requested":
            ask = Decision(VerdictKind.ASK, 0, note=row["question"])
            yield acted, lambda: case.decide(assignee, acted, ask)
            yield from _reply(case, row, acted * 0.5)
        case "second_approval":
            yield acted, lambda: case.decide("approver", acted, approve)
        case "approved":
            yield acted, lambda: case.decide("approver", acted, approve)
            if row["model"].endswith("-tuned"):
                second = replace(approve, note="")
                yield acted * 0.99, lambda: case.decide("approver2", acted * 0.99, second)
            if then := row.get("then"):
                yield then["age_days"], lambda: case.end(then["age_days"], then)
        case "rejected":
            reject = _rejection(row, note)
            yield acted, lambda: case.decide("approver", acted, reject)
        case "withdrawn":
            yield from _reply(case, row, acted + 0.01)
            yield acted, lambda: _withdraw(case, row["person"], acted)


def _rejection(row: Mapping[str, Any], note: str) -> Decision:
    outcome, _, day = row["outcome"].partition(":")
    return Decision(
        VerdictKind.REJECT,
        0,
        note=note,
        reason=RejectReason(row["reason"]),
        outcome=Outcome(outcome),
        after_on=date.fromisoformat(day) if day else None,
    )


def _reply(case: _Case, row: Mapping[str, Any], days_ago: float) -> Iterator[Step]:
    if reply := row.get("reply"):
        yield days_ago, lambda: case.write(row["person"], days_ago, reply)


def _withdraw(case: _Case, username: str, days_ago: float) -> None:
    ctx = case.seeder.as_person(username, days_ago)
    drafts.withdraw(case.seeder.house, ctx, case.id, None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value).strip()
