"""What every page shares."""

from __future__ import annotations

from flask import Flask


def install(app: Flask, sign_in_limit: str, registration_limit: str) -> None:
    """Put pages into the application."""
