"""Skills of a client: trees by folder, a line each, the same bytes for the same skills."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.loop.skills import Skill, available_skills, with_skills


def skill(location: str, description: str = "", name: str = "") -> Skill:
    return Skill(name or location.split("/")[-2:][0], description, location)


def test_skills_are_shown_as_trees_by_their_root_folder() -> None:
    text = available_skills(
        [
            skill("skills/web/search/SKILL.md", "Searches the web.\nWith care."),
            skill("skills/deploy/SKILL.md", "Puts a version into service."),
            skill("skills/web/fetch/SKILL.md", "Reads a page."),
            skill("/home/ada/project/.skills/lint/SKILL.md", "\n  Checks the style.  \n", "linting"),
        ]
    )
    assert text == "\n".join(
        [
            "<available_skills>",
            "/home/ada/project/.skills/lint/SKILL.md linting [Checks the style.]",
            "skills/",
            "├── deploy/SKILL.md [Puts a version into service.]",
            "└── web/",
            "    ├── fetch/SKILL.md [Reads a page.]",
            "    └── search/SKILL.md [Searches the web.]",
            "</available_skills>",
        ]
    )


def test_branches_go_on_beside_what_is_below() -> None:
    text = available_skills([skill("a/b/c/x.md"), skill("a/b/d/y.md"), skill("a/e.md")])
    assert text.splitlines()[1:-1] == ["a/", "├── b/", "│   ├── c/x.md", "│   └── d/y.md", "└── e.md"]


def test_a_location_without_folder_and_one_that_is_a_hint_are_shown_as_they_are() -> None:
    text = available_skills([skill("notes"), Skill("draw", "Draws.", ""), skill("notes")])
    assert text.splitlines()[1:-1] == ["draw [Draws.]", "notes"]


def test_without_skills_there_is_no_section() -> None:
    assert available_skills([]) == ""
    assert with_skills("Be kind.", "") == "Be kind."
    assert with_skills("Be kind.", "<x>") == "Be kind.\n\n<x>"
    assert with_skills("", "<x>") == "<x>"


texts = st.text(max_size=20)
names = st.text(st.characters(exclude_characters="/"), max_size=20)
skills = st.lists(st.builds(Skill, names, texts, texts), max_size=6)


@given(skills, st.randoms())
def test_the_order_they_come_in_does_not_matter(offered: list[Skill], random) -> None:
    shuffled = [*offered]
    random.shuffle(shuffled)
    assert available_skills(shuffled) == available_skills(offered)


@given(skills)
def test_every_skill_has_a_line_of_its_own(offered: list[Skill]) -> None:
    text = available_skills(offered)
    lines = text.split("\n")[1:-1] if text else []
    assert sum(not line.endswith("/") for line in lines) == len(set(offered))
    assert "\x00" not in text
