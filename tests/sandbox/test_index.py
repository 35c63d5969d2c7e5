"""Where packages come from: what the operator has set."""

from pathlib import Path

from perdure.sandbox.environments.clients import explain
from perdure.sandbox.environments.index import index_environment, local_paths, without_credentials

QUIET = {"PIP_CONFIG_FILE": "/dev/null"}


def test_clients_get_their_own_variables_and_the_networks_and_no_secret() -> None:
    told = {
        "UV_INDEX_URL": "https://mine.example/simple",
        "npm_config_registry": "https://mine.example/npm",
        "HTTPS_PROXY": "http://proxy.example",
        "SSL_CERT_FILE": "/etc/ssl/mine.pem",
        "OPENAI_API_KEY": "secret",
        "PERDURE_API_KEY": "secret",
        "UV_TARGET": "/elsewhere",
        "PIP_INDEX_URL": "https://other.example",
    }
    assert index_environment({**told, **QUIET}) == dict(list(told.items())[:4])


def test_what_pip_is_told_counts_where_uv_is_told_nothing(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://u:p@mine.example/100%%/simple\ncert=/mine.pem\ntimeout = 3\n"
        "[install]\nextra_index_url =\n  https://a.example\n  https://b.example\n[download]\ncert=/no\n"
    )
    told = {
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_FIND_LINKS": "/wheels /more",
        "XDG_CONFIG_DIRS": "/no",
    }
    found = index_environment(told)
    assert found["UV_DEFAULT_INDEX"] == "https://u:p@mine.example/100%%/simple"
    assert found["UV_INDEX"] == "https://a.example https://b.example"
    assert found["UV_FIND_LINKS"] == "/wheels,/more"
    assert found["SSL_CERT_FILE"] == "/mine.pem"


def test_a_broken_file_of_pips_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url = nowhere\n")
    told = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "XDG_CONFIG_DIRS": "/no"}
    assert "UV_DEFAULT_INDEX" not in index_environment(told)


def test_files_that_variables_name_are_readable_for_a_client(tmp_path: Path) -> None:
    (tmp_path / "mine" / "simple").mkdir(parents=True)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    told = {
        "UV_INDEX": f"file://{tmp_path}/mine/simple https://x.example",
        "UV_FIND_LINKS": f"{wheels},/missing",
        "SSL_CERT_FILE": str(tmp_path / "none.pem"),
    }
    assert local_paths(told) == [tmp_path / "mine", wheels]


def test_no_credential_is_shown() -> None:
    said = "cause: got 403 for https://user:pass%40word@mine.example/simple and http://token@b/c"
    assert without_credentials(said) == "cause: got 403 for https://mine.example/simple and http://b/c"
    assert "pass" not in explain("pip", said)


def test_an_index_that_is_not_there_is_told_without_its_name() -> None:
    said = "error: Failed to fetch: http://127.0.0.1:1/simple/six/\n  cause: tcp connect error"
    assert explain("pip", said) == "the package index cannot be reached from this server."
    assert explain("npm", "npm error code ECONNREFUSED\nnpm error errno x").startswith(
        "the package index cannot"
    )


def test_a_clients_reason_is_told_without_its_noise() -> None:
    said = (
        "Using CPython 3.11\nerror: No solution found\n  cause: Because a was not found\n\nhint: Look again"
    )
    assert explain("pip", said) == "Because a was not found Look again"
    said = (
        "npm error code E404\nnpm error 404 Not Found - GET https://x/a\nnpm error A complete log of this run"
    )
    assert explain("npm", said) == "a package was not found in the registry: 404 Not Found - GET https://x/a"
    assert explain("npm", "") == "its client gave no reason."
