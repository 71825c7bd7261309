"""Finds templates/ and config/ in a checkout or in the wheel; the only place that knows."""

from __future__ import annotations

from pathlib import Path


def directory(name: str) -> Path:
    """Return the folder `templates` or `config`; raises FileNotFoundError when it is lost."""
    package = Path(__file__).resolve().parent
    for above in (package / "_data", package.parent):
        if (above / name).is_dir():
            return above / name
    raise FileNotFoundError(f"{name}/ is neither in the package nor beside it")
