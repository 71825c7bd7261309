"""Every blueprint of the HTML dialect, and what stands before those that guess passwords."""

from __future__ import annotations

from flask import Flask

from gatekeeper.web import limits
from gatekeeper.web.pages import (
    access,
    account,
    admin,
    apply,
    audit,
    catalogue,
    dev,
    device,
    frame,
    own,
    reference,
    review,
    uploads,
)

BLUEPRINTS = (
    catalogue.blueprint,
    access.blueprint,
    apply.blueprint,
    account.blueprint,
    own.blueprint,
    uploads.blueprint,
    review.blueprint,
    audit.blueprint,
    reference.blueprint,
    device.blueprint,
    admin.blueprint,
    dev.blueprint,
)


def install(app: Flask, sign_in_limit: str, registration_limit: str) -> None:
    """Put every page into the application; the limits are in the notation of `limits`."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    frame.install(app, frozenset(blueprint.name for blueprint in BLUEPRINTS))
    limiter = limits.limiter(app)
    app.extensions["gatekeeper-limiter"] = limiter  # its wrappers hold it weakly
    for endpoint, limit in (
        ("account.sign_in", sign_in_limit),
        ("account.change_password", sign_in_limit),
        ("device.answer", sign_in_limit),
        ("hub_device.begin", sign_in_limit),
        ("account.register", registration_limit),
        ("account.ask_reset", registration_limit),
        ("account.verify_again", registration_limit),
    ):
        view = app.view_functions[endpoint]
        limited = limiter.limit(limit, methods=["POST"])(view)
        app.view_functions[endpoint] = limited  # type: ignore[assignment]
