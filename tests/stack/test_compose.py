"""What the compose files and the Dockerfile promise, with the disk and with S3.

Nothing is run in a container here; test_stack starts the same processes without one.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatekeeper.cli import main
from gatekeeper.cli.serve import CHORES_SECONDS
from gatekeeper.settings import load
from tests.nginx import configuration, found_nginx
from tests.stack.compose import DISK, ROOT, S3, Project, read

ONCE = "service_completed_successfully"
RUNS = "service_healthy"
POSTGRES_CONNECTIONS = 100 - 3  # max_connections without those kept for superusers
OPERATING = (ROOT / "docs" / "operating.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture(params=[DISK, S3], ids=["disk", "s3"])
def project(request: pytest.FixtureRequest) -> Project:
    """The files as an operator gives them, without any variable set."""
    return read(request.param)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of a first start."""
    room = tmp_path_factory.mktemp("secrets")
    make_secrets(room)
    return room


def make_secrets(room: Path) -> dict[str, str]:
    """Run what the containers run first; return what it left, by file."""
    for name in ("app", "owner", "postgres", "redis", "s3"):
        (room / name).mkdir(exist_ok=True)
    script = ROOT / "config" / "containers" / "make_secrets.py"
    subprocess.run([sys.executable, str(script), str(room)], check=True)
    return {
        str(file.relative_to(room)): file.read_text() for file in room.rglob("*") if file.is_file()
    }


# --- what a container may do ----------------------------------------------------------------------


def test_nobody_is_root_and_nobody_can_write_or_gain_rights(project: Project) -> None:
    for service in project.services.values():
        raw, name = service.raw, service.name
        assert str(raw["user"]).split(":")[0] not in {"", "0", "root"}, name
        assert raw["read_only"] is True, name
        assert raw["cap_drop"] == ["ALL"], name
        assert raw["security_opt"] == ["no-new-privileges:true"], name
        bad = {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "extra_hosts"}
        assert not bad & raw.keys(), name
        assert raw.get("network_mode", "none") == "none", name
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["gatekeeper"]


def test_only_nginx_is_reached_and_only_from_this_machine(project: Project) -> None:
    published = {name: s.raw["ports"] for name, s in project.services.items() if "ports" in s.raw}
    assert published == {"nginx": ["127.0.0.1:8000:8080"]}
    assert project.services["nginx"].raw["networks"] == ["outer"]
    for name, service in project.services.items():
        networks = set(service.raw.get("networks", []))
        assert networks or service.raw["network_mode"] == "none", name
        for network in networks - {"outer"}:
            assert project.raw["networks"][network] == {"internal": True}, name
        assert ("outer" in networks) == (name in {"nginx", "worker"}), name


def test_every_volume_has_a_name_and_is_used(project: Project) -> None:
    mounted = {m.volume for s in project.services.values() for m in s.mounts}
    assert mounted == set(project.raw["volumes"])
    # These images declare one, which would get no name: it is ours, or memory.
    postgres, redis = project.services["postgres"], project.services["redis"]
    assert "/var/lib/postgresql" in {m.target for m in postgres.mounts}
    assert "/data" in redis.raw["tmpfs"]
    assert "VOLUME" not in DOCKERFILE


def test_every_image_is_pinned_to_a_minor_version(project: Project) -> None:
    images = {s.raw["image"] for s in project.services.values()} - {"gatekeeper:local"}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_who_gets_a_new_volume_finds_it_owned_by_whom_it_runs_as(project: Project) -> None:
    """A volume takes its owner from the folder of the image that it is first mounted on."""
    owned = set(re.findall(r"(?<=\s)/\S+", "".join(re.findall(r"install -d .*?(?=&&|\nCOPY)", DOCKERFILE, re.DOTALL))))  # fmt: skip  # noqa: E501
    ours = {m.target for s in project.services.values() if s.is_ours for m in s.mounts}
    assert ours <= owned
    group = re.search(r"groupadd --gid (\d+) gatekeeper", DOCKERFILE)
    assert group is not None
    assert str(project.services["nginx"].raw["user"]).endswith(f":{group[1]}")
    if "s3" in project.services:
        assert project.services["s3"].raw["user"] == f"{group[1]}:{group[1]}"


# --- life -----------------------------------------------------------------------------------------


def test_whoever_runs_for_ever_has_a_health_check_and_the_others_run_once(project: Project) -> None:
    for name, service in project.services.items():
        check = service.raw["healthcheck"]
        if service.stays:
            assert service.raw["restart"] == "unless-stopped", name
            assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
            assert len(check["test"]) > 1, name
        else:
            assert check == {"disable": True}, name


def test_everybody_waits_for_what_they_need(project: Project) -> None:
    services = project.services
    behind: dict[str, set[str]] = {}
    for service in chain(*project.in_order()):
        for name, condition in service.depends_on.items():
            assert condition == (RUNS if services[name].stays else ONCE), service.name
        behind[service.name] = set(service.depends_on).union(
            *(behind[name] for name in service.depends_on)
        )
        if any(m.volume.startswith("secrets-") for m in service.mounts):
            assert service.name == "secrets" or "secrets" in behind[service.name]
    for name in ("app-a", "app-b", "worker"):
        assert {"init", "postgres", "redis"} <= behind[name]
        assert ("s3" in services) == ({"s3", "bucket"} <= behind[name])
    assert {"app-a", "app-b"} <= behind["nginx"]


def test_nginx_asks_both_servers_where_they_listen(project: Project) -> None:
    nginx = project.services["nginx"]
    sockets = {s.environment.get("GATEKEEPER_SERVER__SOCKET") for s in project.services.values()}
    asked = re.findall(r"server unix:(\S+) max_fails=0;", nginx.environment["GATEKEEPER_SERVERS"])
    assert set(asked) == sockets - {None}
    assert len(asked) == 2
    targets = {m.target: m for m in nginx.mounts}
    assert all(mount.read_only for mount in targets.values())
    assert {str(Path(path).parent) for path in asked} <= targets.keys()
    assert nginx.environment["GATEKEEPER_BLOBS"] == "/store/blobs"
    assert targets["/store"].volume == "store"


def test_the_two_servers_differ_in_nothing_but_their_socket(project: Project) -> None:
    a, b = (json.dumps(project.services[name].raw) for name in ("app-a", "app-b"))
    assert a.replace("/a.sock", "/b.sock") == b != a


def test_a_server_has_the_time_that_it_gives_its_downloads(project: Project) -> None:
    needed = load({})[0].server.stop_seconds + CHORES_SECONDS
    for name in ("app-a", "app-b"):
        grace = str(project.services[name].raw["stop_grace_period"])
        assert int(grace.removesuffix("s")) > needed


def test_postgres_has_a_connection_for_every_process(project: Project) -> None:
    wanted = 0
    for name in ("app-a", "app-b", "worker"):
        env = project.services[name].environment
        processes = int(env["GATEKEEPER_SERVER__PROCESSES"]) if name != "worker" else 1
        wanted += processes * 2 * int(env["GATEKEEPER_DATABASE__POOL_SIZE"])
    assert wanted <= POSTGRES_CONNECTIONS


# --- settings and secrets -------------------------------------------------------------------------


def test_what_the_containers_set_are_settings_that_may_stand_together(
    project: Project, made: Path
) -> None:
    image = dict(re.findall(r"\b(GATEKEEPER_\w+)=(\S+)", DOCKERFILE))
    for service in project.services.values():
        if service.is_ours and "GATEKEEPER_SITE__PUBLIC_URL" in service.environment:
            given = {
                key: value.replace("/secrets/", f"{made}/")
                for key, value in (image | service.environment).items()
            }
            settings, origins = load(given)
            assert settings.site.public_url == "http://127.0.0.1:8000"
            named = {key for key in given if key.startswith("GATEKEEPER_")} - {"GATEKEEPER_DATA"}
            assert named <= set(origins.values()), service.name


def test_nobody_is_sent_to_a_store_that_only_the_servers_reach(
    project: Project, made: Path
) -> None:
    """Neither for a file nor with a part of an upload: its network has no way in."""
    for name in ("app-a", "app-b"):
        given = {
            key: value.replace("/secrets/", f"{made}/")
            for key, value in project.services[name].environment.items()
        }
        settings = load(given)[0]
        is_s3 = settings.store.backend == "s3"
        assert is_s3 == ("s3" in project.services)
        if is_s3:
            assert settings.store.s3.endpoint_url == "http://s3:8333"
            assert project.services["s3"].raw["networks"] == ["objects"]
            assert project.raw["networks"]["objects"] == {"internal": True}
            assert settings.delivery.mode != "redirect"
            assert settings.uploads.parts_to == "server"


def test_no_file_holds_a_secret(project: Project) -> None:
    for service in project.services.values():
        for key, value in service.environment.items():
            assert "://" not in value or "@" not in value, key
            if re.search(r"PASSWORD|SECRET|_KEY|TOKEN|DATABASE__\w*URL|STORAGE_URL|CREDENT", key):
                assert value.startswith("/secrets/"), key
    for file in [*ROOT.glob("docker-compose*.yml"), *(ROOT / "config" / "containers").iterdir()]:
        text = file.read_text()
        assert not re.findall(r"[A-Za-z0-9]{20,}", text), file.name
        assert set(re.findall(r"\$\{(\w+)", text)) <= {"GATEKEEPER_PUBLIC_URL", "GATEKEEPER_BIND"}


def test_each_service_sees_its_own_secrets_alone(project: Project) -> None:
    who: dict[str, set[str]] = {}
    for service in project.services.values():
        for mount in service.mounts:
            if mount.volume.startswith("secrets-"):
                assert mount.target == f"/secrets/{mount.volume.removeprefix('secrets-')}"
                assert mount.read_only == (service.name != "secrets")
                who.setdefault(mount.volume, set()).add(service.name)
    assert who == {
        "secrets-app": {"secrets", "init", "app-a", "app-b", "worker"},
        "secrets-owner": {"secrets", "init"},  # who serves cannot migrate
        "secrets-postgres": {"secrets", "postgres"},
        "secrets-redis": {"secrets", "redis"},
        "secrets-s3": {"secrets"} | ({"s3", "bucket"} & project.services.keys()),
    }


def test_the_first_start_makes_secrets_that_nobody_has_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = (make_secrets(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    found = [set(re.findall(r"[0-9a-f]{64}", "\n".join(room.values()))) for room in (one, two)]
    assert len(found[0]) == len(found[1]) == 6
    assert not found[0] & found[1]
    for text in one.values():
        assert re.search(r"[0-9a-f]{64}", text)  # no file without its secret


def test_a_later_start_changes_no_secret_and_mends_what_is_derived(tmp_path: Path) -> None:
    before = make_secrets(tmp_path)
    assert make_secrets(tmp_path) == before
    for derived in ("app/database_url", "s3/identities.json", "redis/redis.conf"):
        (tmp_path / derived).unlink()
    assert make_secrets(tmp_path) == before


def test_the_s3_server_lets_nobody_in_without_a_key_and_the_servers_into_one_bucket(
    made: Path,
) -> None:
    identities: Any = json.loads((made / "s3/identities.json").read_text())["identities"]
    assert all(one["credentials"] for one in identities)
    assert {one["name"] for one in identities} == {"maker", "gatekeeper"}
    rights = next(one["actions"] for one in identities if one["name"] == "gatekeeper")
    assert set(rights) == {"Read:gatekeeper", "Write:gatekeeper", "List:gatekeeper"}
    settings = read(S3).services["app-a"].environment
    assert settings["GATEKEEPER_STORE__S3__BUCKET"] == "gatekeeper"
    command = read(S3).services["s3"].raw["command"]
    assert "-ip.bind=127.0.0.1" in command  # every other door of it
    assert "-master.telemetry=false" in command


# --- the handbook ---------------------------------------------------------------------------------


def test_the_handbooks_commands_name_services_and_commands_that_exist() -> None:
    services = read(S3).services
    lines = re.findall(r"^docker compose (.+)$", OPERATING, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line)
        for file in (word for word in words if word.startswith("docker-compose")):
            assert (ROOT / file).exists()
        named = [word for word in words if word in services]
        assert named or not {"run", "exec", "logs", "--no-deps"} & set(words), line
        if {"run", "exec"} & set(words):
            after = words[words.index(named[0]) + 1 :]
            assert "exec" not in words or after.pop(0) == "gatekeeper", line
            assert not after or after[0] in main.commands, line


def test_the_handbooks_way_to_tls_is_a_configuration_that_nginx_takes(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(services:\n  nginx:.*?)```", OPERATING, re.DOTALL)
    assert block is not None
    nginx = yaml.safe_load(block[1])["services"]["nginx"]
    key, chain = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-keyout", str(key), "-out", str(chain)]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True)
    listen = nginx["environment"]["GATEKEEPER_LISTEN"].replace("/tls", str(tmp_path))
    given = read(DISK).services["nginx"].environment
    site = configuration(**given | {"GATEKEEPER_LISTEN": listen})
    (tmp_path / "site.conf").write_text(site)
    main_file = (ROOT / "config" / "containers" / "nginx.conf").read_text()
    main_file = main_file.replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "main").write_text(main_file.replace("/etc/nginx/conf.d/*", f"{tmp_path}/site"))
    check = [found_nginx(), "-t", "-c", str(tmp_path / "main")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- the image ------------------------------------------------------------------------------------


def test_the_image_installs_every_extra_and_a_python_that_we_support() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = set(project["optional-dependencies"]) - {"dev"}
    extras = re.search(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert extras is not None
    assert set(extras[1].split(",")) == wanted
    pythons = [tuple(map(int, p)) for p in re.findall(r"FROM python:(\d+)\.(\d+)", DOCKERFILE)]
    assert all(a == b for a, b in pairwise(pythons))
    assert pythons[0] >= (3, 11)
