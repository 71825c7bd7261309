"""The folders of a revision: its files by folder, and the git tree id of each.

Source: hf-wire.md 1.2 (tree, paths-info); git's object format for the ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gatekeeper.domain.catalogue import File, Revision
from gatekeeper.web.hub.wire import lfs_sizes, moment

Entry = dict[str, Any]


class Tree:
    """One revision's files and folders; `changed` names the last revision of each file."""

    def __init__(self, files: Sequence[File], changed: Mapping[str, Revision]) -> None:
        self._files = {file.path: file for file in files}
        self._folders = folder_ids(files)
        self._last = dict(changed)
        for path, revision in changed.items():
            for folder, _ in _steps(path):
                self._last[folder] = max(
                    revision, self._last.get(folder, revision), key=lambda r: r.created_at
                )

    def has_folder(self, path: str) -> bool:
        """Say whether there is such a folder; the root, '', always is."""
        return path in self._folders or not path

    def paths(self, folder: str, *, recursive: bool) -> list[str]:
        """Return what lies in a folder (and below it, when `recursive`), sorted."""
        paths = sorted((*self._files, *filter(None, self._folders)))
        return [path for path in paths if _lies_in(path, folder, recursive)]

    def entries(self, paths: Sequence[str]) -> list[Entry]:
        """Return what of these paths there is, in the order asked for."""
        return [self._entry(p) for p in paths if p in self._files or (p and p in self._folders)]

    def _entry(self, path: str) -> Entry:
        file = self._files.get(path)
        if file is None:
            entry: Entry = {"type": "directory", "oid": self._folders[path], "size": 0}
        else:
            entry = {"type": "file", "oid": file.git_oid, "size": file.size_bytes}
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256, **lfs_sizes(file)}
        last = self._last.get(path)
        if last is not None:
            title = last.message.partition("\n")[0]
            entry["lastCommit"] = {"id": last.id, "title": title, "date": moment(last.created_at)}
        return entry | {"path": path}


def _lies_in(path: str, folder: str, recursive: bool) -> bool:
    if folder and not path.startswith(folder + "/"):
        return False
    return recursive or "/" not in path[len(folder) :].lstrip("/")


def folder_ids(files: Sequence[File]) -> dict[str, str]:
    """Return the git tree id of every folder by path, '' being the root."""
    below: dict[str, dict[str, str]] = {"": {}}
    for file in files:
        for parent, name in _steps(file.path):
            below.setdefault(parent, {}).setdefault(name, "")
        below[file.path.rpartition("/")[0]][file.path.rpartition("/")[2]] = file.git_oid
    ids: dict[str, str] = {}
    for folder in sorted(below, key=lambda path: (-path.count("/"), path == "")):
        prefix = f"{folder}/" if folder else ""
        rows = [
            (name, "100644", oid) if oid else (name + "/", "40000", ids[prefix + name])
            for name, oid in below[folder].items()
        ]
        ids[folder] = _tree_id(rows)
    return ids


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Go through (folder, name in it) from the root down to the path itself."""
    parts = path.split("/")
    for depth, name in enumerate(parts):
        yield "/".join(parts[:depth]), name


def _tree_id(rows: Sequence[tuple[str, str, str]]) -> str:
    # git sorts folders as if their names ended with a slash, by bytes.
    body = b"".join(
        f"{mode} {name.rstrip('/')}\x00".encode() + bytes.fromhex(oid)
        for name, mode, oid in sorted(rows, key=lambda row: row[0].encode())
    )
    return hashlib.sha1(b"tree %d\x00" % len(body) + body, usedforsecurity=False).hexdigest()
