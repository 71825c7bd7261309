"""Make every secret of the containers at their first start; later starts change nothing.

Each kind of service has a volume below /secrets of its own that no other mounts: what it holds may
be read by whatever user that service runs as. A secret is made once; what is derived from it
(addresses, configurations) is written anew at each start.
"""

import json
import secrets  # noqa: TID251  there is no Context yet: it runs before there is an install
import sys
from pathlib import Path

ROOM = Path(sys.argv[1])
BUCKET = "gatekeeper"


def write(path: Path, text: str) -> None:
    """Write a file that is whole or not there."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.write_text(text)
    part.chmod(0o444)
    part.replace(path)


def secret(path: Path) -> str:
    """Return the secret of a file, made now when it is not there."""
    if not path.exists():
        write(path, secrets.token_hex(32))
    return path.read_text()


def postgres() -> None:
    """One password for each role; addresses for the one that serves and the one that migrates."""
    secret(ROOM / "postgres/superuser")
    for role, home in (("app", "app/database_url"), ("owner", "owner/database_url")):
        password = secret(ROOM / "postgres" / role)
        write(
            ROOM / home,
            f"postgresql+psycopg://gatekeeper_{role}:{password}@postgres:5432/gatekeeper",
        )


def redis() -> None:
    """The password of the counters, which live in memory alone."""
    password = secret(ROOM / "redis/password")
    write(ROOM / "app/redis_url", f"redis://:{password}@redis:6379/0")
    lines = [
        "bind 0.0.0.0",
        f"requirepass {password}",
        'save ""',
        "appendonly no",
        "maxmemory 64mb",
        "maxmemory-policy volatile-ttl",
    ]
    write(ROOM / "redis/redis.conf", "\n".join(lines) + "\n")


def s3() -> None:
    """Two identities: one makes the bucket, the other reads and writes in it and nothing else."""
    identities = []
    for name, home, actions in (
        ("maker", "s3", ["Admin"]),
        ("gatekeeper", "app", [f"{verb}:{BUCKET}" for verb in ("Read", "Write", "List")]),
    ):
        key = secret(ROOM / "s3" / name)
        about = {"accessKey": name, "secretKey": key}
        identities.append({"name": name, "credentials": [about], "actions": actions})
        lines = ["[default]", f"aws_access_key_id = {name}", f"aws_secret_access_key = {key}"]
        write(ROOM / home / "aws_credentials", "\n".join(lines) + "\n")
    write(ROOM / "s3/identities.json", json.dumps({"identities": identities}))


postgres()
redis()
s3()
