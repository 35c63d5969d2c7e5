"""Our wire beside the recorded one of the Letta V1 server: every difference stands here with its reason."""

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.api.shapes import Shape, shapes

from perdure.config import Settings
from perdure.server.app import create_app

RECORDED: dict[str, Shape] = json.loads((Path(__file__).parent / "letta-v1-shapes.json").read_text())

# (route, part, fields): why the recorded server has them and we do not.
MISSING = {
    ("GET /v1/agents*", "query", "include_relationships"): "older spelling of `include`, which we have",
    ("GET /v1/blocks/{}/agents", "query", "include_relationships"): "older spelling of `include`",
    ("GET /v1/blocks", "query", "identifier_keys identity_id"): "identities are a later issue",
    ("GET /v1/groups", "query", "project_id"): "a group is where its agent is",
    ("PATCH /v1/groups/{}", "body", "project_id shared_block_ids"): "a helper shares its agent's blocks",
    ("GET /v1/steps", "query", "project_id trace_ids"): "cloud only, or never set by anybody",
    ("*", "answer", "organization_id base_template_id project_id template_id"): "internal or cloud only",
    (
        "*",
        "answer",
        "agent_id agent_tags billing_context call_type compaction_settings created_by_id last_updated_by_id "
        "llm_config org_id run_id source updated_at user_id",
    ): "a trace's copies of what its step tells, never filled by the open server",
    (
        "POST /v1/agents",
        "body",
        "actor_id embedding_chunk_size from_template include_default_source memory_variables project "
        "template",
    ): "deprecated fields without effect",
    (
        "*",
        "body",
        "tool_exec_environment_variables",
    ): "accepted as an alias of `secrets`, shown under one name",
    (
        "POST /v1/*/{}/messages*",
        "body",
        "enable_thinking return_logprobs return_token_ids top_logprobs",
    ): "without effect, or for one vendor's training server",
    (
        "POST /v1/conversations/{}/recompile",
        "body",
        "compaction_settings",
    ): "compiling a prompt compacts nothing",
    ("GET /v1/sources/{}/files", "query", "check_status_updates"): "the status is always that of now",
    ("POST /v1/agents/{}/messages/stream", "answer", "*"): "we declare it as the event stream it is",
    (
        "POST /v1/chat/completions",
        "body",
        "frequency_penalty max_tokens presence_penalty stop temperature top_p user",
    ): "ignored there and here: an agent's settings are its own",
    ("GET /v1/tools/mcp/servers/{}/tools", "answer", "_meta"): "passed on where a server sends it",
    ("POST /v1/messages/search", "answer", "reasoning"): "thoughts are not searched",
    ("POST /v1/agents/messages/search", "body", "project_id template_id"): "cloud only",
    ("POST /v1/chat/completions", "answer", "*"): "OpenAI's shape, held by its own client in the tests",
}

# (route, part, fields): what we have and the recorded server has not.
ADDED = {
    ("*", "answer", "multitask_strategy"): "what becomes of a message while another is worked on",
    ("*", "body", "multitask_strategy"): "what becomes of a message while another is worked on",
    ("DELETE *", "answer", "*"): "says what was deleted",
    ("GET /v1/admin/*", "query", "before order order_by"): "all lists page alike",
    ("GET /v1/messages", "query", "order_by"): "all lists page alike",
    ("GET /v1/agents*", "query", "show_hidden_agents"): "undocumented there",
    ("GET /v1/archives/{}/agents", "query", "order_by"): "all lists page alike",
    ("GET /v1/blocks*", "query", "show_hidden_blocks"): "undocumented there",
    ("*blocks*", "answer", "version"): "what a change can be meant for",
    ("PATCH /v1/*blocks/{}", "body", "expected_version"): "refuses what is meant for another version",
    ("GET /v1/blocks/count", "query", "*"): "counts with the same filters as the list",
    (
        "*/v1/conversations*",
        "answer",
        "archived archived_at context_window_limit description",
    ): "the official client has them",
    (
        "*/v1/conversations*",
        "body",
        "archived context_window_limit description hidden",
    ): "the official client sends them",
    ("*/v1/conversations*", "query", "archive_status hidden message_id"): "the official client sends them",
    ("*/v1/conversations*", "answer", "last_run_completion"): "lists can be ordered by it",
    ("GET /v1/conversations", "query", "before"): "all lists page alike",
    (
        "GET /v1/models",
        "answer",
        "context_window_source modalities price",
    ): "where a window comes from, what a model reads, what a call costs",
    (
        "*/v1/providers*",
        "answer",
        "last_error last_error_at origin message",
    ): "where it is from, how it is",
    ("*/v1/mcp-servers*", "answer", "health"): "how a server is, and how its tools differ by now",
    ("PATCH /v1/mcp-servers/{}/refresh", "answer", "added updated deleted"): "undeclared there",
    ("POST /v1/tools/mcp/servers/{}/resync", "answer", "added updated deleted"): "undeclared there",
    ("GET /v1/tools/mcp/oauth/callback", "query", "iss"): "who issued the code (RFC 9207)",
    ("GET /v1/*s/{}/passages", "answer", "provenance"): "where an agent wrote it",
    ("*/v1/folders*", "answer", "vector_db_provider"): "a folder is the same under both names",
    ("GET /v1/sources*", "query", "after before limit name order order_by"): "the same lists as of folders",
    ("PATCH /v1/agents/{}/files/{}/close", "answer", "message"): "undeclared there",
    ("POST /v1/chat/completions", "body", "stream_options"): "asks for the usage of a stream",
    ("POST /v1/providers", "body", "shadow"): "a server-wide provider is only shadowed knowingly",
    ("*/v1/runs/{}/steps", "answer", "created_at completed_at"): "when a step was taken",
    ("*/v1/steps*", "answer", "created_at completed_at"): "when a step was taken",
    ("GET /v1/steps", "query", "run_id"): "the steps of one run",
    ("GET /v1/sandbox-config*", "query", "before order order_by"): "all lists page alike",
    (
        "*/v1/archives*",
        "answer",
        "deduplicate embedding provenance",
    ): "what is not stored twice, the model by its handle, and where an agent wrote a passage",
    ("*/v1/archives*", "body", "deduplicate metadata"): "what is not stored twice; metadata can be set",
    ("PATCH /v1/archives/{}", "body", "embedding embedding_config"): "another model, all embedded anew",
    ("PATCH /v1/agents/{}/archives/attach/{}", "query", "first"): "an agent has several, and writes to one",
    ("*/v1/agents/{}/archival-memory*", "answer", "provenance"): "where an agent wrote it",
    ("POST /v1/agents/{}/archival-memory", "body", "metadata"): "as in archives",
    ("POST /v1/passages/search", "body", "search_mode"): "as in searches of messages",
    ("POST /v1/sandbox-config*", "body", "*"): "limits, hosts and packages of all tools, and the type",
}

# Routes that only we have.
OURS = {
    "GET /openai/v1/models": "for OpenAI's clients, whose list of models has another shape than ours",
    "GET /openai/v1/models/{}": "for OpenAI's clients",
    "POST /openai/v1/chat/completions": "the same as under /v1",
    "POST /openai/v1/responses": "the same as under /v1",
    "GET /v1/agents/{}/memory": "an agent's memory as it was at a time",
    "GET /v1/blocks/{}/history": "the changes of a block",
    "DELETE /v1/blocks/{}/history": "erases them",
    "GET /v1/blocks/{}/history/diff": "what differs between two",
    "GET /v1/blocks/{}/history/{}": "one, and what the block was then",
    "POST /v1/blocks/{}/history/undo": "shows what was before the last change",
    "POST /v1/blocks/{}/history/redo": "takes that back",
    "POST /v1/blocks/{}/history/restore": "shows what was in a version or at a time",
    "GET /v1/archives/{}/export": "an archive's passages as lines of JSON",
    "POST /v1/archives/{}/import": "the same lines, brought in again",
    "GET /v1/archives/{}/passages": "reads what the recorded server only lets one write",
    "GET /v1/archives/{}/passages/{}": "the same",
    "PATCH /v1/archives/{}/passages/{}": "a passage can be mended",
    "POST /v1/agents/{}/messages/repair": "stores what a broken history lacks",
    "POST /v1/responses": "OpenAI's newer way to ask",
    "POST /v1/tools/call": "what programs of `run_code_with_tools` call their agent's tools by",
}


def differences() -> Iterator[tuple[str, str, str, str]]:
    """(missing or added, route, part, field) for every route that both have."""
    ours = shapes(create_app(Settings()).openapi())
    for route, shape in ours.items():
        recorded = RECORDED.get(route)
        for part in ("query", "body", "answer") if recorded else ():
            yield from (("missing", route, part, name) for name in set(recorded[part]) - set(shape[part]))
            yield from (("added", route, part, name) for name in set(shape[part]) - set(recorded[part]))


def explained(kind: str, route: str, part: str, name: str) -> tuple[str, str, str] | None:
    """The row of the table that explains a difference."""
    table = MISSING if kind == "missing" else ADDED
    for row in table:
        pattern, where, fields = row
        if where == part and fnmatch(route, pattern) and (fields == "*" or name in fields.split()):
            return row
    return None


def test_every_difference_from_the_recorded_api_is_deliberate() -> None:
    unexplained = [found for found in differences() if explained(*found) is None]
    assert sorted(unexplained) == []


def test_no_explanation_is_left_over() -> None:
    used = {explained(*found) for found in differences()}
    assert {*MISSING, *ADDED} - used == set()


def test_every_route_is_one_of_the_recorded_api_or_deliberately_ours() -> None:
    ours = shapes(create_app(Settings()).openapi())
    assert set(ours) - set(RECORDED) == set(OURS)
