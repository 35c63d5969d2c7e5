"""`perdure demo`: an agent is told something, its server is killed, and it still knows."""

import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from perdure.cli.api import Api, NoServer
from perdure.cli.chat import Conversation
from perdure.cli.child import ChildServer
from perdure.cli.screen import Answer, open_console, show_blocks, show_change, words_of
from perdure.config import load_settings
from perdure.kit.errors import PerdureError

IN = "   "
OFFLINE = "demo/offline"
LOOK_SECONDS, LIST_SECONDS = 0.5, 10.0
ENOUGH_SAID = 20  # characters of an answer before the server dies
BLOCKS = {
    "human": "",
    "persona": "I am a warm, curious companion. I write down what I learn about people.",
}
TOLD = "Hi! My name is Ada, I live in Oslo and I love cloudberries."
CORRECTED = "Actually, I moved to Lisbon. And my dog is called Rex."
INTERRUPTED = "Who are you, and what can you do?"
ASKED = "What do you know about me?"


class DemoFailed(PerdureError):
    """The demo could not show what it is there to show."""


def demo(home: Path | None = None, *, talk: bool | None = None) -> None:
    """Show the main job. In a terminal, or with `talk`, the person may go on by talking with the agent."""
    console = open_console()
    console.print("[bold]Perdure[/] · an agent that remembers, even when its server is killed")
    with tempfile.TemporaryDirectory(prefix="perdure-demo-", ignore_cleanup_errors=True) as folder:
        place = (home or Path(folder)).expanduser().absolute()
        place.mkdir(parents=True, exist_ok=True)
        server = ChildServer(place, _environment(), f"sqlite:///{place / 'perdure.db'}")
        try:
            Demo(console, server).run(talk=sys.stdin.isatty() if talk is None else talk)
        except KeyboardInterrupt:
            console.print("\nStopped, and the server with it.")
            raise SystemExit(130) from None
        finally:
            server.close()
    _say_how_to_go_on(console, place if home else None)


def _environment() -> Mapping[str, str]:
    """Everything but the person's own settings file: where they keep data is none of the demo's business."""
    return {name: value for name, value in load_settings().environment.items() if name != "PERDURE_CONFIG"}


@dataclass
class Demo:
    """The stages in their order, each with a heading and the time it took."""

    console: Console
    server: ChildServer
    stages: int = 0

    @property
    def api(self) -> Api:
        """The server as a client sees it."""
        return self.server.api

    def run(self, *, talk: bool) -> None:
        """All stages; `DemoFailed` if one does not come out as it should."""
        began = time.perf_counter()
        with self._stage("Start the server on an empty SQLite file"):
            self._start()
        with self._stage("Look for models"):
            self._look()
        with self._stage("Create an agent with two memory blocks"):
            agent = self._create()
        with self._stage("Tell it something"):
            self._tell(agent, TOLD)
        with self._stage("Tell it that something has changed"):
            known = self._tell(agent, CORRECTED)
        with self._stage("Kill the server in the middle of an answer (SIGKILL: no time to save anything)"):
            self._kill(agent)
        with self._stage("Start it again on the same file"):
            self._start()
        with self._stage("Ask the agent"):
            self._ask(agent, known)
        self._print(f"\nAll of it took {time.perf_counter() - began:.1f} s.")
        if talk:
            self._print(
                "\nYour turn: tell it something, or ask. /memory shows its blocks, Ctrl-D ends.", "bold"
            )
            Conversation(self.console, self.api, agent).run()

    @contextmanager
    def _stage(self, title: str) -> Generator[None]:
        self.stages += 1
        self._print(f"\n{self.stages}  {title}", "bold")
        began = time.perf_counter()
        yield
        self._print(f"{IN}took {time.perf_counter() - began:.2f} s", "dim")

    def _start(self) -> None:
        with self.console.status("Starting…"):
            self.server.start()
        self._print(f"{IN}{self.api.url}, process {self.server.pid}, {self.server.home / 'perdure.db'}")

    def _look(self) -> None:
        """Wait until the server has asked the providers it found, and show what they answered."""
        with self.console.status("Asking providers…"):
            providers = _answered(self.api)
        models = self.api.list_models()
        for each in providers:
            count = sum(model.startswith(f"{each['name']}/") for model in models)
            failure = each["last_error"]
            self._print(f"{IN}{each['name']}: {failure or f'{count} models'}", "red" if failure else "")
        if all(model == OFFLINE for model in models):
            self._print(
                f"{IN}No language model answers, so {OFFLINE} does: fixed rules in a model's place. With "
                "OPENAI_API_KEY,\n"
                f"{IN}ANTHROPIC_API_KEY, GEMINI_API_KEY… set, or with Ollama running, the demo uses that.",
                "yellow",
            )

    def _create(self) -> dict[str, Any]:
        blocks = [{"label": label, "value": value} for label, value in BLOCKS.items()]
        agent = self.api.create_agent(name="Nova", memory_blocks=blocks)
        self._print(f"{IN}{agent['name']}, {agent['id']}, model {agent['model']}")
        show_blocks(self.console, self.api.blocks(agent["id"]), IN)
        return agent

    def _tell(self, agent: Mapping[str, Any], text: str) -> dict[str, str]:
        """Say something and show which blocks that changed; what they say now."""
        before = self.api.blocks(agent["id"])
        self._say(agent, text)
        after = self.api.blocks(agent["id"])
        changed = [label for label in after if after[label] != before.get(label)]
        self._print(f"{IN}Its memory now:" if changed else f"{IN}It wrote nothing into its memory blocks.")
        for label in changed:
            show_change(self.console, label, before.get(label, ""), after[label], IN)
        return after

    def _say(self, agent: Mapping[str, Any], text: str) -> Answer:
        self._print(f"{IN}you › {text}")
        answer = Answer(self.console, f"{agent['name']} ›", IN)
        with self.api.send(agent["id"], text) as frames:
            answer.show(frames)
        if answer.failed:
            raise DemoFailed(
                f"The model {agent['model']} did not answer: {answer.failed} `perdure doctor` looks into it; "
                f"PERDURE_MODELS_DEFAULT={OFFLINE} shows this demo without it."
            )
        return answer

    def _kill(self, agent: Mapping[str, Any]) -> None:
        self._print(f"{IN}you › {INTERRUPTED}")
        pid = self.server.pid
        answer = Answer(self.console, f"{agent['name']} ›", IN)
        with suppress(NoServer), self.api.send(agent["id"], INTERRUPTED) as frames:
            answer.show(self._until_killed(frames))
        self.server.kill()
        self._print(f"{IN}✗ process {pid} is dead", "red")

    def _until_killed(self, frames: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The frames up to the first words, during which the server dies."""
        said = 0
        for frame in frames:
            yield frame
            said += len(frame.get("reasoning") or words_of(frame.get("content") or ""))
            if said >= ENOUGH_SAID:
                self.server.kill()
                return

    def _ask(self, agent: Mapping[str, Any], known: Mapping[str, str]) -> None:
        self._say(agent, ASKED)
        if self.api.blocks(agent["id"]) != known and not _grew(self.api.blocks(agent["id"]), known):
            raise DemoFailed("The memory blocks are not what they were before the server was killed.")
        self._print(f"{IN}✓ Its memory blocks are what they were before the kill.", "green")

    def _print(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style))


def _grew(now: Mapping[str, str], before: Mapping[str, str]) -> bool:
    """Whether everything known before is still there: a model may well write down more when asked."""
    return all(line in now.get(label, "") for label, value in before.items() for line in value.splitlines())


def _answered(api: Api) -> list[dict[str, Any]]:
    """The providers, once each has listed its models or failed to; or after a while."""
    began = time.monotonic()
    while True:
        providers = api.list_providers()
        waiting = any(not (each["last_synced"] or each["last_error"]) for each in providers)
        limit = LIST_SECONDS if waiting else 0 if providers else LOOK_SECONDS
        if time.monotonic() - began >= limit:
            return providers
        time.sleep(0.05)


def _say_how_to_go_on(console: Console, home: Path | None) -> None:
    called = sys.argv[0] if Path(sys.argv[0]).name == "perdure" else f"{sys.executable} -m perdure"
    program = "perdure" if shutil.which("perdure") else called
    kept = f"PERDURE_HOME={home} " if home else ""
    console.print(
        Text(
            f"\nGo on:\n{IN}{kept}{program} serve   a server that stays\n"
            f"{IN}{program} chat    talk with its agents, in another terminal\n"
            f"{IN}README.md shows the same in ten lines of Python"
        )
    )
