"""Random histories of verbs: whatever people do, these hold.

Replaying the ledger gives equal tables; what is listed opens and what opens is listed; no act
widens access for anybody but the person it is for; time never grants; a link never says more than
the rule. A history is its seed: the failing one is named with its steps.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from gatekeeper import clock
from gatekeeper.domain.access import Fetch, Refused, See, decide
from gatekeeper.domain.agreements import Change
from gatekeeper.domain.applications import Application, Outcome, RejectReason
from gatekeeper.domain.catalogue import Model
from gatekeeper.domain.errors import (
    BadLink,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    TermsOutdated,
)
from gatekeeper.domain.grants import EndReason, Grant, GrantCommand
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.people import ANONYMOUS, OPERATOR, Actor, Context, PersonId, Role, Scope
from gatekeeper.services import (
    access,
    agreements,
    audit,
    catalogue,
    downloads,
    grants,
    members,
    tokens,
)
from gatekeeper.services.applications import decisions, drafts
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import revisions
from tests import builders
from tests.builders import HIDDEN, World
from tests.cast import Member, context
from tests.rooms import depth

EXPECTED = (Refused, Invalid, NotAllowed, NotFound, Conflict, TermsOutdated, BadLink)
TERMS = (builders.COMMUNITY, builders.RESEARCH)
APPLICANTS = ("researcher", "applicant", "pending", "stranger", "handler", "admin")
DECIDERS = ("approver", "approver2", "approver", "approver2", "handler", "compliance", "owner")
VERDICTS = (*VerdictKind, VerdictKind.APPROVE, VerdictKind.APPROVE, VerdictKind.APPROVE)
FILES = ("model.safetensors", "config.json", "README.md", "absent.bin")
T = TypeVar("T")

# (person or '', model) -> (sees it, may fetch its gated files)
Matrix = Mapping[tuple[str, str], tuple[bool, bool]]


class History:
    """One random history in a house of its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.now = clock.read_clock() + timedelta(hours=1)
        self.links: list[tuple[str, Member, str, str]] = []
        self.editions = 0
        self.before = self.matrix()
        self.trail: list[str] = []

    @property
    def house(self) -> House:
        """The house."""
        return self.world.house

    def one(self, things: Sequence[T]) -> T:
        """Choose one."""
        return self.chance.choice(things)

    def who(self, *keys: str) -> Member:
        """Choose one of the cast."""
        member = self.one([self.world.cast[k] for k in keys] or [*self.world.cast])
        self.trail[-1] += f" {member.key}"
        return member

    def ctx(self, actor: Actor) -> Context:
        """Act at the history's own time."""
        return context(actor, self.now)

    def matrix(self) -> Matrix:
        """Ask the rule about everybody and every model."""
        found = {}
        with self.house.db.reading() as read:
            people = read.people.many({m.id for m in self.world.cast})
            models = read.catalogue.models_by_id({m.id for m in self.world.models.values()})
            for person in (None, *people.values()):
                for model in models.values():
                    standing = access.judge(read, person, model, self.now).standing
                    sees = decide(standing, model, See(), self.now).allowed
                    fetches = decide(standing, model, access.ANY_FILE, self.now).allowed
                    assert sees or not fetches
                    found[person.id if person else "", model.id] = (sees, fetches)
        return found

    @contextmanager
    def widens_only(self, *gainers: PersonId) -> Iterator[None]:
        """Let a verb happen; whoever may do more afterwards must be among the gainers."""
        try:
            yield
        except EXPECTED as refused:
            self.trail[-1] += f": {type(refused).__name__}"
            gainers = ()
        after = self.matrix()
        for key, (sees, fetches) in after.items():
            saw, fetched = self.before[key]
            gained = (sees and not saw) or (fetches and not fetched)
            assert not gained or key[0] in gainers, f"{key} was widened"
        self.before = after

    def a_case(self) -> Application:
        """Choose a case, rather an open one."""
        with self.house.db.reading() as read:
            cases = [a for m in self.world.cast for a in read.applications.of_lead(m.id)]
        waiting = [case for case in cases if case.is_open]
        return self.one(waiting if waiting and self.chance.random() < 0.8 else cases)

    def a_grant(self) -> Grant:
        """Choose a grant."""
        with self.house.db.reading() as read:
            return self.one(read.grants.newest())

    # --- what people do

    def accept(self) -> None:
        """Accept the current version of some terms."""
        member, terms = self.who(), self.one(TERMS)
        with self.widens_only(member.id):
            signing = builders.signing(self.house, member, terms)
            agreements.accept(self.house, self.ctx(member.actor), terms, signing)

    def apply(self) -> None:
        """Apply for a model, mostly with the terms signed."""
        member, key = self.who(*APPLICANTS), self.one(("T2", "T3", "T3", "T4", "T4", "T5", HIDDEN))
        wanted, signs = self.world.models[key], self.chance.random() < 0.8
        with self.widens_only(member.id):
            ctx = self.ctx(member.actor)
            typed = Typed("study", builders.answers(member), "")
            draft = drafts.start(self.house, ctx, [self.world.name(key)], typed)
            asked = wanted.agreements if signs else ()
            signed = {a: builders.signing(self.house, member, a) for a in asked}
            submission = Submission(draft.version, signed)
            drafts.submit(self.house, ctx, draft.application_id, submission)

    def answer(self) -> None:
        """Submit again what staff had a question about."""
        case = self.a_case()
        with self.widens_only(case.lead_id):
            member = next(m for m in self.world.cast if m.id == case.lead_id)
            submission = Submission(case.version, {})
            drafts.submit(self.house, self.ctx(member.actor), case.id, submission)

    def decide(self) -> None:
        """Decide a case, now and then one that has changed."""
        case, member = self.a_case(), self.who(*DECIDERS)
        decision = Decision(
            self.one(VERDICTS),
            case.version - (self.chance.random() < 0.1),
            note="Because.",
            reason=RejectReason.OUT_OF_SCOPE,
            outcome=self.one((Outcome.FIXABLE, Outcome.FIXABLE, Outcome.FINAL)),
        )
        with self.widens_only(case.lead_id):
            decisions.decide(self.house, self.ctx(member.actor), case.id, decision)

    def handle(self) -> None:
        """Claim, speak, note or withdraw."""
        case, ctx = self.a_case(), self.ctx(self.who().actor)
        with self.widens_only():
            match self.chance.randrange(4):
                case 0:
                    decisions.claim(self.house, ctx, case.id, case.version)
                case 1:
                    drafts.withdraw(self.house, ctx, case.id, case.version)
                case number:
                    decisions.post_message(self.house, ctx, case.id, "words", internal=number == 2)

    def change_grant(self) -> None:
        """Give any command about any grant."""
        grant, command = self.a_grant(), self.one([*GrantCommand])
        with self.widens_only(grant.person_id):
            ctx = self.ctx(self.who().actor)
            grants.change(self.house, ctx, grant.id, command, EndReason.ERROR)

    # --- what operators and owners do

    def suspend(self) -> None:
        """Suspend an account or, more often, reinstate it."""
        member, suspended = self.who(), self.chance.random() < 0.4
        with self.widens_only(member.id):
            ctx = self.ctx(OPERATOR)
            members.set_suspended(self.house, ctx, member.email, "test", suspended=suspended)

    def give_role(self) -> None:
        """Give somebody a role in the namespace or take it away."""
        member, role, remove = self.who(), self.one([*Role]), self.chance.random() < 0.6
        with self.widens_only(member.id):
            ctx = self.ctx(OPERATOR)
            members.set_role(self.house, ctx, "northfield", member.email, role, remove=remove)

    def publish_terms(self) -> None:
        """Publish a new version of some terms."""
        self.editions += 1
        with self.widens_only():
            builders.publish_agreement(
                self.house,
                self.one(TERMS),
                change=self.one([*Change, Change.EDITORIAL, Change.EDITORIAL]),
                edition=f"edition {self.editions}",
            )

    def publish(self) -> None:
        """Publish a revision under some tier; a stricter one tightens, a looser one is refused."""
        self.editions += 1
        key = self.one([*self.world.models])
        known = self.world.models[key]
        tier = self.house.tiers[self.one((known.tier.code, known.tier.code, *builders.TIERS[:4]))]
        with self.widens_only(), tempfile.TemporaryDirectory() as directory:
            folder = builders.write_files(Path(directory), known.name, f"e{self.editions}")
            target = revisions.Target(known.namespace, known.name, known.release_name, tier)
            ctx = self.ctx(self.who("owner", "owner", "handler").actor)
            revisions.publish(self.house, ctx, folder, target)

    def make_token(self) -> None:
        """Make an access token and end it."""
        member = self.who()
        with self.widens_only():
            ctx = self.ctx(member.actor)
            token, _ = tokens.create(self.house, ctx, member.id, "one", Scope.READ, 1)
            tokens.revoke(self.house, ctx, token.id)

    # --- fetching

    def link(self) -> None:
        """Ask for a link."""
        member, key, path = self.who(), self.one([*self.world.models]), self.one(FILES)
        with self.widens_only():
            ref = self.world.ref(key, path)
            issued = downloads.issue_link(self.house, self.ctx(member.actor), ref)
            self.links.append((issued.path.split("/")[2], member, key, path))

    def fetch(self) -> None:
        """Fetch or look at a file."""
        actor = self.who().actor if self.chance.random() < 0.9 else ANONYMOUS
        verb = self.one((downloads.request_file, downloads.look))
        ref = self.world.ref(self.one([*self.world.models]), self.one(FILES))
        with self.widens_only():
            verb(self.house, self.ctx(actor), ref)

    def redeem(self) -> None:
        """Use an old link: it must open exactly where the rule lets its holder fetch."""
        if not self.links:
            return
        token, member, key, path = self.one(self.links)
        with self.house.db.reading() as read:
            person = read.people.by_id(member.id)
            model = read.catalogue.model_by_id(self.world.models[key].id)
            assert model is not None
            allowed = access.judge(read, person, model, self.now, Fetch(path)).verdict.allowed
        try:
            downloads.redeem(self.house, self.ctx(ANONYMOUS), token, serves=True)
        except BadLink as error:
            if not error.expired:
                raise
        except (Refused, NotFound):
            assert not allowed
        else:
            assert allowed

    # --- time, and looking around

    def wait(self) -> None:
        """Let time go by: nobody gains."""
        self.now += timedelta(days=self.one((0.001, 0.01, 1, 40, 200)))
        with self.widens_only():
            pass

    def look(self) -> None:
        """What is listed opens, and what opens is listed."""
        ctx = self.ctx(self.who().actor if self.chance.random() < 0.9 else ANONYMOUS)
        listed = {j.model.full_name for j in catalogue.list_models(self.house, ctx)[0]}
        views, _ = catalogue.releases(self.house, ctx)
        on_pages = {j.model.full_name for view in views for j in view.models}
        opened = {m.full_name for m in self.world.models.values() if self.opens(ctx, m)}
        assert listed == on_pages == opened

    def opens(self, ctx: Context, model: Model) -> bool:
        """Say whether the model's page opens."""
        try:
            catalogue.model(self.house, ctx, model.namespace, model.name)
        except NotFound:
            return False
        return True

    def end(self) -> None:
        """Look through the ledger and the tables."""
        self.house.db.sequence_all()
        assert list(audit.verify(self.house)) == []
        assert audit.compare(self.house) == []

    def run(self, steps: int) -> None:
        """Take random steps; an error carries the seed's steps."""
        often = (self.accept, self.apply, self.apply, self.decide, self.decide, self.link)
        rest = (
            self.answer, self.handle, self.change_grant, self.suspend, self.give_role,
            self.publish_terms, self.publish, self.make_token, self.fetch, self.redeem, self.wait,
            self.look,
        )  # fmt: skip
        try:
            for _ in range(steps):
                step = self.one((*often, *rest))
                self.trail.append(step.__name__)
                step()
            self.end()
        except Exception as error:
            error.add_note("\n".join(self.trail))
            raise


@pytest.mark.parametrize("seed", range(depth(2, 40)))
def test_a_random_history_keeps_every_promise(seed: int, any_world: World) -> None:
    history = History(any_world, seed)
    history.run(depth(40, 150))
    with any_world.house.db.reading() as read:
        kinds = Counter(e.kind for e in read.audit.search(EntryFilter(limit=100_000)))
    # A history in which nothing happens shows nothing.
    assert len(kinds) >= 15, kinds
