"""Keeps an encoded slash inside a path segment (placeholder)."""

from __future__ import annotations

from typing import Any


def keep_encoded_slashes(app: Any) -> Any:
    """Return the application unchanged."""
    return app
