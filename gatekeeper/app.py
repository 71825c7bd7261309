"""Composition root: settings to engine, store, keys, mail and House; the House to a Flask app.

An `if` a setting, no plug-in registry. Nothing else in the product reads settings or the clock.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from iso3166 import countries
from werkzeug.middleware.proxy_fix import ProxyFix

from gatekeeper import clock, resources
from gatekeeper.adapters.letters import letter_writer
from gatekeeper.adapters.mail_log import LogMail
from gatekeeper.adapters.mail_smtp import Security, SmtpMail, SmtpServer
from gatekeeper.adapters.objects_local import LocalObjects
from gatekeeper.adapters.tokens_signed import SignedTokens
from gatekeeper.db.engine import make_engine
from gatekeeper.db.unit_of_work import Database
from gatekeeper.domain.errors import Moved
from gatekeeper.domain.tiers import Tiers, read_tiers
from gatekeeper.services.ports import House, Mailer, ObjectStore, Policy, UploadLimits
from gatekeeper.services.tally import Tally
from gatekeeper.settings import Limits, Settings, SettingsError
from gatekeeper.web import bodies, files, guard, identity, machines, moved, watch
from gatekeeper.web.api import errors as api_errors
from gatekeeper.web.api import routes as api
from gatekeeper.web.hub import device as hub_device
from gatekeeper.web.hub import errors as hub_errors
from gatekeeper.web.hub import lfs as hub_lfs
from gatekeeper.web.hub import rawpath
from gatekeeper.web.hub import requests as hub_requests
from gatekeeper.web.hub import routes as hub
from gatekeeper.web.hub import unspoken as hub_unspoken
from gatekeeper.web.hub import writing as hub_writing
from gatekeeper.web.hub import xet as hub_xet
from gatekeeper.web.metrics import Metrics
from gatekeeper.web.pages import errors as page_errors
from gatekeeper.web.pages import routes as pages
from gatekeeper.web.straight import straight
from gatekeeper.web.wiring import DownloadSlots, RequestIds, Room, Wiring

KEY_BYTES = 32
PATIENT_SECONDS = 10.0
REDIS_SECONDS = 0.5
# Of a process: on its disk, and in its memory (200 MiB each).
SPOOLED_BYTES = 4 << 30
ASSEMBLIES, ASSEMBLY_WAIT_SECONDS = 4, 30.0


@dataclass(frozen=True, slots=True)
class Keys:
    """The application's keys: none of them is in the database."""

    links: tuple[bytes, ...]
    entries: bytes
    sessions: bytes


def make_keys(data: Path) -> None:
    """Make the key files of a new install; raises SettingsError when there are some already."""
    directory = data / "keys"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("links", "entries", "sessions"):
        path = directory / name
        if path.exists():
            raise SettingsError(f"{path} exists: refusing to make a second truth")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "w") as file:
            file.write(clock.fresh(KEY_BYTES).hex() + "\n")


def has_keys(data: Path) -> bool:
    """Say whether the data directory was set up."""
    return (data / "keys" / "entries").exists()


def read_keys(settings: Settings, data: Path) -> Keys:
    """Read the keys from the settings or the key files; raises SettingsError naming what lacks."""
    secrets = settings.secrets
    return Keys(
        links=_key("secrets.link_keys", secrets.link_keys.get_secret_value(), data / "keys/links"),
        entries=_key(
            "secrets.entry_key", secrets.entry_key.get_secret_value(), data / "keys/entries"
        )[-1],
        sessions=_key(
            "secrets.session_key", secrets.session_key.get_secret_value(), data / "keys/sessions"
        )[-1],
    )


def _key(name: str, given: str, path: Path) -> tuple[bytes, ...]:
    try:
        text = given or path.read_text()
        keys = tuple(bytes.fromhex(part) for part in text.replace(",", " ").split())
    except OSError as error:
        raise SettingsError(f"{path}: no key; run `gatekeeper init` or set {name}") from error
    except ValueError as error:
        raise SettingsError(f"{name}: keys are written in hex") from error
    if not keys or any(len(key) < KEY_BYTES for key in keys):
        raise SettingsError(f"{name}: a key has at least {KEY_BYTES} bytes")
    return keys


def read_tier_file() -> Tiers:
    """Read config/tiers.toml; an unknown requirement stops the start (TierError)."""
    with (resources.directory("config") / "tiers.toml").open("rb") as file:
        return read_tiers(tomllib.load(file))


def database_url(settings: Settings, data: Path) -> str:
    """Return the database's address; SQLite in the data directory unless the settings name one."""
    given = settings.database.url.get_secret_value()
    return given or f"sqlite:///{data.resolve() / 'gatekeeper.db'}"


def make_house(
    settings: Settings, data: Path, *, demo: bool = False, patient: bool = False
) -> House:
    """Wire the House; raises SettingsError, TierError or Unavailable.

    `patient` is for commands: a person at a terminal would rather wait than come again, and may
    read the whole ledger in one go.
    """
    tiers = read_tier_file()
    keys = read_keys(settings, data)
    asked = settings.database
    busy_seconds = max(asked.busy_seconds, PATIENT_SECONDS) if patient else asked.busy_seconds
    engine = make_engine(
        database_url(settings, data),
        pool_size=asked.pool_size,
        busy_seconds=busy_seconds,
        statement_seconds=0 if patient else asked.statement_seconds,
    )
    return House(
        db=Database(engine, keys.entries, tiers, busy_seconds),
        objects=_store(settings, data),
        links=SignedTokens(keys.links),
        mail=_mailer(settings),
        write_letter=letter_writer(resources.directory("templates")),
        tiers=tiers,
        policy=_policy(settings, demo=demo),
        tally=Tally(),
    )


def _store(settings: Settings, data: Path) -> ObjectStore:
    if settings.store.backend == "local":
        return LocalObjects(Path(settings.store.path or data / "store"))
    try:
        # boto3 is an extra: an install on a disk does without it.
        from gatekeeper.adapters.objects_s3 import Bucket, S3Objects  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError("store.backend s3: install gatekeeper[s3]") from error
    s3 = settings.store.s3
    bucket = Bucket(
        name=s3.bucket,
        region=s3.region,
        endpoint_url=s3.endpoint_url or None,
        public_endpoint_url=s3.public_endpoint_url or None,
        addressing=s3.addressing,
        answer_seconds=s3.answer_seconds,
        connections=settings.server.max_downloads + 16,
    )
    return S3Objects(bucket, data / "spool")


def _mailer(settings: Settings) -> Mailer:
    mail = settings.mail
    if mail.backend == "log":
        return LogMail()
    return SmtpMail(
        SmtpServer(
            host=mail.host,
            port=mail.port,
            security=Security(mail.security),
            username=mail.username,
            password=mail.password.get_secret_value(),
            sender=mail.sender,
            sender_name=settings.site.title,
            timeout_seconds=mail.timeout_seconds,
        )
    )


def _policy(settings: Settings, *, demo: bool) -> Policy:
    return Policy(
        site_title=settings.site.title,
        public_url=settings.site.public_url.rstrip("/"),
        session_idle_seconds=settings.sessions.idle_seconds,
        session_lifetime_seconds=settings.sessions.lifetime_seconds,
        token_longest_days=settings.tokens.longest_days,
        link_ttl_seconds=settings.links.ttl_seconds or None,
        delivery_mode=settings.delivery.mode,
        address_seconds=settings.delivery.address_seconds,
        max_answer_chars=8000,
        lfs_threshold_bytes=settings.publishing.lfs_threshold_bytes,
        uploads=UploadLimits(
            max_file_bytes=settings.uploads.max_file_bytes,
            max_open=settings.uploads.max_open_per_person,
            max_open_bytes=settings.uploads.max_open_bytes_per_person,
            part_bytes=settings.uploads.part_bytes,
            by_address=settings.uploads.parts_to == "store",
        ),
        public_mail_domains=frozenset(settings.review.public_mail_domains),
        countries=_countries(),
        keeps_letters=demo,
        is_demo=demo,
    )


def _countries() -> Mapping[str, str]:
    return {country.alpha2: country.apolitical_name for country in countries}


def _spooling() -> Room:
    full, each = "too many large bodies are coming in", bodies.LARGEST_COMMIT_BYTES
    return Room(SPOOLED_BYTES, full, most_each=each)


def _assembling() -> Room:
    full = "too many files are being put together"
    return Room(ASSEMBLIES, full, ASSEMBLY_WAIT_SECONDS, most_each=ASSEMBLIES // 2)


def create_app(
    settings: Settings, house: House, session_key: bytes, metrics: Metrics | None = None
) -> Flask:
    """Make the Flask application over a House; holds no global state."""
    metrics = metrics or Metrics()
    templates = resources.directory("templates")
    static = Path(__file__).parent / "web" / "static"
    app = Flask("gatekeeper", template_folder=str(templates), static_folder=str(static))
    app.secret_key = session_key  # Flask-WTF signs its CSRF tokens with it; cookies hold no data
    app.config.update(
        MAX_CONTENT_LENGTH=settings.server.max_request_bytes,
        MAX_FORM_MEMORY_SIZE=settings.server.max_request_bytes,
        MAX_FORM_PARTS=500,
        **_counting(settings.limits),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_CHECK_DEFAULT=False,
    )
    wiring = app.extensions["gatekeeper"] = Wiring(
        house=house,
        context=clock.context_for,
        request_ids=RequestIds(clock.fresh(5).hex()),
        downloads=DownloadSlots(settings.server.max_downloads, metrics.moved),
        spooling=_spooling(),
        assembling=_assembling(),
        secure_cookie=not settings.is_loopback,
        metrics=metrics,
        metrics_token=settings.metrics.token.get_secret_value(),
        metrics_on_loopback=settings.is_loopback,
        api_document=api.document(),
    )
    watch.install(app)
    identity.install(app)
    guard.install(app, answer_error)
    # The hub names the address converters that the routes of the API and the pages use as well.
    hub_rooms = (
        hub, hub_writing, hub_lfs, hub_xet, hub_requests, hub_device, hub_unspoken,
    )  # fmt: skip
    for room in (machines, files, *hub_rooms):
        app.register_blueprint(room.blueprint)
    api.install(app, settings.limits.api)
    pages.install(app, settings.limits.sign_in, settings.limits.registration)
    _wrap(app, wiring, settings.server.trusted_proxies)
    _watch(app, settings, house, metrics)
    return app


def _counting(limits: Limits) -> dict[str, Any]:
    """Say where requests are counted; a Redis that does not answer must not hold up the door."""
    url = limits.storage_url.get_secret_value()
    timeouts = {"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS}
    return {
        "RATELIMIT_ENABLED": limits.enabled,
        "RATELIMIT_STORAGE_URI": url or "memory://",
        "RATELIMIT_STORAGE_OPTIONS": {"wrap_exceptions": True, **timeouts} if url else {},
        "RATELIMIT_KEY_PREFIX": "gatekeeper",
    }


def _watch(app: Flask, settings: Settings, house: House, metrics: Metrics) -> None:
    """Let figures and log hear of requests, and the figures of facts, bytes and places."""
    metrics.places(settings.server.max_downloads)
    house.db.tell(metrics.fact)
    house.tally.tell(lambda size_bytes, is_open: metrics.offered(size_bytes, is_open=is_open))

    def told(seen: watch.Seen) -> None:
        metrics.request(seen, house.db.connections_in_use)
        if settings.log.requests:
            watch.write_down(seen, personal=settings.log.personal)

    app.wsgi_app = watch.watched(app.wsgi_app, told)  # type: ignore[method-assign]


def answer_error(error: Exception) -> Response:
    """Answer any exception in the dialect the request was made in."""
    if isinstance(error, Moved) and (there := moved.onward(error)) is not None:
        return there
    answer: Callable[[Exception], Response] = page_errors.answer
    if request.path.startswith("/api/v1"):
        answer = api_errors.answer
    elif hub_errors.is_ours(request.path):
        answer = hub_errors.answer
    return answer(error)


def _wrap(app: Flask, wiring: Wiring, proxies: int) -> None:
    app.wsgi_app = straight(app.wsgi_app, wiring)  # type: ignore[method-assign]
    app.wsgi_app = rawpath.keep_encoded_slashes(app.wsgi_app)  # type: ignore[method-assign]
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0
        )
