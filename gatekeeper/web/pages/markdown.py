"""Markdown that people wrote (cards, summaries, values) as HTML that can do nothing but be read.

Raw HTML is shown as text; what is left passes an allowlist. Pictures become their description: they
would tell another server who reads. Headings begin at h2, for a page has its own h1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from markupsafe import Markup

CACHED_TEXTS = 64

_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---\s*(?:\n|\Z)", re.DOTALL)
_TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
_LOWER = {"h1": "h2", "h2": "h3", "h3": "h4", "h4": "h5", "h5": "h6"}


@lru_cache(maxsize=CACHED_TEXTS)
def markdown(text: str) -> Markup:
    """Render Markdown (CommonMark and tables) without its YAML front matter."""
    tokens = _PARSER.parse(_FRONT_MATTER.sub("", text, count=1))
    for token in tokens:
        token.tag = _LOWER.get(token.tag, token.tag)
    clean = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener",
    )
    return Markup(clean)  # noqa: S704  it has just passed the allowlist


def _description(
    _renderer: object, tokens: Sequence[Token], index: int, _options: Any, _env: Mapping[str, Any]
) -> str:
    return escapeHtml(tokens[index].content)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _description)
    return parser


_PARSER = _parser()
