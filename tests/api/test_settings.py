import os
from pathlib import Path

import pytest

from api.composition import store_address
from api.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HEYAN_")]:
        monkeypatch.delenv(name)


def test_defaults_need_nothing() -> None:
    settings = load_settings()
    assert settings.host == "127.0.0.1"
    assert settings.store_url is None
    assert settings.data_dir.is_absolute()


def test_the_environment_is_read_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_PORT", "9000")
    assert load_settings().port == 9000
    assert load_settings(port=9001).port == 9001
    assert load_settings(port=None).port == 9000


@pytest.mark.parametrize("name", ["HEYAN_SHARED", "HEYAN_MODEL_PATH"])
def test_variables_that_others_read_are_known(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/somewhere")
    load_settings()


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_PROT", "9000")
    with pytest.raises(SettingsError, match="HEYAN_PROT") as caught:
        load_settings()
    assert caught.value.code == "setting_unknown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEYAN_PORT", "http"),
        ("HEYAN_PORT", "70000"),
        ("HEYAN_THREADS", "0"),
        ("HEYAN_PROVIDER", "abacus"),
        ("HEYAN_STORE_URL", "mysql://user:hunter2@db"),
        ("HEYAN_STORE_URL", "redis+sentinel://:hunter2@one:26379,two:26379"),
        ("HEYAN_STORE_URL", "redis+sentinel://one:hunter2/heyan"),
        ("HEYAN_STORE_URL", "redis://:hunter2/rest@127.0.0.1:18500"),
        ("HEYAN_STORE_URL", "redis://:hunter2#rest@127.0.0.1:18500"),
        ("HEYAN_STORE_URL", "redis://:12?hunter2@127.0.0.1:18500"),
        ("HEYAN_STORE_URL", "redis://[hunter2"),
        ("HEYAN_STORE_URL", "redis://:hunter2@127.0.0.1:99999"),
        ("HEYAN_STORE_URL", "redis://127.0.0.1:18500/hunter2"),
        ("HEYAN_STORE_URL", "redis://127.0.0.1:18500?foo=hunter2"),
        ("HEYAN_STORE_URL", "redis+cluster://127.0.0.1:18500?foo=hunter2"),
        ("HEYAN_STORE_URL", "redis+cluster://:hunter2@127.0.0.1:18500/3"),
        ("HEYAN_PUBLIC_URL", "verify.example"),
        ("HEYAN_PUBLIC_URL", "https://"),
        ("HEYAN_PUBLIC_URL", "https://:8443"),
        ("HEYAN_PUBLIC_URL", "HTTPS://verify.example"),
        ("HEYAN_PUBLIC_URL", "ftp://verify.example"),
        ("HEYAN_PUBLIC_URL", "https://verify.example:99999"),
        ("HEYAN_PUBLIC_URL", "https://verify.example:0"),
        ("HEYAN_PUBLIC_URL", "https://user:hunter2@verify.example"),
        ("HEYAN_PUBLIC_URL", "https://hunter2@verify.example"),
        ("HEYAN_PUBLIC_URL", "https://verify.example/path?x=hunter2"),
        ("HEYAN_PUBLIC_URL", "https://verify.example/path?"),
        ("HEYAN_PUBLIC_URL", "https://verify.example/#hunter2"),
        ("HEYAN_PUBLIC_URL", "https://verify.example/a b"),
        ("HEYAN_PUBLIC_URL", "https://verify.example\n/hunter2"),
        ("HEYAN_PUBLIC_URL", "https://verify.example;script-src"),
        ("HEYAN_PUBLIC_URL", "https://核验.example"),
        ("HEYAN_PUBLIC_URL", "https://[hunter2"),
        ("HEYAN_LOG_LEVEL", "loud"),
        ("HEYAN_TLS", "perhaps"),
        ("HEYAN_TRUSTED_PROXIES", "*"),
        ("HEYAN_TRUSTED_PROXIES", "10.0.0.1, 0.0.0.0/0"),
        ("HEYAN_TRUSTED_PROXIES", "::/0"),
        ("HEYAN_TRUSTED_PROXIES", "10.0.0.0/8, hunter2"),
        ("HEYAN_AUTHORITY_URL", "http://photos.example"),
        ("HEYAN_AUTHORITY_URL", "https://"),
        ("HEYAN_AUTHORITY_URL", "https://user:hunter2@photos.example"),
        ("HEYAN_SMS_URL", "http://sms.example"),
        ("HEYAN_SMS_URL", "https://user:hunter2@sms.example"),
        ("HEYAN_SMS_URL", "https:sms"),
        ("HEYAN_SMS_URL", "https://sms.example:hunter2"),
        ("HEYAN_SMS_URL", "https://[hunter2"),
        ("HEYAN_REPORT_URL", "https://verify.example/report#hunter2"),
        ("HEYAN_TRACES", "collector:4318"),
        ("HEYAN_TRACES", "grpc://collector:4317"),
        ("HEYAN_TRACES", "http://user:hunter2@collector:4318"),
        ("HEYAN_TRACES", "http://collector:hunter2"),
        ("HEYAN_SMTP_HOST", "mail.example"),
        ("HEYAN_SMTP_TLS", "perhaps"),
        ("HEYAN_SMTP_USER", "hunter2"),
        ("HEYAN_REMINDER_HOURS", "hunter2"),
        ("HEYAN_REMINDER_HOURS", "24"),
        ("HEYAN_REMINDER_HOURS", "0"),
        ("HEYAN_REMINDER_HOURS", "nan"),
        ("HEYAN_REMINDER_HOURS", "1,2,3,4"),
    ],
)
def test_a_bad_value_is_named_and_never_quoted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert caught.value.code == "setting_invalid"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://verify.example", "https://verify.example"),
        ("https://verify.example/", "https://verify.example"),
        ("https://verify.example:8443/heyan/", "https://verify.example:8443/heyan"),
        ("http://localhost:8420", "http://localhost:8420"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://xn--9iq.example", "https://xn--9iq.example"),
    ],
)
def test_links_begin_with_the_public_address(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    monkeypatch.setenv("HEYAN_PUBLIC_URL", given)
    assert load_settings().public_url == kept


def test_mail_in_clear_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEYAN_SMTP_FROM", "no-reply@registry.example.cn")
    monkeypatch.setenv("HEYAN_SMTP_TLS", "none")
    monkeypatch.setenv("HEYAN_PUBLIC_URL", "https://verify.example")
    assert load_settings(smtp_host="127.0.0.1").smtp_tls == "none"
    with pytest.raises(SettingsError, match="HEYAN_SMTP_TLS"):
        load_settings(smtp_host="mail.example")


def test_whoever_sends_links_says_where_they_lead() -> None:
    with pytest.raises(SettingsError, match="HEYAN_PUBLIC_URL"):
        load_settings(sms_url="https://sms.example")
    load_settings(sms_url="https://sms.example", public_url="https://verify.example")
    load_settings(sms_url="https://sms.example", tls=True)


@pytest.mark.parametrize(("text", "hours"), [("2", (2.0,)), ("12, 2", (12.0, 2.0)), ("0.5", (0.5,)), ("none", ())])
def test_reminders_are_hours_or_none(monkeypatch: pytest.MonkeyPatch, text: str, hours: tuple[float, ...]) -> None:
    monkeypatch.setenv("HEYAN_REMINDER_HOURS", text)
    assert load_settings().reminders == hours


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_a_relative_directory_means_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(data_dir=Path("data")).data_dir == tmp_path / "data"


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
    missing = [name for name in Settings.model_fields if f"`HEYAN_{name.upper()}`" not in text]
    assert not missing


def test_the_stores_password_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("a/b@c\n")
    settings = load_settings(store_url="rediss://heyan@store.example:6380/2", store_password=secret)
    assert store_address(settings) == "rediss://heyan:a%2Fb%40c@store.example:6380/2"
    assert store_address(load_settings(store_url="redis://store", store_password=secret)) == "redis://:a%2Fb%40c@store"
    secret.write_text("")
    with pytest.raises(SettingsError, match="HEYAN_STORE_PASSWORD"):
        store_address(settings)


@pytest.mark.parametrize("url", [None, "unix:///run/valkey.sock", "redis://:hunter2@store.example"])
def test_a_password_file_needs_an_address_without_a_password(url: str | None, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEYAN_STORE_PASSWORD") as caught:
        load_settings(store_url=url, store_password=tmp_path / "password")
    assert "hunter2" not in str(caught.value)


def test_an_option_that_is_empty_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEYAN_DATA_DIR", str(tmp_path))
    settings = load_settings(host="", data_dir="", port=None)
    assert (settings.host, settings.data_dir) == ("127.0.0.1", tmp_path)
