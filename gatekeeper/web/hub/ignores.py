"""Which files a `.gitignore` leaves out, as `upload_folder` asks. Source: gitignore(5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from pathspec import GitIgnoreSpec
from werkzeug.exceptions import BadRequest

MOST_PATTERNS = 1000
LONGEST_PATTERN = 200


def matcher(text: str) -> Callable[[str], bool]:
    """Return what says whether a path is left out; raises BadRequest for patterns beyond reason."""
    patterns = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(patterns) > MOST_PATTERNS:
        raise BadRequest(f".gitignore: at most {MOST_PATTERNS} patterns")
    for pattern in patterns:
        if len(pattern) > LONGEST_PATTERN:
            raise BadRequest(f".gitignore: this pattern is too long: {pattern[:80]}")
    try:
        # RE2 matches in a time that grows with the path alone, whatever the pattern.
        return GitIgnoreSpec.from_lines(patterns, backend="re2").match_file
    except (ValueError, re.error) as error:
        raise BadRequest(f".gitignore: {error}") from error
