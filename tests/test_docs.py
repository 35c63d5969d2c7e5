"""The pages say what is true: their examples run, their links lead somewhere, nothing is left out."""

import re
from pathlib import Path

import pytest
import typer

from perdure.cli.main import app
from perdure.tenancy.keys import list_keys
from perdure.tenancy.signing import signing_secret

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "guide.md"
DEFAULT_URL = "http://127.0.0.1:8283"


def fenced(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def run_examples(page: Path, live, api_key, monkeypatch) -> None:
    """Run all Python of a page as one program against a live server."""
    monkeypatch.setenv("LETTA_API_KEY", api_key)
    monkeypatch.setenv(
        "WEBHOOK_SECRET", live.run(webhook_secret, live.app.state.keyring, api_key, write=True)
    )
    code = program(page).replace(DEFAULT_URL, live.url)
    exec(compile(code, str(page), "exec"), {})


def webhook_secret(conn, ring, api_key: str) -> str:
    """What `perdure keys webhook` shows for the organization of a key."""
    (mine,) = [row for row in list_keys(conn) if api_key.startswith(row.prefix)]
    return signing_secret(conn, ring, mine.organization_id)


def program(page: Path) -> str:
    """All Python of a page, each line where the page has it, so that a failure shows the right one."""
    text, outside = page.read_text(), True
    lines = []
    for line in text.splitlines():
        fence = line.startswith("```")
        lines.append("" if outside or fence else line)
        if fence:
            outside = line != "```python"
    return "\n".join(lines)


def test_the_readmes_example_prints_what_it_says(live, api_key, monkeypatch, capsys):
    run_examples(README, live, api_key, monkeypatch)
    assert [capsys.readouterr().out] == fenced(README, "text")


def test_the_guides_examples_run(live, api_key, monkeypatch, capsys):
    run_examples(GUIDE, live, api_key, monkeypatch)
    said = capsys.readouterr().out
    assert "[calls memory_insert ]" in said
    assert "assistant_message" in said


def test_the_readme_names_every_make_target():
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", README.read_text()))
    assert set(" ".join(targets).split()) == named


def test_every_make_target_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets
    assert set(targets[1].split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_the_guide_or_the_readme_names_every_command():
    text = README.read_text() + GUIDE.read_text()
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        for path in [f"{name} {inner}" for inner in getattr(command, "commands", {})] or [name]:
            assert f"perdure {path}" in text, path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """What a page's headings are linked as."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        title = page.read_text().partition("\n")[0].removeprefix("# ")
        assert f"[{title}](decisions/{page.name})" in index
