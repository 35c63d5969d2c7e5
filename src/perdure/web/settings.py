"""What a person may set about searching the web. Plain values; `perdure.config` reads them."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

EngineName = Literal["exa", "tavily", "brave", "searxng"]


class SearchSettings(BaseModel):
    """The engine behind the tool `web_search`; an agent's own secrets come before it."""

    model_config = ConfigDict(extra="forbid")

    engine: EngineName | None = Field(
        default=None,
        description="Which engine to use. Unset: the first of them whose variable is set: EXA_API_KEY, "
        "TAVILY_API_KEY, BRAVE_API_KEY, SEARXNG_URL.",
    )
    api_key: SecretStr | None = Field(default=None, description="The key for `search.engine`.")
    url: str | None = Field(
        default=None,
        description="Where `search.engine` answers: the address of a SearXNG, which may be a private one, or "
        "of a gateway before another engine.",
    )

    @model_validator(mode="after")
    def engine_is_named(self) -> Self:
        """A key and an address belong to an engine."""
        if self.engine is None and (self.api_key or self.url):
            raise ValueError("search.api_key and search.url need search.engine.")
        return self
