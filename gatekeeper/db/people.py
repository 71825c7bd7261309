"""Reads people, roles, memberships and tokens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from gatekeeper.db import tables as t
from gatekeeper.db.statements import Prepared
from gatekeeper.domain.people import AccessToken, Person, PersonId, Role, Scope, SiteRole, TokenId

# A row a site role, and one for a person without any.
_PERSON = (
    select(t.persons, t.site_roles.c.role)
    .outerjoin(t.site_roles, t.site_roles.c.person_id == t.persons.c.id)
    .where(t.persons.c.id == bindparam("id"))
)
_BY_ID, _LOCKED = Prepared(_PERSON), Prepared(_PERSON.with_for_update(of=t.persons))
_MEMBERSHIPS = Prepared(
    select(t.members.c.namespace, t.members.c.role)
    .where(t.members.c.person_id == bindparam("person_id"))
    .order_by(t.members.c.namespace)
)
_TOKENS = select(t.tokens, t.token_uses.c.used_at).outerjoin(
    t.token_uses, t.token_uses.c.token_id == t.tokens.c.id
)
_TOKEN_BY_DIGEST = Prepared(_TOKENS.where(t.tokens.c.digest == bindparam("digest")))


class PeopleReader:
    """People over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def by_id(self, person_id: PersonId, *, lock: bool = False) -> Person | None:
        """Return a person; `lock` holds the row until the act ends (Postgres)."""
        rows = (_LOCKED if lock else _BY_ID).all(self._c, id=person_id)
        roles = frozenset(SiteRole(row.role) for row in rows if row.role is not None)
        return _person(rows[0], roles) if rows else None

    def by_email(self, email: str) -> Person | None:
        """Return the person with this normalised address."""
        return self._one(t.persons.c.email_value == email)

    def by_username(self, username: str) -> Person | None:
        """Return the person with this username."""
        return self._one(t.persons.c.username_value == username)

    def many(self, ids: set[PersonId]) -> dict[PersonId, Person]:
        """Return people by id, in two queries however many."""
        if not ids:
            return {}
        roles: dict[str, set[SiteRole]] = {}
        for person_id, role in self._c.execute(
            select(t.site_roles.c.person_id, t.site_roles.c.role).where(
                t.site_roles.c.person_id.in_(ids)
            )
        ):
            roles.setdefault(person_id, set()).add(SiteRole(role))
        rows = self._c.execute(select(t.persons).where(t.persons.c.id.in_(ids)))
        return {PersonId(row.id): _person(row, frozenset(roles.get(row.id, set()))) for row in rows}

    def password_hash(self, person_id: PersonId) -> str:
        """Return the argon2id hash, or '' when none is set."""
        value = self._c.execute(
            select(t.persons.c.password_value).where(t.persons.c.id == person_id)
        ).scalar_one_or_none()
        return value or ""

    def commitments(self, person_id: PersonId) -> tuple[str, str]:
        """Return the commitments of address and password: they end mailed tokens early."""
        row = self._c.execute(
            select(t.persons.c.email_commitment, t.persons.c.password_commitment).where(
                t.persons.c.id == person_id
            )
        ).one()
        return row.email_commitment, row.password_commitment

    def owner_name_is_free(self, name: str) -> bool:
        """Say whether neither a person nor a namespace bears the name."""
        person = self._c.execute(
            select(t.persons.c.id).where(t.persons.c.username_value == name)
        ).one_or_none()
        namespace = self._c.execute(
            select(t.namespaces.c.name).where(t.namespaces.c.name == name)
        ).one_or_none()
        return person is None and namespace is None

    def roles_in(self, person_id: PersonId, namespace: str) -> frozenset[Role]:
        """Return a person's roles in one namespace."""
        rows = self._c.execute(
            select(t.members.c.role).where(
                t.members.c.person_id == person_id, t.members.c.namespace == namespace
            )
        )
        return frozenset(Role(role) for role in rows.scalars())

    def memberships(self, person_id: PersonId) -> dict[str, frozenset[Role]]:
        """Return a person's roles by namespace."""
        found: dict[str, set[Role]] = {}
        for namespace, role in _MEMBERSHIPS.all(self._c, person_id=person_id):
            found.setdefault(namespace, set()).add(Role(role))
        return {namespace: frozenset(roles) for namespace, roles in found.items()}

    def token_by_digest(self, digest: str) -> AccessToken | None:
        """Return the token whose text has this SHA-256."""
        row = _TOKEN_BY_DIGEST.first(self._c, digest=digest)
        return _token(row) if row is not None else None

    def token(self, token_id: TokenId) -> AccessToken | None:
        """Return a token by id."""
        row = self._c.execute(_TOKENS.where(t.tokens.c.id == token_id)).one_or_none()
        return _token(row) if row is not None else None

    def tokens_of(self, person_id: PersonId) -> list[AccessToken]:
        """Return a person's tokens, newest first."""
        rows = self._c.execute(
            _TOKENS.where(t.tokens.c.person_id == person_id).order_by(t.tokens.c.created_at.desc())
        )
        return [_token(row) for row in rows]

    def search(self, words: str, limit: int = 20) -> list[Person]:
        """Return people whose address, username or name is or begins with the words."""
        begin = words.replace("%", "").replace("_", r"\_") + "%"
        ids = self._c.execute(
            select(t.persons.c.id)
            .where(
                or_(
                    t.persons.c.id == words,
                    t.persons.c.email_value == words.lower(),
                    t.persons.c.username_value == words.lower(),
                    func.lower(t.persons.c.name_value).like(begin.lower(), escape="\\"),
                )
            )
            .limit(limit)
        ).scalars()
        return list(self.many({PersonId(i) for i in ids}).values())

    def anybody(self) -> bool:
        """Say whether any account exists."""
        return self._c.execute(select(t.persons.c.id).limit(1)).one_or_none() is not None

    def _one(self, where: Any) -> Person | None:
        row = self._c.execute(select(t.persons).where(where)).one_or_none()
        return self._person(row) if row is not None else None

    def _person(self, row: Any) -> Person:
        roles = self._c.execute(
            select(t.site_roles.c.role).where(t.site_roles.c.person_id == row.id)
        ).scalars()
        return _person(row, frozenset(SiteRole(role) for role in roles))


def _person(row: Any, roles: frozenset[SiteRole]) -> Person:
    return Person(
        id=PersonId(row.id),
        username=row.username_value or "",
        email=row.email_value or "",
        name=row.name_value or "",
        affiliation=row.affiliation_value or "",
        verified_at=row.verified_at,
        suspended=row.suspended,
        site_roles=roles,
        created_at=row.created_at,
    )


def _token(row: Any) -> AccessToken:
    return AccessToken(
        id=TokenId(row.id),
        person_id=PersonId(row.person_id),
        name=row.name_value or "",
        scope=Scope(row.scope),
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.used_at,
    )
