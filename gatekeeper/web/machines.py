"""Addresses for machines: /healthz says the process answers, /readyz that it can do its work."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from gatekeeper.web.wiring import house

blueprint = Blueprint("machines", __name__)


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


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Ask crawlers to leave links, accounts and APIs alone."""
    lines = ("User-agent: *", *(f"Disallow: {path}" for path in ("/d/", "/account", "/api/")))
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
