"""A tool written by a model: asked for in words, read without being run, not stored."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter

from perdure.chat.generate import UpstreamFailed
from perdure.content.parts import Message, Text, text_of
from perdure.kit.errors import InvalidArgument, PerdureError
from perdure.kit.ids import new_id
from perdure.loop.answer import answer_of
from perdure.providers.base import ModelError, ModelRequest
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor
from perdure.tools.arguments import check
from perdure.tools.derive import schema_from_source
from perdure.tools.derive.parse import aside
from perdure.tools.schemas import GeneratedTool, GenerateTool, Tool

router = APIRouter(prefix="/v1/tools", tags=["tools"])

TRIES = 2
BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
SYSTEM = """You write tools for agents. A tool is one Python function at the top level of a module.

- Every parameter has a type hint and a line in the `Args:` section of the docstring (Google style).
- There are no *args and no **kwargs.
- The docstring begins with a sentence that tells an agent what the function does and when to call it.
- It returns text, or something that JSON can say. When it cannot do its work it raises a clear exception.
- Imports stand at the top. Use the standard library unless more is asked for.

Answer with two fenced blocks: first ```python with the whole module, then ```json with an object of sample
arguments for one call. A sentence or two of explanation may follow."""


class NoToolWritten(PerdureError):
    """The model was asked twice and wrote nothing that can be a tool."""

    status = 502
    headers: Mapping[str, str] = {"x-should-retry": "false"}


@dataclass(frozen=True, slots=True)
class Written:
    """A source that was read, and arguments that fit it."""

    source: str
    schema: dict[str, Any]
    arguments: dict[str, Any]


@router.post("/generate-tool")
async def generate_tool(body: GenerateTool, actor: CurrentActor, models: CurrentModels) -> GeneratedTool:
    """Have a model write a tool. It is read, not run; one that cannot be a tool is asked for once more."""
    model = await models.resolve(actor, body.handle or await models.default_handle(actor))
    messages: list[Message] = [Message("user", (Text(question(body)),))]
    fault = ""
    for _ in range(TRIES):
        try:
            answer = await answer_of(model, ModelRequest(model.model, SYSTEM, tuple(messages)))
        except ModelError as error:
            raise UpstreamFailed(error) from error
        text = text_of(answer.parts)
        try:
            return _shown(await aside(text, read_answer, text, body.tool_name), text)
        except InvalidArgument as error:
            fault = error.detail
        messages += [
            Message("assistant", (Text(text or "(nothing)"),)),
            Message(
                "user", (Text(f"That cannot be used: {fault}\nAnswer with both blocks again, corrected."),)
            ),
        ]
    raise NoToolWritten(f"{model.handle} wrote nothing that can be a tool: {fault}")


def question(body: GenerateTool) -> str:
    """What the model is asked."""
    parts = [f"Write the function `{body.tool_name}`. What it should do:\n{body.prompt}"]
    if body.starter_code:
        parts.append(f"Begin with this source:\n```python\n{body.starter_code}\n```")
    if body.validation_errors:
        faults = "\n".join(f"- {fault}" for fault in body.validation_errors)
        parts.append(f"Mend what was wrong with it:\n{faults}")
    return "\n\n".join(parts)


def read_answer(text: str, name: str) -> Written:
    """The tool in a model's answer; raises `InvalidArgument` saying what is wrong with it."""
    blocks = [(kind.lower(), inside) for kind, inside in BLOCK.findall(text)]
    sources = [inside for kind, inside in blocks if kind in ("python", "py", "")]
    if not sources:
        raise InvalidArgument("There is no ```python block.")
    schema = schema_from_source(sources[0], name=name)
    given = _arguments([inside for kind, inside in blocks if kind == "json"])
    arguments, faults = check(schema["parameters"], given)
    if faults:
        raise InvalidArgument(f"The sample arguments do not fit the function: {'; '.join(faults)}.")
    return Written(sources[0].strip() + "\n", schema, arguments)


def _arguments(blocks: list[str]) -> dict[str, Any]:
    try:
        value: object = json.loads(blocks[0] if blocks else "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"The ```json block is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidArgument("The ```json block must be an object.")
    return cast("dict[str, Any]", value)


def _shown(written: Written, text: str) -> GeneratedTool:
    tool = Tool(
        id=new_id("tool"),
        name=written.schema["name"],
        description=written.schema["description"],
        source_type="python",
        source_code=written.source,
        json_schema=written.schema,
    )
    return GeneratedTool(tool=tool, sample_args=written.arguments, response=text)
