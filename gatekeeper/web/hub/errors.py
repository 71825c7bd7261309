"""Errors of the Hub dialect (placeholder)."""

from flask import Response


def is_ours(path: str) -> bool:
    """Say whether a path belongs to the Hub dialect."""
    return path.startswith("/api/") or "/resolve/" in path


def answer(error: Exception) -> Response:
    """Answer an exception."""
    return Response(str(error), 500)
