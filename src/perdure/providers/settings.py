"""What a person may set about models and providers. Plain values; `perdure.config` reads them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

ProviderType = Literal[
    "anthropic",
    "azure",
    "baseten",
    "bedrock",
    "cerebras",
    "chatgpt_oauth",
    "deepseek",
    "fireworks",
    "google_ai",
    "google_vertex",
    "groq",
    "hugging-face",
    "llamacpp",
    "letta",
    "lmstudio_openai",
    "minimax",
    "mistral",
    "moonshot",
    "moonshot_coding",
    "ollama",
    "openai",
    "openrouter",
    "sglang",
    "together",
    "vllm",
    "xai",
    "zai",
    "zai_coding",
]

LOCAL = "local"
ConfiguredType = ProviderType | Literal["local"]
"""Only whoever runs the server may name a file on its disk: `local` is no type of the API."""

ProviderName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^/\s][^/]*$")
]
"""The part of a handle before its first slash."""


def checked_url(value: str | None) -> str | None:
    """An http(s) URL without its trailing slash, or nothing; raises ValueError with the fix."""
    url = (value or "").strip().rstrip("/")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"base_url must start with http:// or https://, not {url!r}")
    return url


class ProviderSettings(BaseModel):
    """One model server of the configuration file: a `[[providers]]` table."""

    model_config = ConfigDict(extra="forbid")

    name: ProviderName = Field(description="Its name: what stands before the slash in a handle.")
    type: ConfiguredType = Field(
        default="openai",
        description="Which API it speaks; `openai` for compatible servers, `local` for a GGUF file.",
    )
    base_url: str | None = Field(
        default=None, description="Its address, with or without `/v1`; the path of a `local` model's file."
    )
    api_key: SecretStr | None = Field(default=None, description="Its key, where it wants one.")
    access_key: SecretStr | None = Field(default=None, description="The second half of an AWS credential.")
    region: str | None = Field(default=None, description="The region, for cloud providers.")
    api_version: str | None = Field(default=None, description="The API version, for Azure.")
    headers: dict[str, str] = Field(default_factory=dict, description="Extra headers for each request.")

    @model_validator(mode="after")
    def address_fits_type(self) -> "ProviderSettings":
        """Servers have a URL, a `local` model has a file."""
        if self.type != LOCAL:
            self.base_url = checked_url(self.base_url)
        elif not self.base_url:
            raise ValueError("base_url must be the path of a GGUF file where the type is `local`")
        return self


Modality = Literal["text", "image", "audio", "video", "file"]


class ModelOverride(BaseModel):
    """What is known better about one model than its provider or the price list tells."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    context_window: int | None = Field(default=None, gt=0, description="Tokens the model can read.")
    max_output_tokens: int | None = Field(default=None, gt=0, description="Tokens the model can write.")
    modalities: tuple[Modality, ...] | None = Field(
        default=None,
        min_length=1,
        description="What the model reads: a list of `text`, `image`, `audio`, `video`, `file`.",
    )
    input_price: float | None = Field(default=None, ge=0, description="Dollars for a million tokens read.")
    output_price: float | None = Field(
        default=None, ge=0, description="Dollars for a million tokens written."
    )
    cached_price: float | None = Field(
        default=None, ge=0, description="Dollars for a million cached tokens read."
    )


class CatalogSettings(BaseModel):
    """Models and where they are found."""

    model_config = ConfigDict(extra="forbid")

    default: str | None = Field(default=None, description="The handle of agents that name no model.")
    gguf: str | None = Field(
        default=None,
        description="A GGUF file to run inside the server as provider `local`; needs the extra `local`.",
    )
    handles: dict[str, str] = Field(
        default_factory=dict, description="Other names for models: handle = the handle it stands for."
    )
    overrides: dict[str, ModelOverride] = Field(
        default_factory=dict, description="Facts about single models, by handle."
    )
    default_context_window: int = Field(
        default=128_000, gt=0, description="Assumed of models whose context window nobody tells."
    )
    refresh_seconds: float = Field(
        default=600.0, gt=0, description="How often providers are asked for their models, in the background."
    )
    list_timeout: float = Field(
        default=15.0, gt=0, description="Seconds a provider may take to list its models."
    )
    detect: bool = Field(
        default=True, description="Look for Ollama, LM Studio, llama.cpp and vLLM on this machine."
    )
