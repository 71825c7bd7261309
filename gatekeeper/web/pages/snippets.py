"""Commands that fetch a model, one a tool, ready to be pasted into a POSIX shell or Python.

Each for the `hf` client sets HF_ENDPOINT, HF_TOKEN and an HF_HOME of its own: a cached token of
another Hub would turn even an open download into 401. Everything of ours in them is quoted.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import quote

from gatekeeper.domain.catalogue import File, Model

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
    """What is fetched, from where: `token` is '' where none is needed."""

    site: str
    model: Model
    revision: str
    file: File | None
    token: str


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
    return _one_file(source, "curl -fL -C -", "-H", "-o")


def _wget(source: Source) -> str:
    return _one_file(source, "wget -c", "--header", "-O")


def _aria2(source: Source) -> str:
    assert source.file is not None  # noqa: S101  tools() asked
    check = f"--checksum=sha-256={source.file.sha256}"
    return _one_file(source, f"aria2c -c -x16 -s16 {check}", "--header", "-o")


def _one_file(source: Source, command: str, header: str, output: str) -> str:
    assert source.file is not None  # noqa: S101  tools() asked
    name = source.file.path.rpartition("/")[2]
    name = f"./{name}" if name.startswith("-") else name
    address = source.site + resolve_path(source.model, source.revision, source.file.path)
    lines = [f"{command} {output} {shlex.quote(name)}", f"  {shlex.quote(address)}"]
    if source.token:
        lines.insert(1, f'  {header} "Authorization: Bearer $GK_TOKEN"')
        return f"export GK_TOKEN={source.token}\n" + " \\\n".join(lines)
    return " \\\n".join(lines)
