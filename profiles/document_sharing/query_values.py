"""Values of stored query parameters: `'text'`, `('a','b')`, `20260101` (ITI TF-2, 3.18.4.1.2.3.4)."""

import re

TOKEN = re.compile(r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<comma>,)|'(?P<text>(?:[^']|'')*)'|(?P<number>[0-9]+))\s*")
MOST_VALUES = 10_000


class Malformed(ValueError):
    """The value is not written as the book says; the text tells how."""


def parse(value: str) -> tuple[bool, list[str]]:
    """Whether `value` is a list, and its items with the quotes taken off.

    Raises:
        Malformed: unbalanced quotes or parentheses, text without quotes, an empty list.
    """
    # Nearly every value is one text, alone or as a list of one; only what has quotes within needs the tokens.
    if value[:1] == value[-1:] == "'" and len(value) > 1 and "'" not in value[1:-1]:
        return False, [value[1:-1]]
    if value[:2] == "('" and value[-2:] == "')" and len(value) > 3 and "'" not in value[2:-2]:
        return True, [value[2:-2]]
    items: list[str] = []
    kinds: list[str] = []
    at = 0
    while at < len(value):
        found = TOKEN.match(value, at)
        if found is None or found.end() == at:
            raise Malformed(f"cannot be read at character {at + 1}: text stands in single quotes, lists in parentheses")
        at = found.end()
        kind = str(found.lastgroup)
        kinds.append(kind)
        if kind in ("text", "number"):
            items.append(found[kind].replace("''", "'"))
    if len(items) > MOST_VALUES:
        raise Malformed(f"holds more than {MOST_VALUES} values")
    words = ["item" if kind in ("text", "number") else kind for kind in kinds]
    if words == ["item"]:
        return False, items
    if words[:1] != ["open"] or words[-1:] != ["close"]:
        raise Malformed("must be one value in single quotes, or a list in parentheses")
    inside = words[1:-1]
    if not inside:
        raise Malformed("the list is empty")
    if (
        inside[::2] != ["item"] * len(inside[::2])
        or inside[1::2] != ["comma"] * len(inside[1::2])
        or len(inside) % 2 == 0
    ):
        raise Malformed("the items of a list are separated by single commas")
    return True, items


def like_pattern(text: str) -> str:
    """An AuthorPerson value as a LIKE pattern: `%` and `_` are wildcards, a backslash is none (3.18.4.1.2.3.3)."""
    return text.replace("\\", "\\\\")
