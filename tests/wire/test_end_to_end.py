"""The script that walks a real model from a folder to a revoked grant does what it prints."""

from __future__ import annotations

from pathlib import Path

from tests.wire.clients import TRANSFORMERS, python_with
from tests.wire.end_to_end import walk


def test_a_real_model_is_published_gated_refused_served_byte_for_byte_and_taken_back(
    tmp_path: Path,
) -> None:
    """Each step raises where it does not hold; the lines are what a person sees."""
    lines = walk(tmp_path, python_with(TRANSFORMERS["5"]))
    assert len(lines) == 15
    assert "clean" in lines[-2]
    assert "0 faults" in lines[-1]
