"""Commands that fetch a model, one a tool, ready to be pasted into a POSIX shell or Python.

Each for the `hf` client sets HF_ENDPOINT, HF_TOKEN and an HF_HOME of its own: a cached token of
another Hub would turn even an open download into 401. Everything of ours in them is quoted.
Where the store sends the bytes, no command lets a token go there: hf and curl drop it by
themselves, wget and aria2 would not and are given the store's address without it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import quote

from gatekeeper.domain.catalogue import File, Model
from gatekeeper.domain.links import DeliveryMode
from gatekeeper.services.catalogue import ModelView
from gatekeeper.services.ports import House

TOKEN = "gk_your_token"  # noqa: S105  a place to put one
HF_HOME = "$HOME/.cache/gatekeeper"


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to fetch; the browser has no command."""

    key: str
    label: str
    command: str | None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """What is fetched, from where: `token` is '' where none is needed.

    `from_store`: this site answers with an address of the store.
    """

    site: str
    model: Model
    revision: str
    file: File | None
    token: str
    from_store: bool


def tools_for(house: House, view: ModelView, revision: str, token: str = TOKEN) -> list[Tool]:
    """Return every tool for a model that was shown; those for one file name its largest."""
    source = Source(
        site=house.policy.public_url,
        model=view.model,
        revision=revision,
        file=max(view.files, key=lambda file: file.size_bytes, default=None),
        token="" if view.model.tier.is_open else token,
        from_store=comes_from_store(house, view.model),
    )
    return tools(source)


def comes_from_store(house: House, model: Model) -> bool:
    """Say whether a GET of a model's file is answered with an address of the store."""
    return house.policy.delivery_mode is DeliveryMode.REDIRECT and not model.tier.self_served


def tools(source: Source) -> list[Tool]:
    """Return every tool, the browser last; those for one file only when there is a file."""
    found = [Tool("hf", "hf", _hf(source), "Resumes by itself. Needs huggingface_hub.")]
    if source.file is not None:
        found += [
            Tool("curl", "curl", _curl(source), _CURL),
            Tool("wget", "wget", _wget(source), _ONE_FILE),
            Tool("aria2", "aria2", _aria2(source), "Sixteen connections; checks the SHA-256."),
        ]
    found.append(Tool("python", "Python", _python(source), "The same client, from Python."))
    return [*found, Tool("browser", "Browser", None)]


_BEARER = '"Authorization: Bearer $GK_TOKEN"'
_ONE_FILE = "One file; the others in the same way. Run it again to resume."
_CURL = f"{_ONE_FILE} On a file that is whole it ends with 416: nothing was left to fetch."


def resolve_path(model: Model, revision: str, path: str) -> str:
    """Return the address of a file's bytes on this site."""
    return f"/{model.full_name}/resolve/{quoted(revision)}/{quoted(path, safe='/')}"


def quoted(text: str, safe: str = "") -> str:
    """Return a revision or path as it stands in an address; a slash of a revision is encoded."""
    return quote(text, safe=safe)


def _hf(source: Source) -> str:
    into = f"--local-dir {shlex.quote(source.model.name)}"
    return "\n".join(
        [
            f"export HF_ENDPOINT={shlex.quote(source.site)}",
            f'export HF_HOME="{HF_HOME}"',
            f"export HF_TOKEN={source.token}",
            f"hf download {source.model.full_name}{_at(source)} {into}",
        ]
    )


def _python(source: Source) -> str:
    at = "" if source.revision == "main" else f", revision={source.revision!r}"
    return "\n".join(
        [
            "import os",
            f"os.environ['HF_ENDPOINT'] = {source.site!r}",
            "os.environ['HF_HOME'] = os.path.expanduser('~/.cache/gatekeeper')",
            f"os.environ['HF_TOKEN'] = {source.token!r}",
            "from huggingface_hub import snapshot_download",
            f"print(snapshot_download({source.model.full_name!r}{at}))",
        ]
    )


def _at(source: Source) -> str:
    return "" if source.revision == "main" else f" --revision {shlex.quote(source.revision)}"


def _curl(source: Source) -> str:
    return _one_file(source, "curl -fL -C -", "-H", "-o", follows=True)


def _wget(source: Source) -> str:
    return _one_file(source, "wget -c", "--header", "-O")


def _aria2(source: Source) -> str:
    assert source.file is not None  # noqa: S101  tools() asked
    check = f"--checksum=sha-256={source.file.sha256}"
    return _one_file(source, f"aria2c -c -x16 -s16 {check}", "--header", "-o")


def _one_file(
    source: Source, command: str, header: str, output: str, *, follows: bool = False
) -> str:
    """Write a command for one file; `follows` when the tool drops the token on the way."""
    assert source.file is not None  # noqa: S101  tools() asked
    name = source.file.path.rpartition("/")[2]
    name = f"./{name}" if name.startswith("-") else name
    into = f"{command} {output} {shlex.quote(name)}"
    address = shlex.quote(
        source.site + resolve_path(source.model, source.revision, source.file.path)
    )
    if not source.token:
        return _lines(into, address)
    lines = [f"export GK_TOKEN={source.token}"]
    if source.from_store and not follows:
        ask = _lines("curl -fsS -o /dev/null -w '%{redirect_url}'", f"-H {_BEARER}", address)
        lines += [f'url="$({ask})"', _lines(into, '"$url"')]
    else:
        lines += [_lines(into, f"{header} {_BEARER}", address)]
    return "\n".join(lines)


def _lines(*parts: str) -> str:
    return " \\\n  ".join(parts)
