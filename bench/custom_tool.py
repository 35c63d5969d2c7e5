"""Messages for which a tool of a user's own runs in the sandbox."""

from statistics import median
from typing import Any

from bench.messages import Bench, agents_of, sent, tell
from bench.report import Target
from bench.timing import high, paired, seconds

SOURCE = '''
def weather(city: str) -> dict:
    """Tell the weather.

    Args:
        city: Where.
    """
    return {"city": city, "degrees": 21}
'''
ASKS = 'call:weather {"city": "Berlin"}\nstep:\nsay:It is warm.'
RATIO = Target(12, "x")
CALL = Target(15)


def with_a_custom_tool(bench: Bench) -> None:
    """Two model calls and the tool between them, beside one raw call."""
    bench.report.section("Message with one call of a user's tool: two steps (raw: one call)")
    tool = bench.api.create_tool(SOURCE)
    for form in bench.formats:
        agents = agents_of(bench, form, tool_ids=[tool])
        last: list[str] = []

        def message(agents=agents, last=last) -> float:
            last.append(next(agents))
            return sent(bench, last[-1], ASKS)

        measured = paired(
            bench.pairs,
            message,
            lambda form=form: seconds(lambda: bench.raw.ask(form, "say:It is warm.")),
        )
        tell(bench.report, form.name, measured, RATIO)
        check(bench.api.send(last[-1], ASKS))
        calls = [ms for agent in sorted(set(last)) for ms in bench.api.tool_times(agent)]
        note = f"p95 {high(calls):.2f}, {len(calls)} calls"
        bench.report.add(f"{form.name}, the tool's call", median(calls), target=CALL, note=note)
    bench.api.delete_tool(tool)


def check(answer: dict[str, Any]) -> None:
    """Refuse to measure a tool that did not run."""
    failed = [each for each in answer["messages"] if each.get("status") == "error"]
    if failed:
        raise SystemExit(f"The tool did not run: {failed[0]['tool_return']}")
