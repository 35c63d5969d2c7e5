"""What a model call costs over a raw HTTP call of the same server: our formats, and pydantic-ai's.

    python bench/model_layer.py            # prints milliseconds, median, alternated with the raw call

The scripted model server runs in a process of its own. Run it on a quiet machine.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from perdure.content.parts import Message, Text
from perdure.providers.base import Exchange, ModelClient, ModelRequest, ToolSpec
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.http import close_pool, pool
from perdure.providers.vendors.wire import anthropic_client, chat_client, responses_client

PORT = 9471
URL = f"http://127.0.0.1:{PORT}"
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages"}
PARAMETERS = {"type": "object", "properties": {"label": {"type": "string"}, "value": {"type": "string"}}}
NAMES = ("memory_insert", "memory_replace", "memory_rethink", "conversation_search", "send_message")
SYSTEM = "s" * 2000
SAID = (("user", "hello there"), ("assistant", "hi you"), ("user", "second"), ("assistant", "hi you again"))
Call = Callable[[str], Awaitable[tuple[float, float]]]


async def _timed(stream: object) -> tuple[float, float]:
    began, first = time.perf_counter(), 0.0
    async for _ in stream:  # type: ignore[attr-defined]
        first = first or time.perf_counter() - began
    return first, time.perf_counter() - began


def raw(kind: str) -> Call:
    """The least a call can cost: the same body, the bytes thrown away."""

    async def call(text: str) -> tuple[float, float]:
        messages = [{"role": "user", "content": SYSTEM}, {"role": "assistant", "content": "hi"}]
        messages.append({"role": "user", "content": text})
        tools = [{"name": name, "description": name * 10, "parameters": PARAMETERS} for name in NAMES]
        body = {"model": "m", "stream": True, "messages": messages, "input": messages, "tools": tools}

        async def pieces() -> object:
            async with pool().stream("POST", URL + PATHS[kind], json=body) as response:
                async for piece in response.aiter_raw():
                    yield piece

        return await _timed(pieces())

    return call


def ours(kind: str) -> Call:
    """Through `providers.vendors`."""
    opened: dict[str, Callable[[Endpoint], ModelClient]] = {
        "chat": chat_client, "responses": responses_client, "anthropic": anthropic_client,
    }  # fmt: skip
    client = opened[kind](Endpoint("bench", "anthropic" if kind == "anthropic" else "openai", URL, "key"))
    tools = tuple(ToolSpec(name, name * 10, PARAMETERS) for name in NAMES)

    async def call(text: str) -> tuple[float, float]:
        said = tuple(Message(role, (Text(words),)) for role, words in (*SAID, ("user", text)))  # type: ignore[arg-type]
        request = ModelRequest("gpt-4o-mini", SYSTEM, said, tools, max_output_tokens=4000)
        return await _timed(client.stream(request, Exchange()))

    return call


def theirs(kind: str) -> Call:
    """Through `pydantic_ai.direct`, the model kept."""
    from pydantic_ai.direct import model_request_stream
    from pydantic_ai.messages import ModelRequest as Asked
    from pydantic_ai.messages import ModelResponse, SystemPromptPart, TextPart, UserPromptPart
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    if kind == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        given = AnthropicProvider(api_key="key", base_url=URL, http_client=pool())
        model: object = AnthropicModel("claude-haiku-4-5", provider=given)
    else:
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        made = OpenAIChatModel if kind == "chat" else OpenAIResponsesModel
        model = made(
            "gpt-5-mini", provider=OpenAIProvider(api_key="key", base_url=f"{URL}/v1", http_client=pool())
        )
    tools = [
        ToolDefinition(name=name, description=name * 10, parameters_json_schema=PARAMETERS) for name in NAMES
    ]
    parameters = ModelRequestParameters(function_tools=tools, allow_text_output=True)

    async def call(text: str) -> tuple[float, float]:
        history: list[object] = [Asked(parts=[SystemPromptPart(SYSTEM)])]
        for role, words in (*SAID, ("user", text)):
            user = role == "user"
            history.append(Asked([UserPromptPart(words)]) if user else ModelResponse([TextPart(words)]))

        async def events() -> object:
            limits = {"max_retries": 0, "max_tokens": 4000}
            async with model_request_stream(
                model, history, model_settings=limits, model_request_parameters=parameters
            ) as stream:
                async for event in stream:
                    yield event

        return await _timed(events())

    return call


async def compare(kind: str, made: Callable[[str], Call], chunks: int, rounds: int) -> str:
    """Medians of one way beside the raw call."""
    base, way, text = raw(kind), made(kind), f"count:{chunks}"
    rows = [(*await base(text), *await way(text)) for _ in range(rounds)][5:]
    first, total, our_first, our_total = (
        statistics.median(column) * 1e3 for column in zip(*rows, strict=True)
    )
    return (
        f"{made.__name__:7}{kind:10}{chunks:4} chunks | raw {first:5.2f} first {total:6.2f} whole | "
        f"over it {our_first - first:+6.2f} first {our_total - total:+6.2f} whole | "
        f"{our_total / total:4.1f} x"
    )


async def main() -> None:
    """Measure all formats both ways, ours first: the other loads 80 MB."""
    for made in (ours, theirs):
        for kind in PATHS:
            print(await compare(kind, made, 8, 125))
            print(await compare(kind, made, 200, 45))
        pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
        print(f"{made.__name__}: resident {pages * 4 // 1024} MB")
    await close_pool()


if __name__ == "__main__":
    command = [sys.executable, "-m", "perdure.testing.model_server", "--port", str(PORT)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            time.sleep(1.5)
            asyncio.run(main())
        finally:
            server.terminate()
