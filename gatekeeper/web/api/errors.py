"""Errors of the API (placeholder)."""

from flask import Response


def answer(error: Exception) -> Response:
    """Answer an exception."""
    return Response(str(error), 500)
