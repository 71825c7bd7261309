"""What the cast works with: a namespace, a release, agreements, a form, a model of every tier.

Gated bytes hold a canary, one a model; answers and messages hold their writer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from gatekeeper.domain.agreements import Agreement, Change, TermsClause
from gatekeeper.domain.applications import Application, ApplicationId
from gatekeeper.domain.catalogue import AgreementId, Model, Release, Visibility
from gatekeeper.domain.errors import MailFailed
from gatekeeper.domain.forms import Field, FieldType, Form
from gatekeeper.domain.grants import Grant
from gatekeeper.domain.notices import Notice, NoticeKind, ToPerson
from gatekeeper.domain.people import PersonId
from gatekeeper.services import agreements, grants
from gatekeeper.services.agreements import Signing
from gatekeeper.services.applications import decisions, drafts
from gatekeeper.services.applications.decisions import Decision, VerdictKind
from gatekeeper.services.applications.drafts import Submission, Typed
from gatekeeper.services.downloads import FileRef
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import releases, revisions
from gatekeeper.services.publishing.folder import (
    About,
    Audience,
    Criterion,
    DetectionGuide,
    ReleaseContent,
    Risk,
    RiskAnalysis,
    Stage,
    StagePlan,
)
from tests.cast import NAMESPACE, Cast, Member, context, hire

RELEASE = "lyra"
COMMUNITY = AgreementId("community-terms")  # what T2 asks
RESEARCH = AgreementId("research-use")  # what T3, T4 and the hidden model ask
WEIGHTS = "model.safetensors"
TIERS = ("T0", "T1", "T2", "T3", "T4", "T5")
HIDDEN = "hidden"

FORM = Form(
    title="Research application",
    intro="One question of every kind.",
    fields=(
        Field("study", FieldType.LONG_TEXT, "What will you do?"),
        Field("group", FieldType.TEXT, "Which group?", max_chars=100),
        Field("kind", FieldType.CHOICE, "What kind?", options=("Safety", "Teaching")),
        Field("careful", FieldType.CHECKBOX, "I keep the weights to myself"),
        Field("until", FieldType.DATE, "Until when?"),
        Field("country", FieldType.COUNTRY, "Where?"),
        Field("institution", FieldType.ADDRESS, "Postal address", required=False),
    ),
)


@dataclass(frozen=True, slots=True)
class World:
    """A furnished house, its cast, and its models by tier code and `hidden`."""

    house: House
    cast: Cast
    models: Mapping[str, Model]

    def ref(self, key: str, path: str = WEIGHTS, revision: str = "main") -> FileRef:
        """Return the address of a file of one of the models."""
        model = self.models[key]
        return FileRef(model.namespace, model.name, revision, path)

    def name(self, key: str) -> tuple[str, str]:
        """Return namespace and name of one of the models."""
        return self.models[key].namespace, self.models[key].name


def artifact_canary(model_name: str) -> str:
    """Return the text that every gated file of a model holds."""
    return f"zqweights-{model_name}-zq"


def model_name(key: str) -> str:
    """Return the name of the model of a tier, or of the hidden one."""
    return f"{RELEASE}-{key.lower()}"


def clauses(count: int = 3, *, edition: str = "first") -> tuple[TermsClause, ...]:
    """Make numbered clauses."""
    return tuple(
        TermsClause(str(n), f"Clause {n}", f"You keep to rule {n} of the {edition} edition.")
        for n in range(1, count + 1)
    )


def publish_agreement(
    house: House,
    agreement_id: AgreementId = RESEARCH,
    *,
    change: Change = Change.MATERIAL,
    edition: str = "first",
) -> Agreement:
    """Publish a version; another `edition` is another text."""
    title = f"Terms {agreement_id}"
    text = clauses(edition=edition)
    return agreements.publish(house, context(), agreement_id, title, "Read them.", text, change)


def release_content() -> ReleaseContent:
    """Make the smallest release page that has one of everything."""
    return ReleaseContent(
        about=About(title="Lyra", tagline="A line of small models", contact="desk@lab.example"),
        summary="# Summary\n\nA **release**.",
        values="We release in stages.",
        risks=RiskAnalysis(
            risk=(
                Risk(
                    id="spam",
                    scenario="Cheap text at scale",
                    detail="Somebody floods a forum.",
                    likelihood=3,
                    harm=2,
                    mitigation="A detector is open.",
                    residual=2,
                ),
            )
        ),
        detection=DetectionGuide(
            audience=(Audience(id="press", title="Press", tips=("Ask twice.",), limits=("None.",)),)
        ),
        plan=StagePlan(
            stage=(
                Stage(
                    id="s1",
                    title="Small first",
                    tier="T0",
                    on=date(2026, 1, 1),
                    state="live",
                    criterion=(Criterion(id="c1", text="Done", blocking=True, status="met"),),
                ),
            )
        ),
    )


def add_release(house: House, namespace: str = NAMESPACE, name: str = RELEASE) -> Release:
    """Add a namespace, where it is missing, and a release with its page."""
    with house.db.reading() as read:
        known = read.catalogue.namespace(namespace)
    if known is None:
        releases.add_namespace(house, context(), namespace, namespace.title())
    return releases.create_or_change(
        house, context(), namespace, name, name.title(), release_content()
    )


def write_files(directory: Path, name: str, edition: str = "first") -> Path:
    """Write a model's folder: an open card and licence, and gated files with the canary."""
    directory.mkdir(parents=True, exist_ok=True)
    canary = artifact_canary(name)
    (directory / "README.md").write_text(f"---\nlicense: other\n---\n# {name}\n\nThe card.\n")
    (directory / "LICENSE").write_text("Ask before you use it.\n")
    (directory / "config.json").write_text(f'{{"made_for": "{canary}", "edition": "{edition}"}}\n')
    (directory / "deep").mkdir(exist_ok=True)
    (directory / "deep" / "vocab.txt").write_text(f"{canary}\n{edition}\n")
    block = f"{canary} {edition} ".encode()
    (directory / WEIGHTS).write_bytes(block * (8000 // len(block)))
    return directory


def publish_model(
    house: House,
    directory: Path,
    name: str,
    tier: str,
    *,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    asks: Sequence[AgreementId] = (),
    form: Form | None = None,
    visibility: Visibility = Visibility.PUBLIC,
    edition: str = "first",
    branch: str = "main",
    tag: str = "",
    publisher: Member | None = None,
) -> Model:
    """Write a model's files and publish them as one revision."""
    folder = write_files(directory / name, name, edition)
    target = revisions.Target(
        namespace=namespace,
        name=name,
        release=release,
        tier=house.tiers[tier],
        agreements=tuple(asks),
        form=form,
        visibility=visibility,
        branch=branch,
        tag=tag,
        message=f"Publish the {edition} edition",
    )
    ctx = context(publisher.actor) if publisher is not None else context()
    revisions.publish(house, ctx, folder, target)
    with house.db.reading() as read:
        model = read.catalogue.model(namespace, name)
    assert model is not None
    return model


def answers(member: Member, form: Form = FORM) -> dict[str, str]:
    """Answer every question of a form; the free texts hold the member's canary."""
    fixed = {
        FieldType.CHECKBOX: "yes",
        FieldType.DATE: "2027-01-01",
        FieldType.COUNTRY: "GH",
    }
    return {
        f.name: f.options[0] if f.options else fixed.get(f.type, f"My {f.name} {member.canary}")
        for f in form.fields
    }


def signing(house: House, member: Member, agreement_id: AgreementId) -> Signing:
    """Sign the current version in full."""
    current = agreements.show(house, agreement_id)
    return Signing(current.sha256, [c.id for c in current.clauses], member.name)


def accept(house: House, member: Member, agreement_id: AgreementId) -> None:
    """Accept the current version."""
    agreements.accept(
        house, context(member.actor), agreement_id, signing(house, member, agreement_id)
    )


def apply_for(house: House, member: Member, *models: Model) -> Application:
    """Write, sign and submit an application."""
    ctx = context(member.actor)
    typed = Typed(
        purpose=f"A study by {member.canary}",
        answers=answers(member) if models[0].form_sha256 is not None else {},
        public_summary="A study of something.",
    )
    draft = drafts.start(house, ctx, [(m.namespace, m.name) for m in models], typed)
    asked = {a for m in models for a in m.agreements}
    signings = {a: signing(house, member, a) for a in asked}
    return drafts.submit(house, ctx, draft.application_id, Submission(draft.version, signings))


def decide(
    house: House, member: Member, application_id: ApplicationId, decision: Decision | None = None
) -> Application:
    """Decide a case as it stands; approve it when nothing else is said."""
    with house.db.reading() as read:
        found = read.applications.by_id(application_id)
    assert found is not None
    chosen = decision or Decision(VerdictKind.APPROVE, 0)
    return decisions.decide(
        house, context(member.actor), application_id, replace(chosen, version=found.version)
    )


def grant(house: House, member: Member, model: Model, *approvers: Member) -> Grant:
    """Lead one person through application and approval to a grant."""
    application = apply_for(house, member, model)
    for approver in approvers:
        decide(house, approver, application.id)
    return grants.mine(house, context(member.actor))[0]


def furnish(house: House, directory: Path) -> World:
    """Fill an empty house.

    Namespace `northfield`, release `lyra`, models `lyra-t0` to `lyra-t5` and `lyra-hidden` (T3,
    hidden). `owner` owns the namespace; `handler`, `approver`, `approver2` have that role in it;
    `researcher` holds T3; `pending` has an open application for it; `applicant` is verified and
    accepted nothing; `stranger` is unverified.
    """
    add_release(house)
    cast = hire(house)
    for agreement_id in (COMMUNITY, RESEARCH):
        publish_agreement(house, agreement_id)
    asks: dict[str, Sequence[AgreementId]] = {
        "T2": (COMMUNITY,), "T3": (RESEARCH,), "T4": (RESEARCH,), HIDDEN: (RESEARCH,),
    }  # fmt: skip
    models = {
        key: publish_model(
            house,
            directory,
            model_name(key),
            "T3" if key == HIDDEN else key,
            asks=asks.get(key, ()),
            form=FORM if key in {"T3", "T4", HIDDEN} else None,
            visibility=Visibility.HIDDEN if key == HIDDEN else Visibility.PUBLIC,
            tag="v1" if key == "T3" else "",
        )
        for key in (*TIERS, HIDDEN)
    }
    publish_model(  # a branch with a slash, for the doors that take revisions
        house, directory / "next", model_name("T3"), "T3", asks=(RESEARCH,), form=FORM,
        edition="second", branch="feat/x",
    )  # fmt: skip
    grant(house, cast.researcher, models["T3"], cast.approver)
    apply_for(house, cast.pending, models["T3"])
    house.db.sequence_all()
    with house.db.reading() as read:
        fresh = {
            key: read.catalogue.model_by_id(model.id) or model for key, model in models.items()
        }
    return World(house, cast, fresh)


def give_up_mail(house: House, person_ids: Sequence[str], error: str = "refused: 554") -> None:
    """Owe each of these people one mail and let all that is owed be refused for good."""
    ctx = context()
    with house.db.acting(ctx) as act:
        for person_id in person_ids:
            kind = NoticeKind.PASSWORD_CHANGED
            act.owe(Notice(kind, ToPerson(PersonId(person_id)), "/account", person_id))
        while claimed := act.ephemeral.claim_mail(ctx.now, 3600):
            for mail in claimed:
                act.ephemeral.mail_failed(mail, MailFailed(error, for_good=True), ctx.now)
