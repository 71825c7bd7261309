"""What the measures of one run share: a scratch directory, the hall, and how often to repeat."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import hall
from bench.servers.hall import Hall


@dataclass(slots=True)
class Ground:
    """One run. `full` takes the counts that need many minutes."""

    scratch: Path
    rounds: int
    full: bool
    _hall: Hall | None = field(default=None)

    @property
    def hall(self) -> Hall:
        """The furnished house, made when a measure first asks for it."""
        if self._hall is None:
            files = self.scratch / "files"
            hall.write_files(files)
            self._hall = hall.furnish(self.scratch / "data", files)
        return self._hall

    def place(self, name: str) -> Path:
        """Return a new empty directory."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))


@contextmanager
def prepared(under: Path, rounds: int, *, full: bool) -> Iterator[Ground]:
    """Make the ground of a run, take as many open files as allowed, and clear up afterwards."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    under.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=under) as scratch:
        yield Ground(Path(scratch).resolve(), rounds, full)
