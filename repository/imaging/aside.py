"""Objects kept aside: their bytes are in the blob store, a finding names them, and no index knows of them."""

from database.engine import Database, Unit
from repository.findings import FindingKind, Findings
from repository.imaging.arrivals import Arrival, Aside
from repository.imaging.tags import Tag
from repository.store import corrections
from repository.store import findings as store


class Asides:
    """Where the objects go that contradict what is held."""

    def __init__(self, database: Database, findings: Findings) -> None:
        self._database = database
        self._findings = findings

    def keeps(self, arrival: Arrival, aside: Aside) -> bool:
        """Whether the object's bytes are to be in the blob store: unless people decided that they go from there."""
        known = store.get(self._database.rows, aside.id_for(arrival))
        return known is None or bool(known.kept)

    def note(self, unit: Unit, arrival: Arrival, aside: Aside) -> None:
        """Name the bytes of an object, which are durable, in its finding."""
        patients = {arrival.stated, aside.held_for, *self._of_number(unit, arrival, aside)}
        self._findings.add(
            unit,
            aside.kind,
            text=aside.finding.text,
            patient_ids=(patient for patient in patients if patient),
            study_uid=arrival.study_uid,
            object_uid=aside.finding.where,
            sha256=arrival.incoming.sha256,
            size=arrival.incoming.size,
        )

    def _of_number(self, unit: Unit, arrival: Arrival, aside: Aside) -> tuple[str, ...]:
        """Who may be meant by a number without an issuer that is known."""
        if aside.kind is not FindingKind.UNKNOWN_ISSUER:
            return ()
        return corrections.patients_of_number(unit.rows, arrival.found.text(Tag.PATIENT_ID))
