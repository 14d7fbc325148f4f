import pytest

from aios.settings import SettingsError, load_db_url, load_settings

PRODUCTION = {
    "NODE_ENV": "production",
    "EXPO_PUBLIC_DOMAIN": "aios.app",
    "API_URL": "https://api.aios.app",
    "DB_URL": "postgresql://app:pw@/aios?host=/run/pg",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
}


def faults_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.faults


def test_development_needs_no_variable() -> None:
    settings = load_settings({})
    assert settings.is_local
    assert (settings.host, settings.port) == ("127.0.0.1", 5000)


def test_production_takes_the_given_values() -> None:
    settings = load_settings({**PRODUCTION, "PORT": "8123", "SHIPWAY_RELEASE": "v1.4.2"})
    assert not settings.is_local
    assert (settings.port, settings.release) == (8123, "v1.4.2")


def test_a_deployed_server_names_everything_that_is_missing_at_once() -> None:
    assert faults_of({"NODE_ENV": "staging"}) == [
        "EXPO_PUBLIC_DOMAIN is missing.",
        "API_URL is missing.",
        "DB_URL is missing.",
        "JWT_SECRET is missing.",
    ]


@pytest.mark.parametrize(
    "secret", ["dev-secret-key", "x" * 31, "dev-secret-key-that-is-only-for-your-own-machine"]
)
def test_a_deployed_server_refuses_a_weak_secret(secret: str) -> None:
    (fault,) = faults_of({**PRODUCTION, "JWT_SECRET": secret})
    assert fault == "JWT_SECRET is too weak for production; expected at least 32 random characters."


@pytest.mark.parametrize("port", ["http", "-1", "65536", "٣"])
def test_a_port_is_a_number(port: str) -> None:
    (fault,) = faults_of({"PORT": port})
    assert fault.startswith("PORT is")


def test_malformed_urls_are_refused_without_repeating_a_password() -> None:
    faults = faults_of({**PRODUCTION, "DB_URL": "mysql://app:hunter2@db/aios", "API_URL": "api.aios.app"})
    assert faults == [
        "API_URL must begin with http:// or https://.",
        "DB_URL must begin with postgresql://.",
    ]


def test_migrations_need_the_database_only() -> None:
    assert load_db_url({"DB_URL": "postgresql:///aios"}) == "postgresql:///aios"
    with pytest.raises(SettingsError, match="DB_URL is missing"):
        load_db_url({})
