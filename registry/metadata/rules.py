"""The rule engine: a table of attributes is checked against one object, and everything wrong is told at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.formats import Format

REQUIRED, OPTIONAL, PROHIBITED = "R", "O", "X"
"""How an attribute may be used (ITI TF-3, table 4.3.1-2); R2, required if known, is for the sender to know: O here."""

# Values that tell who the patient is: a finding names the attribute and does not repeat them.
PERSONAL = {"patient_id", "source_patient_id", "source_patient_info"}


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute of a model class: its use, its format, and where the book says so.

    `use` is a letter of R, O and X for each transaction that the table is of; `column` takes one of them. `format`
    reads each text of the attribute; one that holds codes has none.
    """

    attribute: str
    use: str
    format: Format | None
    source: str
    name: str = ""

    @property
    def wire_name(self) -> str:
        """The attribute as its sender knows it."""
        head, *rest = self.attribute.split("_")
        return self.name or head + "".join(part.title() for part in rest)


SHOWN = 64  # characters of a wrong value that a finding repeats: a whole URN, and no flood

Table = tuple[Row, ...]
NO_CARRIERS: Mapping[str, str] = {}


def column(table: Table, number: int) -> Table:
    """The table for one transaction, the `number`-th of those whose letters each row has."""
    return tuple(replace(row, use=row.use[number]) for row in table)


def check(
    thing: Any, table: Table, code: ErrorCode, where: str = "", carriers: Mapping[str, str] = NO_CARRIERS
) -> Iterator[Finding]:
    """Findings of `thing` against `table`, of one column, carrying `code`; `where` names it, by default its id.

    `carriers` is attribute -> what carries it on the sender's wire, told where it is missing.
    """
    for row in table:
        value = getattr(thing, row.attribute)
        if not value:
            if row.use == REQUIRED:
                carrier = carriers.get(row.attribute)
                text = f"is required and missing: send it as {carrier}" if carrier else "is required and missing"
                yield Finding(code, f"{where or _name(thing)}.{row.wire_name}", text, row.source)
        elif row.use == PROHIBITED:
            text = "must not be sent in this transaction: leave it out"
            yield Finding(code, f"{where or _name(thing)}.{row.wire_name}", text, row.source)
        elif row.format is not None:
            for one in (value,) if isinstance(value, str) else value:
                wrong = row.format(one)
                if wrong:
                    text = wrong if row.attribute in PERSONAL else f"{shown(one)} {wrong}"
                    yield Finding(code, f"{where or _name(thing)}.{row.wire_name}", text, row.source)


def _name(thing: Any) -> str:
    """What a sender knows the object by: its id, or its kind where it has none."""
    return str(thing.id or type(thing).__name__)


def shown(value: str) -> str:
    """The value for people, shortened."""
    return repr(value if len(value) <= SHOWN else value[: SHOWN - 3] + "...")
