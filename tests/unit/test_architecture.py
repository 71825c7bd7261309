"""The fences of house.md: each holds here, and each is seen to fail on a planted offence.

Fences 5 and 6 need a database and stand in tests/contract/test_fences.py; fence 7 is a property.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gatekeeper"
MODULES = sorted(PACKAGE.rglob("*.py"))
BIN = Path(sys.executable).parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module, once."""
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    """Return `gatekeeper/db/changes/rows.py`."""
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package and its configuration, to plant offences in."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, copy / "gatekeeper", ignore=shutil.ignore_patterns("static"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment."""
    return subprocess.run(
        [str(BIN / command[0]), *map(str, command[1:])],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# --- fence 3: who may import whom -----------------------------------------------------------------

# contract -> planted module -> what it imports against the rule
OFFENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "domain-pure": {
        "domain": (
            "gatekeeper.db", "gatekeeper.services", "gatekeeper.clock", "sqlalchemy", "flask",
            "pydantic",
        )
    },
    "db-adapters": {
        "db": ("gatekeeper.services", "gatekeeper.web"),
        "adapters": ("gatekeeper.services", "gatekeeper.app"),
    },
    "db-not-adapters": {"db": ("gatekeeper.adapters",), "adapters": ("gatekeeper.db",)},
    "services": {"services": ("gatekeeper.adapters", "gatekeeper.web", "gatekeeper.app")},
    "web": {"web": ("gatekeeper.db", "gatekeeper.adapters", "gatekeeper.cli", "gatekeeper.app")},
    "dialects": {
        "web.pages": ("gatekeeper.web.hub", "gatekeeper.web.api"),
        "web.hub": ("gatekeeper.web.api", "gatekeeper.web.pages"),
        "web.api": ("gatekeeper.web.pages", "gatekeeper.web.hub"),
    },
    "handed-down": dict.fromkeys(
        ("db", "adapters", "services", "web"),
        ("gatekeeper.settings", "gatekeeper.clock", "gatekeeper.resources"),
    ),
    "one-writer": {"services": ("gatekeeper.db.changes",), "cli": ("gatekeeper.db.changes",)},
    "home-flask": dict.fromkeys(("domain", "services", "db", "adapters", "cli"), ("flask",)),
    "home-flask-login": {"web.api": ("flask_login",), "web": ("flask_login",)},
    "home-pages": {
        "web": ("wtforms", "nh3"), "web.hub": ("markdown_it",), "web.api": ("flask_wtf",),
    },
    "home-cards": {"web": ("yaml",), "services": ("pathspec",), "cli": ("yaml",)},
    "home-lz4": {"services": ("lz4",), "web": ("lz4",), "adapters": ("lz4",)},
    "home-prometheus": {
        "services": ("prometheus_client",), "web": ("prometheus_client",),
    },
    "home-sqlalchemy": dict.fromkeys(
        ("services", "cli", "adapters"), ("sqlalchemy", "alembic", "rfc8785")
    ),
    "home-adapters": {
        "services": ("itsdangerous", "smtplib"), "web": ("itsdangerous", "boto3"),
    },
    "home-argon2": {"services": ("argon2",), "web": ("argon2",), "db": ("argon2",)},
    "home-cryptography": {"services": ("cryptography",), "adapters": ("cryptography",)},
    "home-click": dict.fromkeys(("services", "web", "db"), ("click", "rich")),
    "home-pydantic": dict.fromkeys(("services", "web", "web.pages", "db"), ("pydantic",)),
}  # fmt: skip
CONTRACTS = {c["id"]: c["name"] for c in CONFIG["tool"]["importlinter"]["contracts"]}


def test_every_import_contract_is_kept() -> None:
    found = run("lint-imports", "--no-cache")
    assert found.returncode == 0, found.stdout


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Plant every offence at once and return what the linter says of each contract, by its id."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copytree(PACKAGE, copy / "gatekeeper", ignore=shutil.ignore_patterns("static"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    planted: dict[str, set[str]] = {}
    for rooms in OFFENCES.values():
        for room, imports in rooms.items():
            planted.setdefault(room, set()).update(imports)
    for room, imports in planted.items():
        text = "".join(f"import {name}\n" for name in sorted(imports))
        (copy / "gatekeeper" / room.replace(".", "/") / "planted.py").write_text(text)
    output = run("lint-imports", "--no-cache", cwd=copy).stdout
    _, _, broken = output.partition("Broken contracts")
    parts = re.split(r"^(.+)\n-+\n", broken, flags=re.MULTILINE)
    names = {name: contract for contract, name in CONTRACTS.items()}
    return {names[n]: text for n, text in zip(parts[1::2], parts[2::2], strict=True) if n in names}


@pytest.mark.parametrize("contract", OFFENCES)
def test_a_forbidden_import_breaks_its_contract(contract: str, verdicts: dict[str, str]) -> None:
    for room, imports in OFFENCES[contract].items():
        for imported in imports:
            found = f"gatekeeper.{room}.planted -> {imported}"
            assert found in verdicts.get(contract, ""), f"{contract} let {found} through"


def test_every_contract_has_a_planted_offence() -> None:
    assert set(OFFENCES) == set(CONTRACTS)


def test_domain_imports_nothing_but_the_standard_library() -> None:
    for path in (PACKAGE / "domain").rglob("*.py"):
        for imported in imports_of(tree_of(path)):
            top = imported.partition(".")[0]
            is_domain = imported.startswith("gatekeeper.domain")
            assert is_domain or top in sys.stdlib_module_names, f"{name_of(path)}: {imported}"


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Go through the modules a source imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield node.module or ""


# An adapter whose package is an extra is imported where the setting asks for it.
EXTRAS = {("gatekeeper/app.py", "gatekeeper.adapters.objects_s3")}


def test_no_module_imports_inside_a_function() -> None:
    for path in MODULES:
        inner = imports_within_functions(tree_of(path))
        lines = sorted({line for line, what in inner if (name_of(path), what) not in EXTRAS})
        assert not lines, f"{name_of(path)}:{lines}: an import that hides from the linter"


def imports_within_functions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Go through the imports that run when a function does: the line, and what is imported."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom))
            yield from ((node.lineno, getattr(node, "module", "") or "") for node in inner)


def test_a_planted_hidden_import_is_seen() -> None:
    planted = "import os\n\nclass A:\n    def m(self):\n        from os import path\n"
    assert list(imports_within_functions(ast.parse(planted))) == [(5, "os")]


# --- fence 2: a fact without a branch is a type error ---------------------------------------------

FACTS = {
    "people": "PeopleFact",
    "catalogue": "CatalogueFact",
    "agreements": "AgreementFact",
    "applications": "ApplicationFact",
    "grants": "GrantFact",
    "downloads": "DownloadFact",
    "audit": "AuditFact",
}
MYPY = """
[mypy]
strict = true
follow_imports = silent
[mypy-sqlalchemy.*,rfc8785.*,alembic.*]
follow_imports = skip
"""


def test_a_new_fact_without_a_branch_is_a_type_error(copy: Path) -> None:
    planted = """

@dataclass(frozen=True, slots=True)
class Planted{union}:
    "A fact that nobody writes."

    grant_id: GrantId


{union} = {old}| Planted{union}
"""
    for capability, union in FACTS.items():
        path = copy / "gatekeeper" / "domain" / "facts" / f"{capability}.py"
        source = path.read_text()
        before, _, old = source.rpartition(f"\n{union} = ")
        old = "(" + old.strip().strip("()") + ")"
        text = before + planted.format(union=union, old=old)
        if "import GrantId" not in text:
            text = text.replace(
                "from dataclasses", "from gatekeeper.domain.links import GrantId\nfrom dataclasses"
            )
        path.write_text(text)
    (copy / "mypy.ini").write_text(MYPY)
    found = run(
        "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "-p", "gatekeeper.db.changes",
        cwd=copy,
    ).stdout  # fmt: skip
    for capability, union in FACTS.items():
        module = "__init__" if capability == "audit" else capability
        missed = rf'changes/{module}\.py.*"assert_never" has incompatible type "Planted{union}"'
        assert re.search(missed, found), f"{union}: {found}"


# --- fence 4: who may write -----------------------------------------------------------------------

WRITERS = (
    "changes/",
    "ledger.py",
    "ephemeral.py",
    "outbox.py",
    "registrants.py",
    "devices.py",
    "uploads.py",
    "replay.py",
    "dump.py",  # into a database without a row
    "migrations/",
)
_VERBS = {"insert", "update", "delete"}
_STATEMENT = re.compile(r"\s*(?:INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b", re.IGNORECASE)


def writes_in(tree: ast.Module) -> list[str]:
    """Return what a source has that writes tables: imports, table methods, statements."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("sqlalchemy"):
                found += [f"from {module} import {a.name}" for a in names if a.name in _VERBS]
            case ast.Call(func=ast.Attribute(value=value, attr=verb)) if verb in _VERBS:
                owner = ast.unparse(value)
                if re.match(r"(?:t|tables|sa|sqlalchemy|sqlite|postgresql|op)\b", owner):
                    found.append(f"{owner}.{verb}")
            case ast.Constant(value=str(text)) if _STATEMENT.match(text):
                found.append(text[:40])
    return found


def may_write(path: Path) -> bool:
    """Say whether a module is one of the named writers."""
    inside = path.relative_to(PACKAGE).as_posix()
    return inside.startswith("db/") and inside.removeprefix("db/").startswith(WRITERS)


def test_only_the_named_modules_write_tables() -> None:
    offences = [
        f"{name_of(path)}: {found}"
        for path in MODULES
        if not may_write(path)
        for found in writes_in(tree_of(path))
    ]
    assert offences == []


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import insert",
        "from sqlalchemy import select, update as change",
        "from sqlalchemy.dialects.sqlite import insert",
        "connection.execute(t.grants.insert())",
        "connection.execute(tables.grants.delete().where(x))",
        "import sqlalchemy as sa\nsa.update(t.grants)",
        "connection.exec_driver_sql('INSERT INTO grants VALUES (1)')",
        "connection.execute(text('''  update grants set state = 'active' '''))",
    ],
)
def test_a_planted_write_is_seen(source: str) -> None:
    assert writes_in(ast.parse(source))


def test_reading_is_not_taken_for_writing() -> None:
    source = "from sqlalchemy import select\nhashed.update(chunk)\nfound.insert(0, x)\n"
    assert writes_in(ast.parse(source)) == []


# --- conventions: clock and chance, sizes, names --------------------------------------------------

CLOCK_KEEPERS = {
    "gatekeeper/clock.py",  # the one place
    "gatekeeper/adapters/objects_local.py",  # ages of files, against the file system's clock
    "gatekeeper/adapters/staging_local.py",  # the same
    "gatekeeper/adapters/objects_s3/client.py",  # ages of uploads and ends of credentials
}


@pytest.mark.parametrize(
    "offence",
    [
        "from datetime import datetime\n\nx = datetime.now()\n",
        "from datetime import UTC, datetime\n\nx = datetime.now(UTC)\n",
        "import datetime\n\nx = datetime.datetime.now(datetime.UTC)\n",
        "from datetime import date\n\nx = date.today()\n",
        "import time\n\nx = time.time()\n",
        "from time import time\n\nx = time()\n",
        "import uuid\n\nx = uuid.uuid4()\n",
        "import random\n",
        "from random import choice\n",
        "import secrets\n",
        "from secrets import token_hex\n",
        "import os\n\nx = os.urandom(8)\n",
        "from os import urandom\n\nx = urandom(8)\n",
    ],
)
def test_the_clock_and_chance_are_banned_outside_of_the_context(copy: Path, offence: str) -> None:
    planted = copy / "gatekeeper" / "domain" / "planted_clock.py"
    planted.write_text(offence)
    found = run("ruff", "check", "--no-cache", "--select", "TID251", planted, cwd=copy)
    planted.unlink()
    assert "TID251" in found.stdout


def test_nobody_else_lifts_the_ban_on_the_clock() -> None:
    lifted = {name_of(p) for p in MODULES if re.search(r"noqa:.*TID251", p.read_text())}
    assert lifted <= CLOCK_KEEPERS


MODULE_LINES, FUNCTION_LINES = 350, 45
# A longer one says in its docstring why it is clearer whole.
_WHY_WHOLE = re.compile(r"\b(?:whole|one place|one file|one table|one column|in order)\b")


def test_a_long_module_says_why_it_is_whole() -> None:
    for path in MODULES:
        why = _WHY_WHOLE.search(ast.get_docstring(tree_of(path)) or "")
        lines = len(path.read_text().splitlines())
        is_generated = "migrations/versions" in name_of(path)
        assert lines <= MODULE_LINES or why or is_generated, f"{name_of(path)} has {lines} lines"


def test_a_long_function_says_why_it_is_whole() -> None:
    for path in MODULES:
        if "migrations/versions" in name_of(path):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                why = _WHY_WHOLE.search(ast.get_docstring(node) or "")
                assert lines <= FUNCTION_LINES or why, f"{name_of(path)}: {node.name} has {lines}"


def test_no_module_bears_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "handler",
             "handlers", "base", "misc", "info"}  # fmt: skip
    assert not {name_of(p) for p in MODULES if p.stem in empty}


def test_every_module_says_which_rules_live_in_it() -> None:
    missing = [name_of(p) for p in MODULES if not ast.get_docstring(tree_of(p))]
    assert missing == []


def test_broad_excepts_stand_only_in_the_outer_frames() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) == "Exception")
    ]
    assert len(found) <= 3, f"two outer frames, and the straight way to them (ADR 0005): {found}"


# --- fence of the pages: templates, blueprints and modules agree ----------------------------------

TEMPLATES = ROOT / "templates"


def blueprints() -> dict[str, str]:
    """Return the name of each pages module that has a blueprint, with the blueprint's name."""
    found = {}
    for path in (PACKAGE / "web" / "pages").glob("*.py"):
        named = re.search(r"^\w+ = Blueprint\(\s*\"([a-z_]+)\"", path.read_text(), re.MULTILINE)
        if named:
            found[path.stem] = named[1]
    return found


def test_templates_blueprints_and_pages_modules_agree() -> None:
    found = blueprints()
    if not found:
        pytest.skip("there are no pages yet")
    directories = {p.name for p in TEMPLATES.iterdir() if p.is_dir()} - {"errors", "macros", "mail"}
    assert {stem: name for stem, name in found.items() if stem != name} == {}
    assert set(found) == directories
