"""All settings with their defaults and descriptions; the reference in the docs is made from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr
from pydantic_settings import NoDecode

from perdure.chat.settings import MultiagentSettings, SleeptimeSettings, StreamSettings
from perdure.db.settings import DatabaseSettings
from perdure.embeddings.settings import EmbeddingSettings
from perdure.files.settings import FileSettings
from perdure.kit.outbound import OutboundSettings
from perdure.loop.settings import SummarySettings
from perdure.mcp.settings import McpSettings
from perdure.providers.settings import CatalogSettings, ProviderSettings
from perdure.runs.settings import RunSettings
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.surroundings import Surroundings
from perdure.tools.settings import ToolSettings
from perdure.web.settings import SearchSettings

Level = Literal["debug", "info", "warning", "error"]


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _spelled_out(path: Path) -> Path:
    """A path without `~`, the same wherever the process goes."""
    return path.expanduser().absolute()


class LogSettings(BaseModel):
    """What the server writes about its work, to standard error."""

    model_config = ConfigDict(extra="forbid")

    level: Level = Field(default="info", description="The least important lines still written.")
    format: Literal["auto", "text", "json"] = Field(
        default="auto", description="One JSON object a line, or text; `auto` is text on a terminal."
    )
    requests: bool = Field(default=False, description="Write a line for every request.")


class Settings(BaseModel):
    """Everything that can be set. Built by `load_settings`, or with plain values in tests."""

    model_config = ConfigDict(extra="forbid")

    home: Annotated[Path, AfterValidator(_spelled_out)] = Field(
        default=Path("~/.perdure"),
        validate_default=True,
        description="The folder of the database, the key ring, backups and `perdure.toml`.",
    )
    host: str = Field(
        default="127.0.0.1", description="The address to listen on. Any but loopback needs a key."
    )
    port: int = Field(default=8283, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    api_key: SecretStr | None = Field(
        default=None,
        description="A key that every request must show; it may do all. Further keys: `perdure keys create`.",
    )
    encryption_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list[SecretStr],
        description="Keys that seal stored secrets: 32 bytes in base64 each, newest first, separated by "
        "commas. Without them: the file `keys` in the home, made when missing.",
    )
    database: DatabaseSettings = DatabaseSettings()
    models: CatalogSettings = CatalogSettings()
    providers: list[ProviderSettings] = Field(default_factory=list[ProviderSettings])
    embeddings: EmbeddingSettings = EmbeddingSettings()
    runs: RunSettings = RunSettings()
    streams: StreamSettings = StreamSettings()
    multiagent: MultiagentSettings = MultiagentSettings()
    sleeptime: SleeptimeSettings = SleeptimeSettings()
    search: SearchSettings = SearchSettings()
    summaries: SummarySettings = SummarySettings()
    sandbox: SandboxSettings = SandboxSettings()
    tools: ToolSettings = ToolSettings()
    files: FileSettings = FileSettings()
    outbound: OutboundSettings = OutboundSettings()
    mcp: McpSettings = McpSettings()
    log: LogSettings = LogSettings()

    _environment: Mapping[str, str] = PrivateAttr(default_factory=dict[str, str])

    @property
    def database_url(self) -> str:
        """The database's URL, with its password."""
        if self.database.url:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.home / 'perdure.db'}"

    @property
    def sealing_keys(self) -> list[str]:
        """The configured encryption keys, newest first; empty when the home's key file counts."""
        return [key.get_secret_value() for key in self.encryption_keys]

    @property
    def all_providers(self) -> list[ProviderSettings]:
        """The providers of the configuration, the model in a GGUF file among them."""
        if self.models.gguf is None:
            return self.providers
        return [*self.providers, ProviderSettings(name="local", type="local", base_url=self.models.gguf)]

    @property
    def surroundings(self) -> Surroundings:
        """What sandboxes know of this server."""
        return Surroundings(self.home / "environments", self.environment, self.outbound.networks)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment the settings were read from, for providers named there; empty in tests."""
        return self._environment

    def with_environment(self, environment: Mapping[str, str]) -> Self:
        """These settings, with the environment that `environment` tells."""
        self._environment = environment
        return self
