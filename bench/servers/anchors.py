"""Starts the anchors: nginx with `secure_link`, nginx X-Accel with Flask, Flask hello-world.

nginx is Debian's (`apt-get install nginx-light`), two workers, sendfile, no access log.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import NotStarted, Server, free_port, running

SECRET = "a benchmark's, and nobody else's"
OPEN_FILES = 20_000

_CONF = """
{user}
worker_processes 2;
worker_rlimit_nofile {open_files};
pid {home}/nginx.pid;
error_log {home}/error.log warn;
daemon off;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  {http}
}}
"""

_SERVER = """
server {{
  listen 127.0.0.1:{port} backlog=8192;
  {server}
}}
"""

_SECURE_LINK = """
location = /healthz {{ return 200 "ok\\n"; }}
location /s/ {{
  secure_link $arg_md5,$arg_expires;
  secure_link_md5 "$secure_link_expires$uri {secret}";
  if ($secure_link = "") {{ return 403; }}
  if ($secure_link = "0") {{ return 410; }}
  alias {files}/;
}}
"""

_X_ACCEL = """
location / {{
  proxy_pass http://app;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
}}
location /held/ {{ internal; alias {files}/; }}
"""

_UPSTREAM = "upstream app {{ server 127.0.0.1:{port}; keepalive 64; }}"


@contextmanager
def nginx(home: Path, server: str, http: str = "") -> Iterator[Server]:
    """Run nginx with the inside of a server block until the block is left."""
    port = free_port()
    with nginx_as(home, port, http + _SERVER.format(port=port, server=server)) as found:
        yield found


@contextmanager
def nginx_as(home: Path, port: int, http: str) -> Iterator[Server]:
    """Run nginx with the inside of an http block, which listens on a port."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        raise NotStarted("nginx is not installed: apt-get install nginx-light")
    home.mkdir(parents=True, exist_ok=True)
    conf = home / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # the files belong to whoever runs this
    limits = {"open_files": OPEN_FILES, "connections": OPEN_FILES}
    conf.write_text(_CONF.format(home=home, user=user, http=http, **limits))
    with running([program, "-p", home, "-c", conf], port, home / "nginx.log") as found:
        yield found


@contextmanager
def secure_link(home: Path, files: Path) -> Iterator[Server]:
    """Run nginx that checks `secure_link` and serves a folder."""
    with nginx(home, _SECURE_LINK.format(secret=SECRET, files=files)) as server:
        yield server


def secure_link_to(path: str) -> str:
    """Return the signed address of a file of that folder, for an hour."""
    expires = int(time.time()) + 3600
    signed = f"{expires}/s/{path} {SECRET}".encode()
    md5 = base64.urlsafe_b64encode(hashlib.md5(signed).digest()).rstrip(b"=").decode()
    return f"/s/{path}?md5={md5}&expires={expires}"


@contextmanager
def flask(home: Path, threads: int) -> Iterator[Server]:
    """Run the Flask anchors on gunicorn gthread, one worker, as `gatekeeper serve` does."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    options = ["--worker-class", "gthread", "--workers", "1", "--threads", threads]
    limits = ["--backlog", 2048, "--keep-alive", 5, "--worker-connections", threads + 1000]
    command: list[object] = [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        f"127.0.0.1:{port}",
        *options,
        *limits,
    ]
    command += ["--log-level", "warning", "--no-control-socket", "bench.servers.flask_anchor:app"]
    with running(command, port, home / "flask.log") as server:
        yield server


@contextmanager
def x_accel(home: Path, files: Path, threads: int = 64) -> Iterator[Server]:
    """Run nginx before the Flask anchor, which checks a signed link and names the file."""
    with (
        flask(home, threads) as app,
        nginx(home, _X_ACCEL.format(files=files), _UPSTREAM.format(port=app.port)) as front,
    ):
        yield Server(front.port, [*front.pids, *app.pids])
