"""Built-in tools by which agents change their memory blocks.

Their docstrings are what models read.
"""

from functools import partial
from typing import Literal

from perdure.memory.commands import Command, apply_patch, obey
from perdure.memory.edits import append_line, check_unnumbered, insert_lines, replace_all, replace_once
from perdure.memory.reach import edit, overwrite
from perdure.tools.base import ToolContext, tool

ABOUT_PERSON = "human"


@tool("letta_sleeptime_core")
async def memory_insert(ctx: ToolContext, label: str, new_string: str, insert_line: int = -1) -> str:
    """Add text to one of your memory blocks, on a line of its own. Returns what the block says now.

    Args:
        label: The label of the block.
        new_string: The text to add, without line numbers.
        insert_line: After which line to add it: 0 is the top, -1 (the default) is the end.

    Examples:
        memory_insert(label="human", new_string="Lives in Oslo since 2025.")
        memory_insert(label="human", new_string="Name: Ada", insert_line=0)
    """
    check_unnumbered(new_string=new_string)
    change = partial(insert_lines, text=new_string, line=insert_line)
    return await ctx.db.write(edit, ctx, label, change)


@tool("letta_sleeptime_core")
async def memory_replace(ctx: ToolContext, label: str, old_string: str, new_string: str) -> str:
    """Replace a text that stands in one of your memory blocks exactly once. Returns what the block says now.

    Args:
        label: The label of the block.
        old_string: The text to replace, exactly as it stands, with all spaces and line breaks and without
            line numbers. Give enough of it to be the only such place.
        new_string: What to put there; empty to delete.

    Examples:
        memory_replace(label="human", old_string="Lives in Oslo.", new_string="Lives in Bergen.")
    """
    check_unnumbered(old_string=old_string, new_string=new_string)
    change = partial(replace_once, old=old_string, new=new_string)
    return await ctx.db.write(edit, ctx, label, change)


@tool("letta_sleeptime_core", repeatable=True)
async def memory_rethink(ctx: ToolContext, label: str, new_memory: str) -> str:
    """Write one of your memory blocks anew, whole: to put it in order, or to merge and shorten what it says.

    For small changes use the tools that insert or replace.

    Args:
        label: The label of the block. If you have none of this label, it is made.
        new_memory: All that the block shall say, without line numbers. What you leave out is lost.
    """
    check_unnumbered(new_memory=new_memory)
    return await ctx.db.write(overwrite, ctx, label, new_memory)


@tool("letta_sleeptime_core", repeatable=True)
async def memory_finish_edits(ctx: ToolContext) -> None:
    """Say that your memory is in order and you are done changing it."""


@tool("letta_voice_sleeptime_core", repeatable=True)
async def rethink_user_memory(ctx: ToolContext, new_memory: str) -> str:
    """Write the memory block about the person anew, whole. Returns what it says now.

    Args:
        new_memory: All that is known of the person and still holds, what is new woven in, without line
            numbers. What you leave out is lost.
    """
    check_unnumbered(new_memory=new_memory)
    return await ctx.db.write(overwrite, ctx, ABOUT_PERSON, new_memory)


@tool("letta_voice_sleeptime_core", repeatable=True)
async def finish_rethinking_memory(ctx: ToolContext) -> None:
    """Say that the memory about the person is in order and you are done changing it."""


@tool("letta_memory_core")
async def core_memory_append(ctx: ToolContext, label: str, content: str) -> str:
    """Add a line to the end of one of your memory blocks. Returns what the block says now.

    Args:
        label: The label of the block.
        content: What to add, in any language.
    """
    return await ctx.db.write(edit, ctx, label, partial(append_line, text=content))


@tool("letta_memory_core")
async def core_memory_replace(ctx: ToolContext, label: str, old_content: str, new_content: str) -> str:
    """Replace a text in one of your memory blocks, wherever it stands. Returns what the block says now.

    Args:
        label: The label of the block.
        old_content: The text to replace, exactly as it stands.
        new_content: What to put there; empty to delete.
    """
    change = partial(replace_all, old=old_content, new=new_content)
    return await ctx.db.write(edit, ctx, label, change)


@tool("letta_memory_core")
async def memory(
    ctx: ToolContext,
    command: Literal["create", "str_replace", "insert", "delete", "rename"],
    *,
    path: str | None = None,
    file_text: str | None = None,
    description: str | None = None,
    old_string: str | None = None,
    new_string: str | None = None,
    insert_line: int | None = None,
    insert_text: str | None = None,
    old_path: str | None = None,
    new_path: str | None = None,
) -> str:
    """Make, change, rename or drop one of your memory blocks. The path of a block is `/memories/<label>`.

    Args:
        command: What to do: `create` a block (path, file_text, description), `str_replace` a text in it
            (path, old_string, new_string), `insert` a text (path, insert_text, insert_line), `delete` it
            (path), or `rename` it (old_path, new_path, or path and a new description).
        path: The block, such as /memories/human.
        file_text: For create: what the block says at first.
        description: For create and rename: what the block is for.
        old_string: For str_replace: the text to replace, exactly as it stands in one place only.
        new_string: For str_replace: what to put there; empty to delete.
        insert_line: For insert: after which line, 0 for the top, -1 (the default) for the end.
        insert_text: For insert: the text to add.
        old_path: For rename: the block.
        new_path: For rename: its new path.

    Examples:
        memory(command="create", path="/memories/travel", file_text="Oslo in May.", description="Trips.")
        memory(command="str_replace", path="/memories/travel", old_string="May", new_string="June")
        memory(command="rename", old_path="/memories/travel", new_path="/memories/trips")
    """
    asked = Command(
        command,
        path,
        file_text,
        description,
        old_string,
        new_string,
        insert_line,
        insert_text,
        old_path,
        new_path,
    )
    return await ctx.db.write(obey, ctx, asked)


@tool("letta_memory_core")
async def memory_apply_patch(ctx: ToolContext, label: str, patch: str) -> str | list[str]:
    """Change one or several of your memory blocks by a patch; it is applied whole or not at all.

    A line that begins with `-` is removed, one with `+` is added, one with a space stays and shows the
    place. `@@` parts the places of one block. With the headers `*** Add Block: label`,
    `*** Update Block: label` (and under it `*** Move to: new label`) and `*** Delete Block: label` a patch
    changes several blocks.

    Args:
        label: The label of the block, for a patch without headers.
        patch: The patch, without line numbers.

    Examples:
        memory_apply_patch(label="human", patch="@@\\n Name: Ada\\n-Likes tea\\n+Likes coffee")
    """
    return await ctx.db.write(apply_patch, ctx, label, patch)


TOOLS = (
    core_memory_append,
    core_memory_replace,
    memory,
    memory_apply_patch,
    memory_insert,
    memory_replace,
    memory_rethink,
    memory_finish_edits,
    rethink_user_memory,
    finish_rethinking_memory,
)
# The tools by which an agent can keep something for good.
WRITERS = tuple(tool for tool in TOOLS if tool not in (memory_finish_edits, finish_rethinking_memory))
