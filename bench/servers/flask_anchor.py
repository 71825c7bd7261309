"""The Flask anchors: hello-world, and a signed link that nginx serves by X-Accel-Redirect.

Run by gunicorn with the very options of our own server. It has no database: what it measures is
Flask behind the same server, and the shortest signed download one can write with it.
"""

from __future__ import annotations

import os

from flask import Flask, Response, abort
from itsdangerous import BadSignature, URLSafeTimedSerializer

SECRET = "a benchmark's, and nobody else's"
LIFE_SECONDS = 3600

app = Flask(__name__)
_signer = URLSafeTimedSerializer(os.environ.get("BENCH_SECRET", SECRET))


@app.get("/")
@app.get("/healthz")
def hello() -> str:
    """Answer as a hello-world does."""
    return "hello\n"


@app.get("/f/<token>")
def signed(token: str) -> Response:
    """Check a signed link and leave the bytes to nginx."""
    try:
        path = _signer.loads(token, max_age=LIFE_SECONDS)
    except BadSignature:
        abort(403)
    response = Response(content_type="application/octet-stream")
    response.headers["X-Accel-Redirect"] = f"/held/{path}"
    return response


def link(path: str) -> str:
    """Return the signed address of a file."""
    return f"/f/{_signer.dumps(path)}"
