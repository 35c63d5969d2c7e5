"""`perdure chat`: a conversation with an agent in the terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape

from perdure.cli.api import Api, NoServer
from perdure.cli.child import ChildServer
from perdure.cli.screen import Answer, open_console, show_blocks
from perdure.config import Settings, load_settings
from perdure.kit.errors import NotFound, PerdureError

NEW_BLOCKS = [
    {"label": "human", "value": ""},
    {"label": "persona", "value": "I am a warm, curious companion. I write down what I learn about people."},
]
MOST_NAMED = 12


class Leave(Exception):
    """The person wants to go."""


def chat(
    agent: str | None = None, *, url: str | None = None, key: str | None = None, embedded: bool = False
) -> None:
    """Talk with an agent until the person leaves; the agent is made if there is none."""
    console = open_console()
    with ExitStack() as stack:
        api = _server(console, stack, url, key, embedded=embedded)
        conversation = Conversation(console, api, _agent(console, api, agent))
        conversation.greet()
        console.print("[dim]/help shows the commands, Ctrl-C stops an answer, Ctrl-D leaves[/]")
        conversation.run()


def _server(console: Console, stack: ExitStack, url: str | None, key: str | None, *, embedded: bool) -> Api:
    """The server to talk to: the one that runs, else one of our own if that is wished."""
    settings = load_settings()
    if embedded:
        return _own_server(console, stack, settings)
    address = url or f"http://127.0.0.1:{settings.port}"
    configured = settings.api_key.get_secret_value() if settings.api_key else None
    api = stack.enter_context(Api(address, key or configured))
    try:
        api.version()
    except NoServer as error:
        if url is None and _agrees(console, f"{error.detail} Start one for this chat? [Y/n] "):
            return _own_server(console, stack, settings)
        raise NoServer(
            f"{error.detail} Start one with `perdure serve`, name another with --url, or let "
            "`perdure chat --embedded` run one for the time of the chat."
        ) from error
    return api


def _own_server(console: Console, stack: ExitStack, settings: Settings) -> Api:
    child = ChildServer(settings.home, settings.environment)
    with console.status("Starting a server…"):
        return stack.enter_context(child).api


def _agrees(console: Console, question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    with suppress(EOFError, KeyboardInterrupt):
        return read_line(console, question).strip().lower() in {"", "y", "yes"}
    return False


def _agent(console: Console, api: Api, wanted: str | None) -> dict[str, Any]:
    """The agent that is meant: by id or name, else the newest; made where there is none."""
    if wanted is None:
        known = api.list_agents()
        return known[0] if known else api.create_agent(memory_blocks=NEW_BLOCKS)
    try:
        return api.find_agent(wanted)
    except NotFound:
        console.print(f"There is no agent named {escape(wanted)} yet, so this is a new one.")
        return api.create_agent(name=wanted, memory_blocks=NEW_BLOCKS)


@dataclass
class Conversation:
    """A person and an agent, line by line; lines that begin with a slash are commands."""

    console: Console
    api: Api
    agent: dict[str, Any]
    commands: dict[str, tuple[str, Callable[[str], None]]] = field(init=False)

    def __post_init__(self) -> None:
        self.commands = {
            "/memory": ("show the agent's memory blocks", self._memory),
            "/agents": ("list the agents", self._agents),
            "/agent": ("NAME: talk with another agent", self._switch),
            "/new": ("[NAME]: talk with a new agent", self._new),
            "/model": ("[HANDLE]: show the model, or use another", self._model),
            "/help": ("show this", self._help),
            "/quit": ("leave (or Ctrl-D)", self._quit),
        }

    def greet(self) -> None:
        """Say who is there."""
        self.console.print(
            f"[bold]{escape(self.agent['name'])}[/] · {escape(self.agent['model'])} · {self.api.url}"
        )

    def run(self) -> None:
        """Read lines and answer them until the person leaves."""
        while True:
            try:
                line = read_line(self.console, "\nyou › ").strip()
                if line:
                    self.take(line)
            except KeyboardInterrupt:
                self.console.print("\n[dim]Ctrl-D or /quit leaves.[/]")
            except (EOFError, Leave):
                self.console.print()
                return
            except PerdureError as error:
                self.console.print(f"[red]{escape(error.detail)}[/]")

    def take(self, line: str) -> None:
        """One line of the person's: a command, or something said."""
        name, _, rest = line.partition(" ")
        if not name.startswith("/"):
            self.say(line)
        elif name in self.commands:
            self.commands[name][1](rest.strip())
        else:
            self.console.print(f"[red]There is no command {escape(name)}; /help lists them.[/]")

    def say(self, text: str) -> None:
        """Say something to the agent and show its answer."""
        waiting = self._show(self.api.send(self.agent["id"], text))
        while waiting:
            words = {id: self._allowed(name) for id, name in waiting.items()}
            waiting = self._show(self.api.reply(self.agent["id"], words))

    def _show(self, stream: AbstractContextManager[Iterator[Any]]) -> dict[str, str]:
        """Show an answer as it comes; the calls that wait for approval at its end."""
        answer = Answer(self.console, f"{self.agent['name']} ›")
        try:
            with stream as frames:
                answer.show(frames)
        except KeyboardInterrupt:
            self.api.cancel(self.agent["id"])
            self.console.print("\n[dim](stopped)[/]")
            return {}
        if answer.failed:
            self.console.print(f"[red]{escape(answer.failed)}[/]")
        return answer.waiting

    def _allowed(self, name: str) -> bool:
        """Ask the person about a call; anything but yes is no."""
        with suppress(EOFError, KeyboardInterrupt):
            return read_line(self.console, f"Let it call {name}? [y/N] ").strip().lower() in {"y", "yes"}
        return False

    def _memory(self, _rest: str) -> None:
        show_blocks(self.console, self.api.blocks(self.agent["id"]))

    def _agents(self, _rest: str) -> None:
        for agent in self.api.list_agents():
            mark = "›" if agent["id"] == self.agent["id"] else " "
            self.console.print(
                f"{mark} [bold]{escape(agent['name'])}[/]  {agent['model']}  [dim]{agent['id']}[/]"
            )

    def _switch(self, wanted: str) -> None:
        if not wanted:
            self._agents("")
            return
        self.agent = self.api.find_agent(wanted)
        self.greet()

    def _new(self, name: str) -> None:
        named = {"name": name} if name else {}
        self.agent = self.api.create_agent(memory_blocks=NEW_BLOCKS, model=self.agent["model"], **named)
        self.greet()

    def _model(self, handle: str) -> None:
        if handle:
            self.agent = self.api.set_model(self.agent["id"], handle)
        self.console.print(f"[bold]{escape(self.agent['name'])}[/] uses {escape(self.agent['model'])}")
        if not handle:
            others = [model for model in self.api.list_models() if model != self.agent["model"]]
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            self.console.print(f"[dim]Others: {escape(', '.join(others[:MOST_NAMED])) or 'none'}{more}[/]")

    def _help(self, _rest: str) -> None:
        for name, (meaning, _) in self.commands.items():
            self.console.print(f"  [bold]{name:9}[/]{escape(meaning)}")

    def _quit(self, _rest: str) -> None:
        raise Leave


def read_line(console: Console, prompt: str) -> str:
    """A line the person typed, with editing and history where the terminal has them."""
    with suppress(ImportError):
        import readline

        readline.set_auto_history(True)  # loaded, it also lets `input` edit
    if sys.stdin.isatty():
        return input(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    console.print(f"{prompt}{line.rstrip()}", markup=False)  # so that a transcript shows both sides
    return line
