"""Words the agents' wire shapes share, and the checks of names and time zones."""

import unicodedata
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, StringConstraints

from perdure.kit.ids import id_pattern
from perdure.kit.text import storable

AgentType = Literal[
    "memgpt_agent",
    "memgpt_v2_agent",
    "letta_v1_agent",
    "react_agent",
    "workflow_agent",
    "split_thread_agent",
    "sleeptime_agent",
    "voice_convo_agent",
    "voice_sleeptime_agent",
]
# What becomes of a message that comes while another one is worked on.
MultitaskStrategy = Literal["reject", "enqueue", "interrupt"]
StopReason = Literal[
    "end_turn",
    "error",
    "llm_api_error",
    "invalid_llm_response",
    "invalid_tool_call",
    "max_steps",
    "max_tokens_exceeded",
    "no_tool_call",
    "tool_rule",
    "cancelled",
    "insufficient_credits",
    "requires_approval",
    "context_window_overflow_in_system_prompt",
]
Include = Literal[
    "agent.blocks",
    "agent.identities",
    "agent.managed_group",
    "agent.pending_approval",
    "agent.secrets",
    "agent.sources",
    "agent.tags",
    "agent.tools",
]
IdentityId = Annotated[str, id_pattern("identity")]
Json = dict[str, Any]
StoredJson = Annotated[dict[str, Any], AfterValidator(storable)]
Text = Annotated[str, AfterValidator(storable)]


def _checked_name(name: str) -> str:
    if not name.strip():
        raise ValueError("name must not be empty")
    for character in name:
        if character not in " _'-" and unicodedata.category(character)[0] not in "LMN":
            raise ValueError(
                f"name must not contain {character!r}: letters, digits, spaces, _ ' and - are possible"
            )
    return name


def _checked_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"timezone {name!r} is not an IANA time zone such as Europe/Berlin or UTC"
        ) from error
    return name


AgentName = Annotated[str, AfterValidator(_checked_name)]
Timezone = Annotated[str, AfterValidator(_checked_timezone)]
Tag = Annotated[str, AfterValidator(storable), StringConstraints(min_length=1)]
