"""Every setting, with its unit and meaning: this file and config/default.toml are the manual.

Order: config/default.toml < the file named by GATEKEEPER_CONFIG < GATEKEEPER_<SECTION>__<KEY>.
A key may also be read from a file: GATEKEEPER_<SECTION>__<KEY>_FILE. An unknown key, a wrong type
or an unsafe pair of values stops the start and names where it stands. Kept whole: the manual of
every key is one file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from gatekeeper import resources
from gatekeeper.domain.links import DeliveryMode


class SettingsError(Exception):
    """A setting is unknown, wrong or unsafe; the message names the file or variable and the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Section):
    """What the site calls itself and where it is reached."""

    title: str
    public_url: str


class Server(_Section):
    """The HTTP server: address, processes and threads, and how many downloads run at once.

    `socket`, where it is not empty, is the path of a Unix socket in place of host and port.
    """

    host: str
    port: int = Field(ge=0, le=65535)
    socket: str
    processes: int = Field(ge=1, le=64)
    threads: int = Field(ge=4, le=4000)
    max_downloads: int = Field(ge=1, le=4000)
    trusted_proxies: int = Field(ge=0, le=5)
    max_request_bytes: int = Field(ge=10_000)
    stop_seconds: int = Field(ge=1, le=86_400)


class DatabaseSection(_Section):
    """`url` empty means SQLite in the data directory; `owner_url` is who migrates (Postgres).

    The other keys bound what a request waits.
    """

    url: SecretStr
    owner_url: SecretStr
    pool_size: int = Field(ge=1, le=200)
    busy_seconds: float = Field(gt=0, le=60)
    statement_seconds: float = Field(ge=1, le=3600)


class S3(_Section):
    """A bucket of AWS or of a compatible server; credentials come from the usual AWS variables.

    `endpoint_url` empty means AWS. `public_endpoint_url` is how people reach the store when that is
    another name; empty means the same. `addressing`: `virtual` puts the bucket into the host name.
    """

    bucket: str
    region: str
    endpoint_url: str
    public_endpoint_url: str
    addressing: Literal["virtual", "path"]
    answer_seconds: float = Field(gt=0, le=60)


class Store(_Section):
    """Where blobs lie; `path` empty means `store/` in the data directory."""

    backend: Literal["local", "s3"]
    path: str
    s3: S3


class Delivery(_Section):
    """How bytes leave; `address_seconds` is how long an address of the store opens a file."""

    mode: DeliveryMode
    address_seconds: int = Field(ge=60, le=900)


class Links(_Section):
    """`ttl_seconds` above 0 caps every tier's own link life."""

    ttl_seconds: int = Field(ge=0, le=86_400)


class Sessions(_Section):
    """How long a sign-in lasts."""

    idle_seconds: int = Field(ge=60)
    lifetime_seconds: int = Field(ge=60)


class Tokens(_Section):
    """Access tokens."""

    longest_days: int = Field(ge=1, le=366)


class Mail(_Section):
    """Where mail goes: `log` writes a line a letter, `smtp` hands it over.

    `security`: `tls` from the first byte (465), `starttls` (587), `none` for a server on this host.
    """

    backend: Literal["log", "smtp"]
    host: str
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"]
    username: str
    password: SecretStr
    sender: str
    timeout_seconds: float = Field(gt=0, le=60)


class Limits(_Section):
    """Rate limits, per address, in the notation of the `limits` package.

    `storage_url` empty counts in the memory of each process; with Redis all count together.
    """

    enabled: bool
    storage_url: SecretStr
    sign_in: str
    registration: str
    api: str


class Log(_Section):
    """`personal` lets addresses of people and clients stand in it, `requests` a line a request."""

    format: Literal["text", "json"]
    personal: bool
    requests: bool


class Metrics(_Section):
    """`token` opens /metrics; without one it is told to this machine, on a loopback site alone."""

    token: SecretStr


class Publishing(_Section):
    """Files of at least so many bytes are LFS files on the Hub wire."""

    lfs_threshold_bytes: int = Field(ge=1)


class Uploads(_Section):
    """Uploads by browser or API, before they are published: for one file, and for one person.

    `parts_to`: `store` sends parts to signed addresses of the bucket (a disk has none), `server`
    through this server always. S3 takes no part below 5 MiB but the last.
    """

    max_file_bytes: int = Field(ge=1, le=5 << 40)
    max_open_per_person: int = Field(ge=1)
    max_open_bytes_per_person: int = Field(ge=1)
    part_bytes: int = Field(ge=5 << 20, le=1 << 30)
    parts_to: Literal["store", "server"]


class Review(_Section):
    """Domains where sharing one means nothing."""

    public_mail_domains: tuple[str, ...]


class Secrets(_Section):
    """Keys in hex; empty means the files in `keys/` of the data directory. Newest link key last."""

    link_keys: SecretStr
    entry_key: SecretStr
    session_key: SecretStr


class Settings(_Section):
    """All of it."""

    site: Site
    server: Server
    database: DatabaseSection
    store: Store
    delivery: Delivery
    links: Links
    sessions: Sessions
    tokens: Tokens
    mail: Mail
    limits: Limits
    log: Log
    metrics: Metrics
    publishing: Publishing
    uploads: Uploads
    review: Review
    secrets: Secrets

    @property
    def is_loopback(self) -> bool:
        """Say whether the public address is a loopback one over plain http."""
        parts = urlsplit(self.site.public_url)
        return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}


_PREFIX = "GATEKEEPER_"
_REDIS = ("redis://", "rediss://", "redis+unix://")
SHORTEST_TOKEN = 20
# Not settings: what the command line and the tests read themselves.
_OTHERS = {"GATEKEEPER_CONFIG", "GATEKEEPER_DATA"}

Origins = dict[str, str]


def load(
    environment: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[Settings, Origins]:
    """Read the settings and say where each value came from.

    `overrides` (dotted keys) win over the files and lose to the environment: what `demo` presets.
    Raises: SettingsError.
    """
    env = os.environ if environment is None else environment
    origins: Origins = {}
    values: dict[str, Any] = {}
    _merge(values, origins, _read(resources.directory("config") / "default.toml"), "default.toml")
    if named := env.get("GATEKEEPER_CONFIG"):
        _merge(values, origins, _read(Path(named)), named)
    for key, value in (overrides or {}).items():
        _put(values, origins, key, value, "command line")
    for key, value, origin in _from_environment(env, values):
        _put(values, origins, key, value, origin)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None
    _check_safety(settings)
    _check_mail(settings.mail)
    _check_store(settings)
    _check_limits(settings.limits, settings.server.processes)
    return settings, origins


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error


def _merge(values: dict[str, Any], origins: Origins, table: dict[str, Any], origin: str) -> None:
    for section, keys in table.items():
        if not isinstance(keys, dict):
            raise SettingsError(f"{origin}: {section} stands outside of any section")
        _merge_keys(values, origins, section, keys, origin)


def _merge_keys(
    values: dict[str, Any], origins: Origins, section: str, keys: dict[str, Any], origin: str
) -> None:
    for key, value in keys.items():
        if isinstance(value, dict):
            _merge_keys(values, origins, f"{section}.{key}", value, origin)
        else:
            _put(values, origins, f"{section}.{key}", value, origin)


def _put(values: dict[str, Any], origins: Origins, dotted: str, value: Any, origin: str) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{origin}: {dotted}: {section} is a key, not a section")
    values[key] = value
    origins[dotted] = origin


def _from_environment(
    env: Mapping[str, str], known: Mapping[str, Any]
) -> list[tuple[str, Any, str]]:
    found = []
    for name, raw in env.items():
        is_ours = name.startswith(_PREFIX) and name not in _OTHERS
        if not is_ours or name.startswith("GATEKEEPER_TEST_"):
            continue
        dotted = name.removeprefix(_PREFIX).lower().replace("__", ".")
        value = raw
        if dotted.endswith("_file") and _default(known, dotted) is None:
            dotted, value = dotted.removesuffix("_file"), _secret_file(name, raw)
        default = _default(known, dotted)
        if default is None:
            raise SettingsError(f"{name}: there is no setting {dotted}")
        listed = isinstance(default, list)
        found.append((dotted, value.split(",") if listed else value, name))
    return found


def _default(known: Mapping[str, Any], dotted: str) -> Any:
    """Return what the files say for a key; None when there is no such key."""
    value: Any = known
    for step in dotted.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return None if isinstance(value, Mapping) else value


def _secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read: {error.strerror}") from error


def _explain(error: ValidationError, origins: Origins) -> str:
    lines = []
    for fault in error.errors():
        dotted = ".".join(step for step in fault["loc"] if isinstance(step, str))
        # An unknown section has no origin of its own; its keys have.
        known = (where for key, where in origins.items() if f"{key}.".startswith(f"{dotted}."))
        lines.append(f"{next(known, 'settings')}: {dotted}: {fault['msg']}")
    return "\n".join(lines)


def _check_mail(mail: Mail) -> None:
    if mail.backend == "log":
        return
    if not mail.host or "@" not in mail.sender or not mail.sender.isascii():
        raise SettingsError("mail.backend smtp needs mail.host and mail.sender, an address")
    is_here = mail.host in {"localhost", "127.0.0.1", "::1"}
    if mail.security == "none" and not is_here:
        raise SettingsError("mail.security none is for a mail server on this machine alone")
    if mail.security == "none" and mail.username:
        raise SettingsError("mail.security none: a password would be sent in clear")


def _check_store(settings: Settings) -> None:
    s3, mode = settings.store.s3, settings.delivery.mode
    if settings.store.backend == "s3" and not (s3.bucket and s3.region):
        raise SettingsError("store.backend s3 needs store.s3.bucket and store.s3.region")
    if mode is DeliveryMode.REDIRECT and settings.store.backend != "s3":
        raise SettingsError("delivery.mode redirect sends people to the store: store.backend s3")
    if mode is DeliveryMode.X_ACCEL and settings.store.backend != "local":
        raise SettingsError("delivery.mode x-accel: nginx reads the disk: store.backend local")
    for key, url in (
        ("endpoint_url", s3.endpoint_url),
        ("public_endpoint_url", s3.public_endpoint_url),
    ):
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise SettingsError(f"store.s3.{key} must be like https://s3.example.org")


def _check_limits(limits: Limits, processes: int) -> None:
    url = limits.storage_url.get_secret_value()
    if limits.enabled and processes > 1 and not url:
        raise SettingsError(
            "limits.storage_url: in memory each of several processes would count for itself; "
            "name a Redis, or set limits.enabled to false and limit in the proxy"
        )
    if url and not url.startswith(_REDIS):
        raise SettingsError(f"limits.storage_url begins with one of {', '.join(_REDIS)}")
    if url and find_spec("redis") is None:
        raise SettingsError("limits.storage_url: the package redis is missing, extra [redis]")


def _check_safety(settings: Settings) -> None:
    parts = urlsplit(settings.site.public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise SettingsError("site.public_url must be like https://models.example.org")
    if parts.scheme == "http" and not settings.is_loopback:
        raise SettingsError("site.public_url must be https unless it is a loopback address")
    url = settings.database.url.get_secret_value()
    if settings.database.owner_url.get_secret_value() and not url.startswith("postgresql"):
        raise SettingsError("database.owner_url is for Postgres, beside database.url")
    if settings.server.processes > 1 and not url.startswith("postgresql"):
        raise SettingsError("server.processes: several processes need Postgres; SQLite has one")
    if 0 < len(settings.metrics.token.get_secret_value()) < SHORTEST_TOKEN:
        raise SettingsError(f"metrics.token: at least {SHORTEST_TOKEN} characters, drawn by chance")
    if settings.server.socket and not settings.server.trusted_proxies:
        raise SettingsError("server.socket: only a proxy connects there: server.trusted_proxies")
    if settings.server.max_downloads >= settings.server.threads:
        raise SettingsError("server.max_downloads must leave threads free for pages")


def masked(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the effective settings by section (`store.s3` is one) with every secret hidden."""
    sections: dict[str, dict[str, Any]] = {}
    _mask(settings.model_dump(mode="python"), "", sections)
    return sections


def _mask(table: Mapping[str, Any], section: str, sections: dict[str, dict[str, Any]]) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping):
            _mask(value, f"{section}.{key}".lstrip("."), sections)
        elif isinstance(value, SecretStr):
            shown = "********" if value.get_secret_value() else ""
            sections.setdefault(section, {})[key] = shown
        else:
            sections.setdefault(section, {})[key] = value
