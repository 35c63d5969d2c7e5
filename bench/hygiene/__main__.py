"""Replay a long life and weigh what is in memory afterwards: `python -m bench.hygiene --help`.

The models are scripted, so what differs between two lines of the table is what the server does: whether a
helper tidies the block while the agent goes on writing to it, and whether the archive leaves out what it has.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.hygiene import minds
from bench.hygiene.life import Life, life
from bench.hygiene.weigh import Weight, weigh
from perdure.config import Settings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel

MINDS = {"hasty": minds.hasty, "careful": minds.careful}
QUIET = 2.5  # seconds without an open run of the helper, after which it has no more to do
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """How the life is lived."""

    agent: str
    helper: bool = False
    deduplicate: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        parts = (self.agent, "helper" if self.helper else "", "deduplicated" if self.deduplicate else "")
        return ", ".join(part for part in parts if part)


CASES = [
    Case(agent, helper, deduplicate)
    for agent in MINDS
    for helper, deduplicate in ((False, False), (True, False), (True, True))
]


def main() -> None:
    """Live, weigh, tell; fails where something that is true was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.hygiene", description=__doc__)
    parser.add_argument("--turns", type=int, default=300, help="[%(default)s]")
    parser.add_argument("--every", type=int, default=5, help="turns between two looks [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    options = parser.parse_args()
    lived = life(options.turns, options.seed)
    print(f"{options.turns} turns, {len(lived.true)} facts true in the end, a look every {options.every}\n")
    print(row("case", "memory", "lines", "kept", "missing", "duplicates", "stale", "junk", "clean"))
    missing = 0
    with _server() as server, httpx.Client(base_url=server.url, timeout=60) as http:
        for case in CASES:
            for memory, weight in replay(server, http, case, lived, options.every).items():
                print(row(case.name, memory, *_figures(weight)), flush=True)
                missing += weight.missing
    sys.exit(bool(missing))


def replay(server: LiveServer, http: httpx.Client, case: Case, lived: Life, every: int) -> dict[str, Weight]:
    """Live a life with a new agent; what its memories then weigh."""
    agent = _born(server, _asker(http), case, every)
    for said in lived.sayings:
        answer = _asker(http)("POST", f"/v1/agents/{agent['id']}/messages", {"input": said})
        if answer["stop_reason"]["stop_reason"] != "end_turn":
            raise SystemExit(f"A message ended with {answer['stop_reason']}.")
    if case.helper:
        _await_quiet(http, agent["managed_group"]["agent_ids"][0])
    block = http.get(f"/v1/agents/{agent['id']}/core-memory/blocks/human").json()["value"]
    passages = http.get(f"/v1/agents/{agent['id']}/archival-memory", params={"limit": 1000}).json()
    texts = [passage["text"] for passage in passages]
    return {"block": weigh(block.splitlines(), lived.true), "archive": weigh(texts, lived.true)}


def row(*cells: object) -> str:
    """A line of the table."""
    case, memory, *figures = (str(cell) for cell in cells)
    return f"{case:<30}{memory:<9}" + "".join(f"{figure:>11}" for figure in figures)


Ask = Callable[..., Any]


def _born(server: LiveServer, ask: Ask, case: Case, every: int) -> dict[str, Any]:
    """A new agent for a case."""
    name = case.name.replace(", ", "-")
    body = {
        "model": server.scripted.script(name, MINDS[case.agent]),
        "memory_blocks": [{"label": "human", "value": ""}],
        "tools": ["archival_memory_insert"],
        "enable_sleeptime": case.helper,
        "message_buffer_autoclear": True,
    }
    agent = ask("POST", "/v1/agents/", body)
    if case.deduplicate:
        archive = ask("POST", "/v1/archives/", {"name": name, "deduplicate": True})
        ask("PATCH", f"/v1/agents/{agent['id']}/archives/attach/{archive['id']}")
    if case.helper:
        group = agent["managed_group"]
        config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": every}
        ask("PATCH", f"/v1/groups/{group['id']}", {"manager_config": config})
        model = server.scripted.script(f"{name}-helper", minds.tidy)
        ask("PATCH", f"/v1/agents/{group['agent_ids'][0]}", {"model": model})
    return agent


def _await_quiet(http: httpx.Client, helper: str) -> None:
    deadline, quiet_since = time.monotonic() + PATIENCE, time.monotonic()
    while time.monotonic() - quiet_since < QUIET:
        query: dict[str, Any] = {"agent_id": helper, "statuses": ["created", "running"]}
        if http.get("/v1/runs/", params=query).json():
            quiet_since = time.monotonic()
        if time.monotonic() > deadline:
            raise SystemExit("The helper does not come to an end.")
        time.sleep(0.05)


def _asker(http: httpx.Client) -> Ask:
    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = http.request(method, path, json=body)
        if answer.status_code >= 400:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    return ask


@contextlib.contextmanager
def _server() -> Iterator[LiveServer]:
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home:
        known = {"home": Path(home), "models": {"detect": False}}
        yield from serve(Settings.model_validate(known), ScriptedModel())


def _figures(weight: Weight) -> Iterator[str]:
    yield from map(
        str, (weight.lines, weight.kept, weight.missing, weight.duplicates, weight.stale, weight.junk)
    )
    yield f"{weight.clean:.0%}"


if __name__ == "__main__":
    main()
