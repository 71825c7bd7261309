"""Facts: the past-tense things that happened, and the only way anything changes.

One module per capability; each ends in its union, which `db/changes` matches to the end. A fact
carries ids, digests and enums; personal data as `Sealed`, public text as `Content`. Facts evolve by
addition only: a new field comes last with a default, a retired kind stays listed.
"""

from gatekeeper.domain.facts.agreements import AgreementFact
from gatekeeper.domain.facts.applications import ApplicationFact
from gatekeeper.domain.facts.audit import AuditFact
from gatekeeper.domain.facts.catalogue import CatalogueFact
from gatekeeper.domain.facts.downloads import DownloadFact
from gatekeeper.domain.facts.grants import GrantFact
from gatekeeper.domain.facts.people import PeopleFact

Fact = (
    PeopleFact
    | CatalogueFact
    | AgreementFact
    | ApplicationFact
    | GrantFact
    | DownloadFact
    | AuditFact
)

__all__ = [
    "AgreementFact",
    "ApplicationFact",
    "AuditFact",
    "CatalogueFact",
    "DownloadFact",
    "Fact",
    "GrantFact",
    "PeopleFact",
]
