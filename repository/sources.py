"""Studies that several sources tell of: a study is known by its UID and source, so that neither overwrites the other.

The same UID from two sources may be one study that was copied, or two that share a UID by mistake (PS3.5 9): people see
it, nothing is refused.
"""

from typing import Any

from database.engine import Unit
from repository.findings import FindingKind, Findings
from repository.registrar import Registrar


def note_sources(unit: Unit, registrar: Registrar[Any], findings: Findings, study_uid: str) -> None:
    """Note a finding when more than one source tells of the study, which the registry knows by now."""
    known = registrar.sources_of(unit, study_uid)
    if len(known) > 1:
        findings.add(
            unit,
            FindingKind.TWO_SOURCES,
            text=f"the sources {', '.join(sorted(known))} tell of it",
            patient_ids=(patient for patient in known.values() if patient),
            study_uid=study_uid,
        )
