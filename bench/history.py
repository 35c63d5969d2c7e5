"""A turn of an agent with a long stored history, beside one of an agent with a short one."""

from bench.api import Api
from bench.messages import Bench
from bench.report import Target
from bench.timing import paired, seconds

SHORT = 10
BATCH = 250  # messages in one request
GROWTH = Target(1.2, "x")


def history(bench: Bench, stored: int) -> None:
    """The cost of a turn with `stored` messages out of context, against one with ten."""
    bench.report.section(f"A turn with {stored:,} stored messages against {SHORT} (equal contexts)")
    handle = bench.formats[0].handle
    short, long = _agent(bench.api, handle, SHORT), _agent(bench.api, handle, stored)
    measured = paired(
        bench.pairs,
        lambda: seconds(lambda: bench.api.send(long, "say:Hello there.")),
        lambda: seconds(lambda: bench.api.send(short, "say:Hello there.")),
    )
    note = f"{measured.ms:.2f} ms against {measured.raw_ms:.2f} ms"
    bench.report.add(f"{stored:,} : {SHORT}", measured.ratio, "x", target=GROWTH, note=note)


def _agent(api: Api, handle: str, stored: int) -> str:
    """An agent that has said and heard `stored` messages, of which only the first is in context."""
    agent = api.create_agent(handle, message_buffer_autoclear=True)
    done = 0
    while done < stored:
        size = min(BATCH, stored - done)
        api.send(agent, *[f"Message {done + i} of a long history." for i in range(size - 2)], "say:Yes.")
        done += size
    api.forget(agent)
    return agent
