"""The readers of every capability over one connection."""

from __future__ import annotations

from sqlalchemy import Connection

from gatekeeper.db.agreements import AgreementReader
from gatekeeper.db.applications import ApplicationReader
from gatekeeper.db.audit import AuditReader
from gatekeeper.db.catalogue import CatalogueReader
from gatekeeper.db.devices import Devices
from gatekeeper.db.ephemeral import Ephemeral
from gatekeeper.db.grants import GrantReader
from gatekeeper.db.people import PeopleReader
from gatekeeper.db.registrants import Registrants
from gatekeeper.db.requests import RequestReader
from gatekeeper.db.uploads import Uploads
from gatekeeper.domain.tiers import Tiers


class Readers:
    """What may be asked of the database; all of it sees what the connection sees."""

    def __init__(self, connection: Connection, entry_key: bytes, tiers: Tiers) -> None:
        self.connection = connection
        self.people = PeopleReader(connection)
        self.catalogue = CatalogueReader(connection, tiers)
        self.agreements = AgreementReader(connection)
        self.applications = ApplicationReader(connection)
        self.grants = GrantReader(connection, entry_key)
        self.requests = RequestReader(connection)
        self.audit = AuditReader(connection, entry_key)
        self.ephemeral = Ephemeral(connection)
        self.registrants = Registrants(connection)
        self.devices = Devices(connection)
        self.uploads = Uploads(connection)
