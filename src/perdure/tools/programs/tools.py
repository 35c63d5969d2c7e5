"""The built-in tool that runs a program which calls the agent's other tools."""

from typing import Any

from perdure.sandbox.base import Outcome
from perdure.tools.base import ToolContext, tool
from perdure.tools.programs.programs import Programs


@tool("letta_builtin")
async def run_code_with_tools(programs: Programs, ctx: ToolContext, code: str) -> dict[str, Any]:
    """Run a Python program that calls your other tools, as functions of their names.

    Use it to call tools many times, or to work on what they return without reading all of it. A tool that
    fails raises `ToolError`. Tools that rules are about cannot be called. The value of the last expression is
    the result; there is no network beside the tools.

    Args:
        code: The program.

    Examples:
        run_code_with_tools(code="found = [web_search(query=q) for q in ('tides', 'ice')]\\nlen(found)")
    """
    return told(await programs.run(ctx, code))


def told(outcome: Outcome) -> dict[str, Any]:
    """What came of a program as the model reads it: pure."""
    errors = [outcome.stderr] if outcome.stderr else []
    if outcome.error and outcome.error not in outcome.stderr:
        errors.append(outcome.error)
    return {
        "status": outcome.status,
        "func_return": outcome.value,
        "stdout": [outcome.stdout] if outcome.stdout else [],
        "stderr": errors,
    }


TOOLS = (run_code_with_tools,)
