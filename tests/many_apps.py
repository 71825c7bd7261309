"""Nearly every test makes an application of its own: what is the same each time is made once.

Flask compiles each template and each rule anew for every application, which took half the time of
the http room. Neither depends on anything but the source.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


class _Templates(BytecodeCache):
    """Compiled templates in memory, by name and the digest of their source."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled from the same source."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._kept[bucket.key, bucket.checksum] = bucket.code


def install() -> None:
    """Keep compiled templates and rules for all applications of this process."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Templates()}
    compile_builder, kept = Rule._compile_builder, {}

    def once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if rule.defaults or key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    Rule._compile_builder = once  # type: ignore[method-assign]
    gc.set_threshold(50_000, 20, 20)  # there are many objects, and few of them are garbage
