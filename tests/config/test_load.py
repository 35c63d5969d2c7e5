"""Settings are read from arguments, the environment, the file, and every mistake is named."""

from pathlib import Path

import pytest

from perdure.config import ConfigurationError, Settings, load_settings, unknown_variables


@pytest.fixture
def home(tmp_path):
    return {"PERDURE_HOME": str(tmp_path)}


def write(home, text):
    (Path(home["PERDURE_HOME"]) / "perdure.toml").write_text(text)


def test_everything_has_a_default(home):
    settings = load_settings(home)
    assert (settings.host, settings.port) == ("127.0.0.1", 8283)
    assert settings.database_url == f"sqlite:///{home['PERDURE_HOME']}/perdure.db"
    assert settings.api_key is None


def test_the_home_is_spelled_out():
    assert load_settings({}).home == Path.home() / ".perdure"
    assert Settings(home=Path("here")).home == Path.cwd() / "here"


def test_arguments_beat_the_environment_which_beats_the_file(home):
    write(home, "port = 1\nhost = '10.0.0.1'\n[database]\npool_size = 3\nreaders = 2\n")
    environment = {**home, "PERDURE_PORT": "2", "PERDURE_DATABASE_POOL_SIZE": "4"}
    settings = load_settings(environment, port=3, host=None)
    assert (settings.port, settings.host) == (3, "10.0.0.1")
    assert (settings.database.pool_size, settings.database.readers) == (4, 2)


def test_the_first_underscore_after_a_group_parts_it_from_its_setting(home):
    environment = {
        "PERDURE_MODELS_DEFAULT_CONTEXT_WINDOW": "9",
        "PERDURE_MODELS_OVERRIDES": '{"a/b": {"context_window": 7}}',
        "PERDURE_DATABASE_UPGRADE": " no ",
        "PERDURE_DATABASE_READERS": "",
    }
    settings = load_settings({**home, **environment})
    assert settings.models.default_context_window == 9
    assert settings.models.overrides["a/b"].context_window == 7
    assert (settings.database.upgrade, settings.database.readers) == (False, 4)


def test_plain_values_look_nowhere_else(monkeypatch, tmp_path):
    monkeypatch.setenv("PERDURE_PORT", "1")
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "perdure.toml").write_text("host = 'h'")
    (tmp_path / ".env").write_text("PERDURE_HOST=h")
    settings = Settings.model_validate({"home": "/h"})
    assert (settings.port, settings.host, settings.environment) == (8283, "127.0.0.1", {})
    assert load_settings({"PERDURE_HOME": "/h"}).port == 8283
    assert load_settings().port == 1


def test_another_file_can_be_named(home, tmp_path):
    (tmp_path / "other.toml").write_text("port = 7")
    assert load_settings({**home, "PERDURE_CONFIG": str(tmp_path / "other.toml")}).port == 7
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings({**home, "PERDURE_CONFIG": str(tmp_path / "none.toml")})


def test_secrets_may_stand_in_files(home, tmp_path):
    (tmp_path / "secret").write_text("sk-1\n")
    path = str(tmp_path / "secret")
    settings = load_settings({**home, "PERDURE_API_KEY_FILE": path, "OPENAI_API_KEY_FILE": path})
    assert settings.api_key
    assert settings.api_key.get_secret_value() == "sk-1"
    assert settings.environment["OPENAI_API_KEY"] == "sk-1"
    assert "sk-1" not in repr(settings)


def test_a_secret_and_its_file_at_once_are_refused(home):
    with pytest.raises(ConfigurationError, match="Both PERDURE_API_KEY and PERDURE_API_KEY_FILE"):
        load_settings({**home, "PERDURE_API_KEY": "a", "PERDURE_API_KEY_FILE": "b"})


def test_a_secret_file_that_is_missing_is_named(home):
    with pytest.raises(ConfigurationError, match="names /none, which cannot be read: No such file"):
        load_settings({**home, "PERDURE_DATABASE_URL_FILE": "/none"})


def test_encryption_keys_are_a_list(home):
    settings = load_settings({**home, "PERDURE_ENCRYPTION_KEYS": "a, b\nc"})
    assert [key.get_secret_value() for key in settings.encryption_keys] == ["a", "b", "c"]


def test_providers_and_tables_are_json_in_the_environment_and_tables_in_the_file(home):
    write(home, '[[providers]]\nname = "ws"\nbase_url = "http://ws:8000/v1/"\n')
    assert load_settings(home).providers[0].base_url == "http://ws:8000/v1"
    settings = load_settings({**home, "PERDURE_PROVIDERS": '[{"name": "two"}]'})
    assert [provider.name for provider in settings.providers] == ["two"]


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"PERDURE_PORT": "abc"}, r"port \(PERDURE_PORT\): Input should be a valid integer"),
        ({"PERDURE_DATABASE_POOL_SIZE": "0"}, r"database.pool_size \(PERDURE_DATABASE_POOL_SIZE\)"),
        ({"PERDURE_PROVIDERS": "[}"}, "PERDURE_PROVIDERS is not valid JSON"),
        ({"PERDURE_MODELS_OVERRIDES": "{]"}, "PERDURE_MODELS_OVERRIDES is not valid JSON"),
        ({"PERDURE_PROVIDERS": '[{"name": "a/b"}]'}, r"providers\.0\.name"),
        ({"PERDURE_LOG_LEVEL": "loud"}, "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(home, environment, text):
    with pytest.raises(ConfigurationError, match=text):
        load_settings({**home, **environment})


def test_a_wrong_secret_is_not_repeated(home):
    write(home, "api_key = ['sk-hidden']")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(home)
    assert "api_key" in str(raised.value)
    assert "sk-hidden" not in str(raised.value)


def test_a_file_that_is_no_toml_is_named(home):
    write(home, "port 8283")
    with pytest.raises(ConfigurationError, match=r"perdure\.toml is not valid TOML"):
        load_settings(home)


def test_a_file_that_cannot_be_read_is_named(home):
    (Path(home["PERDURE_HOME"]) / "perdure.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"perdure\.toml is not valid TOML"):
        load_settings(home)


def test_an_unknown_name_in_the_file_is_refused_with_the_nearest(home):
    write(home, "[database]\npoolsize = 3")
    with pytest.raises(
        ConfigurationError, match=r"database.poolsize in .* Did you mean database.pool_size\?"
    ):
        load_settings(home)


def test_an_unknown_variable_is_reported_with_the_nearest(home):
    environment = {
        **home,
        "PERDURE_PROT": "1",
        "PERDURE_API_KEY_FILE": "x",
        "PERDURE_TEST_X": "1",
        "PORT": "1",
    }
    assert unknown_variables(environment) == [
        "PERDURE_PROT is not a setting and has no effect. Did you mean PERDURE_PORT?"
    ]
    assert load_settings({**home, "PERDURE_PROT": "1"}).port == 8283


def test_an_unknown_variable_of_a_group_is_reported_too(home):
    environment = {**home, "PERDURE_DATABASE_POOLSIZE": "3"}
    assert "mean PERDURE_DATABASE_POOL_SIZE?" in unknown_variables(environment)[0]
    assert load_settings(environment).database.pool_size == 10
