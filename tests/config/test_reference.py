"""The reference in the docs is made from the settings, and is current."""

from pathlib import Path

from perdure.config.names import all_settings, variable
from perdure.config.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_setting_has_a_description():
    assert [
        variable(place) for place, field in all_settings() if not field.description and len(place) > 1
    ] == []


def test_the_page_is_current():
    assert PAGE.read_text() == reference(), "run: python -m perdure.config > docs/configuration.md"


def test_every_setting_is_on_the_page():
    assert all(
        f"`{variable(place)}`" in reference() for place, _ in all_settings() if place != ("providers",)
    )
