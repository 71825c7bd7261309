"""Several servers and a worker on one Postgres: a leader killed, a database stopped, keys shared.

Real gunicorn processes; the test's own process opens the same house beside them.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from gatekeeper.db import tables as t
from gatekeeper.domain.ledger import EntryFilter
from gatekeeper.domain.links import Purpose
from gatekeeper.services import audit
from tests.builders import WEIGHTS
from tests.conftest import Site, _build, running_postgres
from tests.contract.test_database import at_once
from tests.fault.servers import (
    API_CALLS,
    LEADER,
    OURS,
    SECONDS,
    WAITING,
    Server,
    Servers,
    all_running,
    os_pid,
    until,
)
from tests.live import Answer
from tests.redis_server import running_redis
from tests.rooms import depth


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A server of three processes, one of one, and a worker, over a furnished house."""
    tmp = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        url = postgres.get_uri().replace("postgresql://", "postgresql+psycopg://")
        site = Site(tmp / "data", url)
        site.data.mkdir()
        world = _build(site, tmp, furnished=True)
        assert world is not None
        redis = stack.enter_context(running_redis())
        many, one, worker = stack.enter_context(all_running(site, redis, tmp))
        house = site.open()
        stack.callback(house.db.close)
        found = Servers(
            many, one, worker, postgres, redis, site, replace(world, house=house), house
        )
        until(lambda: worker.pid in {os_pid(name) for name in found.sql(OURS)})
        yield found


@contextmanager
def locked(servers: Servers, statement: str) -> Iterator[None]:
    """Hold a lock in a session of somebody else's."""
    engine = create_engine(servers.site.url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))
        yield
        connection.rollback()


def link_of(servers: Servers, answer: Answer) -> str:
    """Return the id of the link that was answered."""
    token = str(answer.json["url"]).partition("/d/")[2].partition("/")[0]
    return servers.house.links.verify(Purpose.DOWNLOAD, token).jti


class Load:
    """Threads that ask for links until the block is left, and what they were answered."""

    def __init__(self, servers: Servers, threads: int = 8) -> None:
        self._servers = servers
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._threads = threads
        self.answers: list[Answer] = []
        self.cut = 0

    def __enter__(self) -> Load:
        self._running = [self._pool.submit(self._work) for _ in range(self._threads)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._running:
            one.result(SECONDS)
        self._pool.shutdown()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                told = self._servers.many.link(self._servers.world.cast.researcher)
            except (OSError, http.client.HTTPException):
                self.cut += 1  # its process was killed
            else:
                self.answers.append(told)

    def count(self, status: int) -> int:
        """Count the answers of a status so far."""
        return sum(a.status == status for a in list(self.answers))

    @property
    def given(self) -> set[str]:
        """Return the ids of the links that were acknowledged."""
        return {link_of(self._servers, a) for a in self.answers if a.status == 201}


def is_unavailable(answer: Answer) -> bool:
    """Say whether an answer is 503 with a Retry-After of whole seconds."""
    return answer.status == 503 and int(answer.headers["Retry-After"]) > 0


def unsequenced(servers: Servers) -> int:
    """Count the entries that have no leaf."""
    return len(servers.sql(select(t.unsequenced.c.entry_id)))


def recorded(servers: Servers) -> set[str]:
    """Return the ids of the links in the ledger."""
    with servers.house.db.reading() as read:
        entries = read.audit.search(EntryFilter(kinds=("LinkIssued",), limit=1_000_000))
    return {str(entry.data["link_id"]) for entry in entries}


def check(servers: Servers) -> None:
    """Look through the ledger: no gap, no repeat, everything in its place."""
    until(lambda: unsequenced(servers) == 0)
    indexes = servers.sql(select(t.leaves.c.leaf_index).order_by(t.leaves.c.leaf_index))
    assert indexes == [str(n) for n in range(len(indexes))]
    entries = servers.sql(select(t.leaves.c.entry_id))
    assert len(set(entries)) == len(entries) == len(servers.sql(select(t.entries.c.id)))
    assert list(audit.verify(servers.house)) == []
    assert audit.compare(servers.house) == []


def leads(servers: Servers) -> int | None:
    """Return the process that holds the sequencer's lock at this moment."""
    found = servers.sql(LEADER)
    return os_pid(found[0]) if found else None


def test_killing_the_leader_under_load_leaves_no_gap_and_another_goes_on(
    servers: Servers,
) -> None:
    killed = set[int]()
    with Load(servers) as load:
        for _ in range(depth(2, 10)):
            # The leader cannot finish its pass, so that it is killed while it leads.
            with locked(servers, "SELECT * FROM tree FOR UPDATE"):
                pid = until(lambda: leads(servers))
                if pid == servers.worker.pid:
                    servers.worker.kill()
                else:
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            # At most a second behind, though requests go on: what waits now soon does not.
            waiting = set(servers.sql(select(t.unsequenced.c.entry_id)))
            until(lambda w=waiting: not w & set(servers.sql(select(t.unsequenced.c.entry_id))))
            until(lambda: len(servers.many.children()) == 3)
            seen = load.count(201)
            until(lambda s=seen: load.count(201) > s)
    assert killed
    assert {a.status for a in load.answers} <= {201, 503}
    assert load.given <= recorded(servers), "an acknowledged link is lost"
    check(servers)


def test_a_locked_table_is_503_in_every_process_and_grants_nothing(servers: Servers) -> None:
    before, names = recorded(servers), set[str]()

    def several_wait() -> bool:
        names.update(servers.sql(WAITING))
        return len(names) > 1

    with locked(servers, "LOCK TABLE grants IN ACCESS EXCLUSIVE MODE"), Load(servers, 24) as load:
        until(several_wait)  # the requests are spread
        assert servers.many.ask("/healthz").status == 200
    assert len({os_pid(name) for name in names}) > 1
    assert all(map(is_unavailable, load.answers)), Counter(a.status for a in load.answers)
    assert recorded(servers) == before
    assert servers.many.link(servers.world.cast.researcher).status == 201
    check(servers)


def test_without_postgres_every_door_is_503_and_its_return_needs_no_restart(
    servers: Servers,
) -> None:
    researcher, before = servers.world.cast.researcher, recorded(servers)
    gated = f"/northfield/lyra-t3/resolve/main/{WEIGHTS}"
    doors: tuple[Callable[[], Answer], ...] = (
        lambda: servers.many.link(researcher),
        lambda: servers.many.ask("/"),
        lambda: servers.many.ask("/api/v1/models", researcher),
        lambda: servers.many.ask(gated, researcher),
        lambda: servers.many.ask("/readyz"),
        lambda: servers.one.ask("/readyz"),
    )
    processes = servers.many.children() | servers.one.children()
    servers.postgres.stop()
    try:
        for ask in doors * 3:  # in several processes
            with at_once(4):
                assert is_unavailable(ask())
        for server in (servers.many, servers.one):
            assert server.ask("/healthz").status == 200
    finally:
        servers.postgres.start()
    servers.house.db.engine.dispose()  # what looks here was idle, and knows of no restart
    for _ in range(12):
        assert servers.many.link(researcher).status == 201
    for ask in doors[1:]:
        assert ask().status == 200
    assert servers.many.children() | servers.one.children() == processes
    assert len(recorded(servers) - before) == 12
    check(servers)


def test_one_key_sent_to_two_servers_at_once_makes_one_thing(servers: Servers) -> None:
    member = servers.world.cast.researcher
    for turn in range(depth(6, 60)):
        before, start = recorded(servers), threading.Barrier(8)
        key = f"key-{turn}"

        def send(server: Server, start: threading.Barrier = start, key: str = key) -> Answer:
            start.wait(SECONDS)
            return server.link(member, Idempotency_Key=key)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, [servers.many, servers.one] * 4))
        assert {a.status for a in answers} <= {201, 409}
        made = {link_of(servers, a) for a in answers if a.status == 201}
        assert len(made) == 1
        for server in (servers.many, servers.one):
            again = server.link(member, Idempotency_Key=key)
            assert again.status == 201
            assert again.headers["Idempotent-Replayed"] == "true"
            assert {link_of(servers, again)} == made
        assert recorded(servers) - before == made
        body = {"model": "northfield/lyra-t0", "revision": "main", "path": WEIGHTS}
        other = servers.one.ask("/api/v1/links", member, body, Idempotency_Key=key)
        assert other.status == 422


def test_every_process_counts_into_the_same_limit(servers: Servers) -> None:
    def call(number: int) -> int:
        server = (servers.many, servers.one)[number % 2]
        return server.ask("/api/v1/models", X_Forwarded_For="203.0.113.9").status

    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(call, range(API_CALLS + 20)))
    assert found == {200: API_CALLS, 429: 20}
