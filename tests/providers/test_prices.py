"""Context windows and prices: from settings, the provider, the data, in that order; never silently capped."""

from perdure.providers import prices
from perdure.providers.endpoint import ListedModel
from perdure.providers.entries import entry_of
from perdure.providers.prices import Price
from perdure.providers.settings import CatalogSettings, ModelOverride
from perdure.providers.tables import ProviderRow

OPENAI = ProviderRow("provider-1", "openai", "openai")
LOCAL = ProviderRow("provider-2", "lab", "openai", base_url="http://lab:8000/v1")


def test_the_data_knows_windows_and_prices_of_official_models():
    facts = prices.facts("openai", None, "gpt-4o-mini")
    assert facts.context_window == 128_000
    assert facts.price == Price(input=0.15, output=0.6, cached=0.075)


def test_tiered_prices_show_their_first_tier():
    price = prices.facts("anthropic", None, "claude-sonnet-4-5").price
    assert price is not None
    assert (price.input, price.output) == (3.0, 15.0)


def test_a_compatible_server_has_the_model_s_window_but_not_its_price():
    facts = prices.facts("openai", "http://proxy/v1", "gpt-4o-mini")
    assert (facts.context_window, facts.price) == (128_000, None)


def test_the_data_is_silent_about_unknown_models_and_local_servers():
    assert prices.facts("openai", None, "no-such-model") == prices.NOTHING
    assert prices.facts("ollama", None, "gpt-4o-mini") == prices.NOTHING


def test_the_provider_s_answer_comes_before_the_data():
    entry = entry_of(OPENAI, ListedModel("gpt-4o-mini", context_window=64_000), CatalogSettings())
    assert (entry.context_window, entry.window_source) == (64_000, "provider")


def test_a_setting_comes_before_everything():
    override = ModelOverride(context_window=1000, max_output_tokens=10, output_price=9.0)
    settings = CatalogSettings(overrides={"openai/gpt-4o-mini": override})
    entry = entry_of(OPENAI, ListedModel("gpt-4o-mini", context_window=64_000), settings)
    assert (entry.context_window, entry.window_source, entry.max_output_tokens) == (1000, "setting", 10)
    assert entry.price == Price(input=0.15, output=9.0, cached=0.075)


def test_an_unknown_window_is_the_stated_default_and_marked_as_such():
    entry = entry_of(LOCAL, ListedModel("mystery"), CatalogSettings(default_context_window=200_000))
    assert (entry.context_window, entry.window_source, entry.price) == (200_000, "default", None)


def test_an_address_is_shown_without_its_password():
    row = ProviderRow("provider-3", "lab", "openai", base_url="http://me:secret@lab:8000/v1?key=x")
    assert entry_of(row, ListedModel("m"), CatalogSettings()).endpoint_url == "http://lab:8000/v1"
