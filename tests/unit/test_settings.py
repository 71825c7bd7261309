"""Settings: where each value comes from, and what stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.settings import SettingsError, load, masked


def test_the_defaults_hold_without_any_environment() -> None:
    settings, origins = load({})
    assert settings.is_loopback
    assert settings.database.url.get_secret_value() == ""
    assert set(origins.values()) == {"default.toml"}


def test_a_later_source_wins_and_is_named(tmp_path: Path) -> None:
    named = tmp_path / "site.toml"
    named.write_text('[site]\ntitle = "From the file"\n[server]\nport = 9000\n')
    env = {"GATEKEEPER_CONFIG": str(named), "GATEKEEPER_SERVER__PORT": "9001"}
    settings, origins = load(env, {"site.title": "From the command", "server.port": 9002})
    assert settings.site.title == "From the command"
    assert settings.server.port == 9001
    assert origins["server.port"] == "GATEKEEPER_SERVER__PORT"
    assert origins["site.title"] == "command line"
    assert load({"GATEKEEPER_CONFIG": str(named)})[1]["server.port"] == str(named)


@pytest.mark.parametrize(
    "name",
    [
        "GATEKEEPER_SERVER__COLOUR", "GATEKEEPER_COLOUR__RED", "GATEKEEPER_SERVER",
        "GATEKEEPER_SERVER_PORT", "GATEKEEPER_SERVER__COLOUR_FILE",
    ],
)  # fmt: skip
def test_an_unknown_variable_stops_the_start_and_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load({name: "/dev/null"})


def test_an_unknown_key_in_the_file_stops_the_start_and_both_are_named(tmp_path: Path) -> None:
    named = tmp_path / "site.toml"
    for text, key in (
        ("[server]\ncolour = 1\n", "server.colour"),
        ("[paint]\ncolour = 1\n", "paint"),
        ("port = 9000\n", "port"),
    ):
        named.write_text(text)
        with pytest.raises(SettingsError, match=key) as stopped:
            load({"GATEKEEPER_CONFIG": str(named)})
        assert str(named) in str(stopped.value)


def test_a_file_that_is_missing_or_no_toml_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="absent"):
        load({"GATEKEEPER_CONFIG": str(tmp_path / "absent.toml")})
    broken = tmp_path / "broken.toml"
    broken.write_text("= 5")
    with pytest.raises(SettingsError, match="broken"):
        load({"GATEKEEPER_CONFIG": str(broken)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEKEEPER_SERVER__PORT", "many"),
        ("GATEKEEPER_SERVER__PORT", "70000"),
        ("GATEKEEPER_LIMITS__ENABLED", "perhaps"),
        ("GATEKEEPER_STORE__BACKEND", "tape"),
        ("GATEKEEPER_DATABASE__BUSY_SECONDS", "0"),
        ("GATEKEEPER_SITE__PUBLIC_URL", "ftp://models.example.org"),
        ("GATEKEEPER_SITE__PUBLIC_URL", "https://models.example.org/under"),
        ("GATEKEEPER_SITE__PUBLIC_URL", "models.example.org"),
    ],
)
def test_a_wrong_value_stops_the_start_and_its_key_is_named(name: str, value: str) -> None:
    key = name.removeprefix("GATEKEEPER_").lower().replace("__", ".")
    with pytest.raises(SettingsError, match=key):
        load({name: value})


@pytest.mark.parametrize(
    "unsafe",
    [
        {"SITE__PUBLIC_URL": "http://models.example.org"},
        {"SERVER__PROCESSES": "2"},
        {"SERVER__PROCESSES": "2", "DATABASE__URL": "sqlite:////x/y.db"},
        {"SERVER__PROCESSES": "2", "DATABASE__URL": "postgresql+psycopg://h/n"},
        {"SERVER__MAX_DOWNLOADS": "512"},
        {"SERVER__SOCKET": "/run/gatekeeper/a.sock"},
        {"DATABASE__OWNER_URL": "postgresql+psycopg://owner@h/n"},
        {"LIMITS__STORAGE_URL": "memory://"},
    ],
)
def test_an_unsafe_pair_stops_the_start(unsafe: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"\w+\.\w+"):
        load({f"GATEKEEPER_{key}": value for key, value in unsafe.items()})


SEVERAL = {
    "GATEKEEPER_SERVER__PROCESSES": "2",
    "GATEKEEPER_DATABASE__URL": "postgresql+psycopg://host/name",
}


def test_several_processes_run_on_postgres_without_limits_of_their_own() -> None:
    assert load({**SEVERAL, "GATEKEEPER_LIMITS__ENABLED": "false"})[0].server.processes == 2


def test_several_processes_may_limit_where_they_count_together(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("redis://:hunter2@host:6379/0\n")
    settings, _ = load({**SEVERAL, "GATEKEEPER_LIMITS__STORAGE_URL_FILE": str(secret)})
    assert settings.limits.enabled
    assert settings.limits.storage_url.get_secret_value() == "redis://:hunter2@host:6379/0"
    assert "hunter2" not in str(masked(settings))
    with pytest.raises(SettingsError, match=r"limits\.storage_url") as stopped:
        load({"GATEKEEPER_LIMITS__STORAGE_URL": "http://:hunter2@host/"})
    assert "hunter2" not in str(stopped.value)


def test_a_secret_comes_from_a_file_and_an_unreadable_one_stops_the_start(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://u:pw@host/name\n")
    settings, origins = load({"GATEKEEPER_DATABASE__URL_FILE": str(secret)})
    assert settings.database.url.get_secret_value() == "postgresql+psycopg://u:pw@host/name"
    assert origins["database.url"] == "GATEKEEPER_DATABASE__URL_FILE"
    with pytest.raises(SettingsError, match="GATEKEEPER_DATABASE__URL_FILE"):
        load({"GATEKEEPER_DATABASE__URL_FILE": str(tmp_path / "absent")})


def test_no_secret_is_shown_in_settings_or_errors() -> None:
    env = {"GATEKEEPER_DATABASE__URL": "postgresql+psycopg://u:hunter2@host/n"}
    env["GATEKEEPER_SECRETS__ENTRY_KEY"] = "cafe" * 16
    settings, _ = load(env)
    shown = f"{masked(settings)} {settings!r}"
    assert "hunter2" not in shown
    assert "cafe" not in shown
    assert masked(settings)["secrets"] == {
        "link_keys": "", "entry_key": "********", "session_key": "",
    }  # fmt: skip
    with pytest.raises(SettingsError) as stopped:
        load({**env, "GATEKEEPER_SERVER__PORT": "x"})
    assert "hunter2" not in str(stopped.value)


def test_a_list_is_split_at_commas() -> None:
    settings, _ = load({"GATEKEEPER_REVIEW__PUBLIC_MAIL_DOMAINS": "a.example,b.example"})
    assert settings.review.public_mail_domains == ("a.example", "b.example")


def test_variables_of_other_programs_and_of_the_tests_are_left_alone() -> None:
    load({"GATEKEEPERS": "x", "GATEKEEPER_TEST_DEPTH": "ci", "GATEKEEPER_DATA": "var", "PATH": ""})
