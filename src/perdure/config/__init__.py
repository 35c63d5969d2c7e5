"""Settings: the sum of the packages' own, and the only place that reads the environment."""

from perdure.config.effective import effective
from perdure.config.environment import ConfigurationError
from perdure.config.load import load_settings, unknown_variables
from perdure.config.settings import LogSettings, Settings

__all__ = ["ConfigurationError", "LogSettings", "Settings", "effective", "load_settings", "unknown_variables"]
