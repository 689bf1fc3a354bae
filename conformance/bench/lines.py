"""The lines of the benchmark, as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from conformance.bench import data, documents, images, questions, registrations
from conformance.bench.stand import Figures, Stand

SQLITE, POSTGRESQL = "sqlite", "postgresql"
ENGINES = (SQLITE, POSTGRESQL)
MOST_GROWTH = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the server runs: `pinned` to a core that client and database stay off, or on all cores like everything."""

    audit: bool = True
    workers: int = 1
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `targets` are the least that is wanted, by engine: a ratio or, without a floor, a rate."""

    id: str
    what: str
    measure: Callable[[Stand], Figures]
    targets: Mapping[str, float]
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Result:
    """What a line came to on an engine."""

    line: Line
    engine: str
    figures: Figures

    @property
    def target(self) -> float | None:
        """The least ratio, or the least rate of a line without a floor."""
        return self.line.targets.get(self.engine)

    @property
    def is_met(self) -> bool:
        """True also when there is no target."""
        reached = self.figures.measured if self.figures.ratio is None else self.figures.ratio
        return reached >= (self.target or 0) and (self.figures.growth or 0) < MOST_GROWTH


def _both(sqlite: float, postgresql: float) -> Mapping[str, float]:
    return {SQLITE: sqlite, POSTGRESQL: postgresql}


PINNED = Conditions(pinned=True)
FREE = Conditions()
TEN = partial(questions.find_documents, data.WITH_10, 10, "LeafClass")
HUNDRED = partial(questions.find_documents, data.WITH_100, 100, "LeafClass")
REFERENCES = partial(questions.find_documents, data.WITH_100, 100, "ObjectRef")
STUDIES = partial(questions.find_studies, data.WITH_STUDIES, data.STUDIES)

QUESTIONS = (
    Line("Q10", "FindDocuments, 10 in full", TEN, _both(0.50, 0.40), PINNED),
    Line("Q100", "FindDocuments, 100 in full", HUNDRED, _both(0.15, 0.15), PINNED),
    Line("QREF", "FindDocuments, 100 references", REFERENCES, _both(0.45, 0.45), PINNED),
    Line("F20", "FHIR search, 20 ImagingStudies", STUDIES, _both(0.50, 0.40), PINNED),
)
LINES = (
    *QUESTIONS,
    # The same once more, so that the price of the audit is known.
    *(
        replace(line, id=f"{line.id} no audit", targets={}, conditions=Conditions(audit=False, pinned=True))
        for line in QUESTIONS
    ),
    Line("ITI42", "registrations of 2 documents", registrations.measure, _both(300, 300), Conditions(workers=2)),
    Line(
        "BULK",
        "documents registered, 50 a submission",
        registrations.in_bulk,
        {POSTGRESQL: 1000},
        Conditions(workers=2),
    ),
    Line("UP", "large document in, ITI-41 by MTOM", documents.provide, _both(0.50, 0.50), FREE),
    Line("DOWN", "large document out, ITI-43", documents.retrieve, _both(0.70, 0.70), FREE),
    Line("STOW", "slices of 512 KiB in, STOW-RS", images.store, _both(0.50, 0.50), FREE),
    Line("WADO", "slices of 512 KiB out, WADO-RS", images.retrieve, _both(0.50, 0.50), FREE),
)


def chosen(ids: str) -> tuple[Line, ...]:
    """The lines whose ids, or their first words, are in the list that commas part; all of them for an empty one.

    Raises:
        ValueError: an id is no line's.
    """
    wanted = {one.strip().lower() for one in ids.split(",") if one.strip()}
    found = [line for line in LINES if not wanted or {line.id.lower(), line.id.lower().split()[0]} & wanted]
    known = {name for line in found for name in (line.id.lower(), line.id.lower().split()[0])}
    if missing := wanted - known:
        raise ValueError(f"no such line: {', '.join(sorted(missing))}")
    return tuple(found)
