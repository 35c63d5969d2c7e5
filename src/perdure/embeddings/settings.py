"""What a person may set about embeddings."""

from pydantic import BaseModel, ConfigDict, Field

OFFLINE = "offline/all-minilm-l6-v2"


class EmbeddingSettings(BaseModel):
    """What makes the vectors by which memory, messages and files are found."""

    model_config = ConfigDict(extra="forbid")

    default: str = Field(
        default=OFFLINE,
        description="The embedding model of agents, archives and folders that name none; `none`: they are "
        "searched by words alone.",
    )
    threads: int = Field(default=2, ge=1, description="Processor threads of the model inside.")
    idle_seconds: float = Field(
        default=600.0,
        gt=0,
        description="The process of the model inside ends when it has had nothing to do for so long.",
    )
    cache: int = Field(default=2000, ge=0, description="Vectors kept in memory for texts that come again.")
    query_seconds: float = Field(
        default=5.0, gt=0, description="How long a search waits for a provider before it goes by words alone."
    )
    passage_seconds: float = Field(
        default=60.0, gt=0, description="Seconds a provider may take for a batch of passages."
    )
