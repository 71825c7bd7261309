"""The wheel carries templates and config, and works from another directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout with the build back end that is installed."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def build(source: Path, out: Path) -> Path:
    """Build the wheel of a folder."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return next(out.glob("gatekeeper-*.whl"))


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    return {one.filename: one.CRC for one in zipfile.ZipFile(wheel).infolist()}


def test_the_image_is_built_from_all_that_the_wheel_needs(wheel: Path, tmp_path: Path) -> None:
    """The Dockerfile copies what .dockerignore lets through, and that gives the same wheel."""
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    names = {name for line in copied for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == names
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    assert contents(build(tmp_path, tmp_path / "out")) == contents(wheel)


def test_the_wheel_holds_templates_and_config(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "gatekeeper/_data/config/default.toml" in names
    assert "gatekeeper/_data/templates/base.html" in names
    assert "gatekeeper/web/static/gk.css" in names
    assert not [n for n in names if n.startswith("tests/")]


def test_the_installed_wheel_sets_up_a_site_from_another_directory(
    wheel: Path, tmp_path: Path
) -> None:
    # The dependencies are those of this environment; the package itself is the wheel's alone.
    venv.create(tmp_path / "venv", with_pip=False)
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    deps = next(p for p in sys.path if p.endswith("site-packages"))
    script = (
        "import sys; sys.path.append(sys.argv.pop(1));"
        "import gatekeeper.resources as r, gatekeeper;"
        "assert 'venv/lib' in gatekeeper.__file__, gatekeeper.__file__;"
        "print(r.directory('templates'));"
        "from gatekeeper.cli import main; main(sys.argv[1:], standalone_mode=False)"
    )
    python = str(tmp_path / "venv" / "bin" / "python")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [python, "-c", script, deps, "--data", str(tmp_path / "data"), "init"]
    done = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, env=environment
    )
    assert "_data/templates" in done.stdout
    assert "/register/" in done.stdout
    assert (tmp_path / "data" / "keys" / "entries").stat().st_mode & 0o777 == 0o400
