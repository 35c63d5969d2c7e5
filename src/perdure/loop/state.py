"""What a turn works with: values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from perdure.agents.prompt import Reader
from perdure.agents.store import AgentRow
from perdure.loop.approvals import Settlement
from perdure.loop.events import Saved
from perdure.messages.store import MessageRow, Thread
from perdure.runs.leases import Hold, RunEnd
from perdure.tenancy.actor import Actor
from perdure.tools.rules import CalledTool
from perdure.tools.store import ToolRow

# Called in the transaction that stores new messages of a run, or its end, to store what readers are shown
# of them. It may be called again for the same, as any unit of work.
Tell = Callable[[Connection, Sequence[Saved], RunEnd | None], None]


@dataclass(frozen=True, slots=True)
class Faults:
    """What was wrong with a history when it was loaded; the model is told a whole one."""

    answered: int  # calls without a return, which were given one
    left_out: int  # returns that answer no call


@dataclass(frozen=True, slots=True)
class TurnState:
    """What a turn works with: its run, the agent, its tools, and what the model is to see."""

    hold: Hold
    reader: Reader
    actor: Actor
    agent: AgentRow
    thread: Thread
    tools: tuple[ToolRow, ...]
    prompt: str
    context: tuple[MessageRow, ...]
    settlement: Settlement | None = None  # calls that waited for the reply this request brings
    called: tuple[CalledTool, ...] = ()  # what rules count of a turn that goes on
    faults: Faults | None = None
    tell: Tell | None = None
