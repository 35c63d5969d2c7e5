"""Docstrings in three styles, and careless ones."""

import pytest

from perdure.tools.derive.docstring import read_docstring

GOOGLE = """Find a hotel.

    Searches all towns.

    Args:
        town (str): Where: a town
            or a village.
        nights (Optional[int], optional): How many. One of
            - 1
            - 2
        **rest: The rest.

    Returns:
        list: Hotels, for example
            town: none

    Raises:
        ValueError: Never.

    Examples:
        find("Rome")
    """
NUMPY = """Find a hotel.

    Searches all towns.

    Parameters
    ----------
    town : str
        Where: a town
        or a village.
    nights : int, optional
        How many. One of
        - 1
        - 2
    *rest
        The rest.

    Returns
    -------
    list
        Hotels.

    Examples
    --------
    find("Rome")
    """
REST = """Find a hotel.

    Searches all towns.

    :param str town: Where: a town
        or a village.
    :param nights: How many. One of
        - 1
        - 2
    :type nights: int
    :keyword rest: The rest.
    :returns: Hotels.
    :raises ValueError: Never.
    """
TEXTS = {"town": "Where: a town or a village.", "nights": "How many. One of\n- 1\n- 2", "rest": "The rest."}


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (GOOGLE, '\n\nExamples:\n    find("Rome")'),
        (NUMPY, '\n\nExamples\n--------\nfind("Rome")'),
        (REST, ""),
    ],
    ids=["google", "numpy", "rest"],
)
def test_a_docstring_tells_of_the_tool_and_of_its_parameters(text: str, end: str) -> None:
    doc = read_docstring(text)
    assert doc.description == f"Find a hotel.\n\nSearches all towns.{end}"
    assert doc.texts == TEXTS


@pytest.mark.parametrize(
    ("text", "description", "texts"),
    [
        (None, "", {}),
        ("", "", {}),
        ("Only this.", "Only this.", {}),
        ("Do.\n\nargs:\n    a: One.", "Do.", {"a": "One."}),
        ("Do.\nArgs:\na: One.\nb: Two.\nThen more.", "Do.\nThen more.", {"a": "One.", "b": "Two."}),
        ("Do.\n\nParameters:\n    a: One.\n\n    b: Two.", "Do.", {"a": "One.", "b": "Two."}),
        ("Do.\n\nArgs:\n    a: One.\n\nNote:\n    Mind this.", "Do.\n\nNote:\n    Mind this.", {"a": "One."}),
        ("Do.\n\nReturns:\n    x: y\nMore.", "Do.\n\nMore.", {}),
        ("Do.\n\nParameters\n----------\na, b : float\n    Both.", "Do.", {"a": "Both.", "b": "Both."}),
        (
            "Do.\n\nParameters\n----------\na\n    One.\nb : {'x', 'y'}\n    Two.",
            "Do.",
            {"a": "One.", "b": "Two."},
        ),
        ("Do.\n@param a: One.\n@return: Two.", "Do.", {"a": "One."}),
        ("Do.\n\n:param a: One\n   more.\n\nThe end: here.", "Do.\n\nThe end: here.", {"a": "One more."}),
        ("A ratio of a:b.\n\n:not a field: here", "A ratio of a:b.\n\n:not a field: here", {}),
        ("Args:\n    a (Literal['x', (1)]): One.", "", {"a": "One."}),
    ],
)
def test_docstrings_as_people_write_them(text: str | None, description: str, texts: dict[str, str]) -> None:
    doc = read_docstring(text, ["a", "b"])
    assert (doc.description, doc.texts) == (description, texts)
