"""Addresses for machines: /healthz says the process answers, /readyz that it can do its work,
/metrics how much it does.
"""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Response, jsonify, request

from gatekeeper.domain.errors import NotFound
from gatekeeper.domain.people import SYSTEM
from gatekeeper.services.figures import figures
from gatekeeper.web.metrics import CONTENT_TYPE
from gatekeeper.web.wiring import house, new_context, wiring

blueprint = Blueprint("machines", __name__)

_ASK = {"WWW-Authenticate": 'Bearer realm="metrics"'}


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process answers; asks nothing else."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether database, schema and store are as they must be; 503 with Retry-After if not."""
    db, store = house().db, house().objects
    answers = db.is_ready()
    checks = {
        "database": answers,
        "schema": answers and db.is_current(),  # what is down is not waited for twice
        "store": store.is_ready(),
    }
    answer = jsonify({"ready": all(checks.values()), "checks": checks})
    if not all(checks.values()):
        answer.status_code = 503
        answer.headers["Retry-After"] = "5"
    return answer


@blueprint.get("/metrics")
def metrics() -> Response:
    """Tell the figures to who has their token; without one to this machine, on a loopback site."""
    token = wiring().metrics_token
    if not token and not (wiring().metrics_on_loopback and _is_loopback(request.remote_addr)):
        raise NotFound("no figures are told here")
    if token and not hmac.compare_digest(_bearer(), token.encode()):
        return Response("The token of metrics.token is needed.\n", 401, _ASK, mimetype="text/plain")
    told = figures(house(), new_context(SYSTEM))
    return Response(wiring().metrics.text(told), content_type=CONTENT_TYPE)


def _bearer() -> bytes:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Ask crawlers to leave links, accounts and APIs alone."""
    lines = ("User-agent: *", *(f"Disallow: {path}" for path in ("/d/", "/account", "/api/")))
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
