"""The rule engine: a table of attributes is checked against one object, and everything wrong is told at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.formats import Format
from registry.metadata.model import Code

# Values that tell who the patient is: a finding names the attribute and does not repeat them.
PERSONAL = {"patient_id", "source_patient_id", "source_patient_info"}


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute of a model class: its name, whether it must be present, its format, and where the book says so."""

    attribute: str
    required: bool
    format: Format | None
    source: str
    name: str = ""

    @property
    def wire_name(self) -> str:
        """The attribute as its sender knows it."""
        head, *rest = self.attribute.split("_")
        return self.name or head + "".join(part.title() for part in rest)


def check(thing: Any, table: tuple[Row, ...], code: ErrorCode) -> Iterator[Finding]:
    """Findings of `thing` (a model object) against `table`, carrying `code`."""
    for row in table:
        value = getattr(thing, row.attribute)
        if not value:
            if row.required:
                yield Finding(code, f"{thing.id}.{row.wire_name}", "is required and missing", row.source)
            continue
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Code) or row.format is None:
                continue
            wrong = row.format(one)
            if wrong:
                text = wrong if row.attribute in PERSONAL else f"{_shown(one)} {wrong}"
                yield Finding(code, f"{thing.id}.{row.wire_name}", text, row.source)


def _shown(value: str) -> str:
    """The value for people, shortened."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
