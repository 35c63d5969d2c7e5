"""Makes requests ready to be accepted: where they belong, their model, their run."""

from dataclasses import dataclass, field, replace

from perdure.agents.conversations.place import Place, find
from perdure.agents.model_facts import reader_of
from perdure.agents.model_settings import context_window
from perdure.chat.callbacks import checked
from perdure.chat.requests import Asked
from perdure.chat.schemas import ClientTool, TurnOptions
from perdure.loop.intake import Intake
from perdure.loop.order import Environment, new_step
from perdure.loop.skills import Skill, available_skills
from perdure.providers.base import ToolSpec
from perdure.providers.catalog import Models
from perdure.providers.entries import ResolvedModel
from perdure.runs.leases import Hold
from perdure.runs.store import RunRow, open_run
from perdure.tenancy.actor import Actor

MOST_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request made ready to be accepted."""

    place: Place
    model: ResolvedModel
    intake: Intake


@dataclass(frozen=True, slots=True)
class Preparer:
    """Makes requests ready; remembers which agent a thread belongs to."""

    env: Environment
    models: Models
    seen: dict[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])

    async def place_of(self, actor: Actor, thread_id: str) -> Place:
        """Where a thread belongs; remembered, so that the next message needs no reading before it."""
        key = (actor.organization_id, thread_id)
        if (place := self.seen.get(key)) is None:
            place = await self.env.db.read(find, actor, thread_id)
            if len(self.seen) >= MOST_SEEN:
                self.seen.clear()
            self.seen[key] = place
        return place

    def remembered(self, asked: Asked) -> Place | None:
        """Where the thread of a request belongs, as far as it is remembered."""
        return self.seen.get((asked.actor.organization_id, asked.thread_id))

    def forget(self, asked: Asked) -> None:
        """What was remembered of a thread has changed."""
        self.seen.pop((asked.actor.organization_id, asked.thread_id), None)

    async def prepare(self, asked: Asked, run: RunRow | None = None, hold: Hold | None = None) -> Prepared:
        """Find the model of a request and make it ready, as a new run or for one there is."""
        place = await self.place_of(asked.actor, asked.thread_id)
        agent = place.agent
        model = await self.models.resolve(asked.actor, asked.options.override_model or agent.model)
        waited = run is not None and run.status == "created"
        run = run or new_run(asked, place)
        new = Intake(
            actor=asked.actor,
            run=run,
            hold=hold or Hold(run.id, self.env.lease),
            step=new_step(run, model, context_window(agent.context_window_limit, model.context_window)),
            reader=reader_of(model),
            drafts=asked.drafts,
            reply=asked.reply,
            assumed=agent,
            request=asked.stored(waited=waited),
            asked_since=self.env.asked_since(),
        )
        return Prepared(place, model, new)


def new_run(asked: Asked, place: Place) -> RunRow:
    """A run about to be claimed."""
    options, callback_url = asked.options, checked(asked.delivery.callback_url)
    run = open_run(
        asked.actor, place.agent.id, place.thread_id, place.conversation_id, run_type=asked.delivery.run_type
    )
    return replace(
        run,
        metadata={**(run.metadata or {}), **asked.delivery.lineage}
        if asked.delivery.lineage
        else run.metadata,
        background=asked.delivery.background,
        callback_url=callback_url,
        callback_due=run.created_at if callback_url else None,
        request_config={
            "use_assistant_message": options.use_assistant_message,
            "assistant_message_tool_name": options.assistant_message_tool_name,
            "assistant_message_tool_kwarg": options.assistant_message_tool_kwarg,
            "include_return_message_types": options.include_return_message_types,
        },
    )


def client_tool(tool: ClientTool) -> ToolSpec:
    """A tool of the client's as the model sees it."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return ToolSpec(tool.name, tool.description or tool.name, parameters)


def skills_of(options: TurnOptions) -> str:
    """The section of the system prompt that tells of the client's skills."""
    offered = options.client_skills or ()
    return available_skills([Skill(skill.name, skill.description, skill.location) for skill in offered])
