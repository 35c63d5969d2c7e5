"""Agents that write to one another, in this process: what one asks is a run of the other's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perdure.agents.filters import ids_tagged
from perdure.chat.requests import Delivery
from perdure.chat.schemas import SendOptions, StopReason
from perdure.chat.send import Sender
from perdure.chat.settings import MultiagentSettings
from perdure.chat.stream import final
from perdure.chat.words import words_of
from perdure.kit.errors import PerdureError
from perdure.kit.ids import is_id
from perdure.runs.live import LiveRun
from perdure.runs.waiting import AWAITED_BY, HOPS, closes_circle, hops_of, open_runs, stop_waiting
from perdure.tools.base import ToolContext, ToolFailed

RUN_TYPE = "send_message_to_agent"
WAITS = "It waits for your answer and reads all that you say in it."
GOES_ON = "It does not wait for an answer; to reply, send a message to that id."
SAID = ("end_turn", "tool_rule")
UNSAID = {
    "requires_approval": "It stopped to ask a person for approval of a call; its answer comes after that.",
    "cancelled": "Its work was cancelled.",
    "max_steps": "It had not finished after as many steps as it may take.",
}
CIRCLE = (
    "It waits, perhaps through others, for you to finish: waiting for its answer would never end. Finish "
    "first, or send it a message without waiting."
)
IN_LINE = "It is busy with something else and did not come to your message within {:g} s. It was not told."
AT_WORK = "It has not finished within {:g} s. It was told and goes on working; its answer is not sent to you."


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What agents send to one another, and what they hear in return."""

    sender: Sender
    settings: MultiagentSettings

    async def tell(self, ctx: ToolContext, agent_id: str, text: str) -> None:
        """Send to an agent without waiting; it reads that when it is free. Raises what is wrong with it."""
        await self._send(ctx, agent_id, text, GOES_ON, background=True)

    async def ask(self, ctx: ToolContext, agent_id: str, text: str) -> dict[str, Any]:
        """Send to an agent and wait: `{agent_id, response}`, each thing it says, or `{agent_id, error}`."""
        try:
            run = await self._send(ctx, agent_id, text, WAITS, background=False)
            return await self._wait(ctx, agent_id, run)
        except PerdureError as error:
            return {"agent_id": agent_id, "error": error.detail}

    async def ask_tagged(
        self, ctx: ToolContext, text: str, every: Sequence[str], some: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Ask all agents with all tags of `every` and one of `some`, so many at a time; all their answers."""
        most = self.settings.most_recipients
        tagged = await ctx.db.read(ids_tagged, ctx.actor, every, some, most + 2)
        found = [agent_id for agent_id in tagged if agent_id != ctx.agent_id]
        if len(found) > most:
            raise ToolFailed(f"More than {most} agents have these tags. Nothing was sent: name more tags.")
        places = asyncio.Semaphore(self.settings.at_once)

        async def one(agent_id: str) -> dict[str, Any]:
            async with places:
                return await self.ask(ctx, agent_id, text)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(agent_id)) for agent_id in found]
        return [task.result() for task in tasks]

    async def _send(
        self, ctx: ToolContext, agent_id: str, text: str, expects: str, *, background: bool
    ) -> LiveRun:
        """A run of the other agent's, at work or in line."""
        if not is_id("agent", agent_id):
            raise ToolFailed(f"other_agent_id: {agent_id!r} is no id of an agent (agent-…).")
        if agent_id == ctx.agent_id:
            raise ToolFailed("other_agent_id: this is your own id; say it to yourself.")
        hops = await ctx.db.read(hops_of, ctx.actor, ctx.run_id) + 1
        if hops > self.settings.hop_limit:
            raise ToolFailed(
                f"This has been passed on from agent to agent {hops - 1} times, which is as often as it may."
            )
        lineage = {"sender_agent_id": ctx.agent_id, "sender_run_id": ctx.run_id, HOPS: hops}
        if not background:
            lineage[AWAITED_BY] = ctx.run_id
        delivery = Delivery(RUN_TYPE, background=background, strategy="enqueue", lineage=lineage)
        return await self.sender.send(ctx.actor, agent_id, letter(ctx.agent_id, text, expects), delivery)

    async def _wait(self, ctx: ToolContext, agent_id: str, run: LiveRun) -> dict[str, Any]:
        """Wait for the end of another agent's run; what has not begun by then is taken back."""
        seconds = self.settings.reply_seconds
        try:
            if closes_circle(await ctx.db.read(open_runs, ctx.actor), ctx.run_id):
                await self._leave(ctx, run)
                return {"agent_id": agent_id, "error": CIRCLE}
            async with asyncio.timeout(seconds):
                return {"agent_id": agent_id, **answer_in(await run.ended())}
        except TimeoutError:
            taken_back = await self._leave(ctx, run)
            return {"agent_id": agent_id, "error": (IN_LINE if taken_back else AT_WORK).format(seconds)}
        except asyncio.CancelledError:
            await self._leave(ctx, run)
            raise
        except Exception as error:
            raise final(error) from error

    async def _leave(self, ctx: ToolContext, run: LiveRun) -> bool:
        """Wait no more; whether the other had not begun, and will not."""
        taken_back = await ctx.db.write(stop_waiting, ctx.actor, run.run_id)
        if taken_back:
            self.sender.runner.cancel([run.run_id])
        return taken_back


def letter(sender_id: str, text: str, expects: str) -> SendOptions:
    """What an agent says to another, as a request: told to be no person's, and whose it is."""
    content = f"[A message from another agent, id {sender_id}. {expects}]\n\n{text}"
    said = {"role": "system", "content": content, "sender_id": sender_id}
    return SendOptions.model_validate({"messages": [said], "multitask_strategy": "enqueue"})


def answer_in(frames: Sequence[Any]) -> dict[str, Any]:
    """What an agent said in a run, each utterance by itself, and why that is not all of it: pure."""
    said = [words.text for frame in frames if (words := words_of(frame)) and words.kind == "content"]
    reason = next((frame.stop_reason for frame in frames if isinstance(frame, StopReason)), "error")
    if reason in SAID:
        return {"response": said}
    if reason == "requires_approval":
        said.pop()  # the note that stands there for other readers
    error = UNSAID.get(reason, f"Its turn ended early: {reason}.")
    return {"response": said, "error": error} if said else {"error": error}
