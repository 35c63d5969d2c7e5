"""What a tool may require."""

import pytest

from perdure.tools.requirements import requirement_line, requirement_lines


@pytest.mark.parametrize(
    ("kind", "name", "version", "line"),
    [
        ("pip", "pandas", None, "pandas"),
        ("pip", " pandas ", "2.2.0rc1", "pandas==2.2.0rc1"),
        ("pip", "zope.interface", "1!2.0+local", "zope.interface==1!2.0+local"),
        ("pip", "requests[socks, security]", ">=2, <3", "requests[socks, security]>=2,<3"),
        ("pip", "numpy", "~=1.26", "numpy~=1.26"),
        ("pip", "numpy", "1.*", "numpy==1.*"),
        ("npm", "left-pad", "1.3.0", "left-pad@1.3.0"),
        ("npm", "@types/node", "^20.1", "@types/node@^20.1"),
        ("npm", "zod", ">=3 <4", "zod@>=3 <4"),
        ("npm", "zod", "latest", "zod@latest"),
    ],
)
def test_a_package_of_an_index_is_a_line_for_its_installer(kind, name, version, line) -> None:
    assert requirement_line(kind, name, version) == line


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [
        ("pip", "", None),
        ("pip", "-r", None),
        ("pip", "--index-url=http://x", None),
        ("pip", "../evil", None),
        ("pip", "a @ http://x/a.whl", None),
        ("pip", "a\nb", None),
        ("pip", "a", "1; rm"),
        ("pip", "a", "@ http://x"),
        ("pip", "a", "1,"),
        ("pip", "a" * 201, None),
        ("pip", "a", "1" * 101),
        ("npm", "A", None),
        ("npm", "./a", None),
        ("npm", "@a/b/c", None),
        ("npm", "a", "file:../b"),
        ("npm", "a", "git+https://x"),
        ("npm", "a", "npm:b@1"),
        ("npm", "a", "1 || 2"),
    ],
)
def test_nothing_points_elsewhere(kind, name, version) -> None:
    with pytest.raises(ValueError, match=r"is no name|is no version|too long"):
        requirement_line(kind, name, version)


def test_a_tools_stored_requirements_are_lines() -> None:
    assert requirement_lines("pip", [{"name": "a", "version": "1"}, {"name": "b"}]) == ("a==1", "b")
    assert requirement_lines("npm", None) == ()
