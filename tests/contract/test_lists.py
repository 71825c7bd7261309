"""Lists: judged together as each by itself, cut before they are judged, and never short of a row.

A grant row slipped in by SQL passes the filter of the database and not the rule: what it is about
must not be guessed from a short page, a cursor or an empty last page.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from gatekeeper.db import tables as t
from gatekeeper.db.engine import writes
from gatekeeper.domain.access import See
from gatekeeper.domain.catalogue import Model, Visibility
from gatekeeper.domain.grants import GrantFilter
from gatekeeper.domain.people import ANONYMOUS
from gatekeeper.services import access, catalogue
from gatekeeper.services.ports import House
from tests import builders
from tests.builders import HIDDEN, RESEARCH, World
from tests.cast import NAMESPACE, Member, context


@writes
def slip_in(house: House, member: Member, model: Model) -> None:
    """Copy a grant for somebody else and another model, as a database shell could."""
    with house.db.engine.begin() as connection:
        row = connection.execute(select(t.grants)).mappings().first()
        assert row is not None
        forged = {**row, "id": f"gr_for_{member.key}", "person_id": member.id}
        connection.execute(insert(t.grants).values(forged))
        covers = {"grant_id": forged["id"], "model_id": model.id, "starts_at": row["starts_at"]}
        connection.execute(insert(t.grant_models).values(covers))


def test_many_models_are_judged_as_each_by_itself(any_world: World) -> None:
    house, cast = any_world.house, any_world.cast
    builders.accept(house, cast.researcher, RESEARCH)
    builders.apply_for(house, cast.researcher, any_world.models["T4"])
    builders.grant(house, cast.applicant, any_world.models["T3"], cast.approver)
    now = context().now
    with house.db.reading() as read:
        models = list(
            read.catalogue.models_by_id({m.id for m in any_world.models.values()}).values()
        )
        people = read.people.many({member.id for member in cast})
        for person in (None, *people.values()):
            alone = [
                access.judge(read, person, model, now)
                for model in models
                if access.judge(read, person, model, now, See()).verdict.allowed
            ]
            assert access.visible(read, person, models, now) == alone


def test_no_page_of_models_tells_of_a_hidden_one(any_world: World) -> None:
    house, cast, hidden = any_world.house, any_world.cast, any_world.models[HIDDEN]
    slip_in(house, cast.applicant, hidden)
    ctx = context(cast.applicant.actor)
    with house.db.reading() as read:
        assert hidden in read.catalogue.list_models(cast.applicant.id)
    for limit in (1, 2, 3, 6):
        pages, after = [], None
        while not pages or after is not None:
            seen, after = catalogue.list_models(house, ctx, after=after, limit=limit)
            pages.append([judged.model.name for judged in seen])
            if after is not None:
                assert (len(seen), after[1]) == (limit, pages[-1][-1])
        assert [name for page in pages for name in page] == [f"lyra-t{n}" for n in range(6)]
        assert all(pages)


def test_a_page_of_grants_is_what_the_filter_says_whoever_asks_for_whomever(
    any_world: World,
) -> None:
    house, cast, models = any_world.house, any_world.cast, any_world.models
    builders.grant(house, cast.applicant, models["T3"], cast.approver)
    builders.grant(house, cast.applicant, models["T4"], cast.approver, cast.approver2)
    asks = product(
        (cast.researcher.id, cast.stranger.id),
        (None, frozenset[str](), frozenset({NAMESPACE}), frozenset({"elsewhere"})),
        (None, cast.researcher.id, cast.applicant.id),
        (None, models["T3"].id, models["T4"].id, models[HIDDEN].id),
    )
    with house.db.reading() as read:
        every = read.grants.search(GrantFilter(cast.stranger.id, None))
        assert len(every) == 3
        for me, namespaces, person, model in asks:
            expected = [
                grant.id
                for grant in every
                if (namespaces is None or grant.person_id == me or NAMESPACE in namespaces)
                and person in {None, grant.person_id}
                and (model is None or model in grant.models)
            ]
            want = GrantFilter(me, namespaces, person, model, limit=1)
            found = list[str]()
            while page := read.grants.search(want):
                found += [grant.id for grant in page]
                want = replace(want, after=(page[-1].starts_at, page[-1].id))
            assert found == expected, want


def test_releases_come_a_page_at_a_time(any_world: World, tmp_path: Path) -> None:
    house, cast = any_world.house, any_world.cast
    for name in ("mira", "nova", "orbit"):
        builders.add_release(house, name=name)
    builders.add_release(house, name="empty")
    for name, visibility in (("mira", Visibility.PUBLIC), ("orbit", Visibility.PUBLIC),
                             ("nova", Visibility.HIDDEN)):  # fmt: skip
        model = builders.publish_model(
            house, tmp_path, f"{name}-t3", "T3", release=name, visibility=visibility
        )
    slip_in(house, cast.applicant, model)
    expected = {"applicant": ["orbit", "mira", "lyra"], "owner": ["orbit", "nova", "mira", "lyra"]}
    for who, names in expected.items():
        pages: list[Any] = []
        after = None
        while not pages or after is not None:
            ctx = context(cast[who].actor)
            views, after = catalogue.releases(house, ctx, after=after, limit=1)
            pages.append([view.release.name for view in views])
        assert pages == [[name] for name in names]
    whole, after = catalogue.releases(house, context(ANONYMOUS))
    assert ([view.release.name for view in whole], after) == (expected["applicant"], None)
