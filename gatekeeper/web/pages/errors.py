"""Errors as pages (placeholder frame until the templates are wired)."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import HTTPException

from gatekeeper.domain.errors import NotFound


def answer(error: Exception) -> Response:
    """Answer an exception."""
    code = (
        error.code
        if isinstance(error, HTTPException)
        else 404
        if isinstance(error, NotFound)
        else 500
    )
    return Response(
        f"{type(error).__name__}: {error}\n", status=code or 500, content_type="text/plain"
    )
