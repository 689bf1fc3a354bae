"""Statements on patients: what a feed told of them, whose records are one person's, and the merges that made them so.

`patient.survivor` is the end of a chain of merges: the survivor's own id for the survivor itself, NULL for whoever has
no part in a merge. So one look at one row says that there is nothing to follow. `patient_link` keeps each merge as it
was told, so that an unmerge has all that it needs.
"""

from collections.abc import Set
from typing import Any

from sqlalchemy import bindparam, false, literal, null, or_, select, true, update

from database.sql import any_of
from database.statement import Statement
from registry.store.tables import DIAGNOSTIC_REPORT, PATIENT, PATIENT_LINK

c, link = PATIENT.c, PATIENT_LINK.c
_member, _end = PATIENT.alias("member"), PATIENT.alias("survivor_row")

# (survivor) of a patient: the one question that everybody pays, and nearly always its answer is NULL.
END = Statement(select(c.survivor).where(c.patient_id == bindparam("patient")))
# (patient, survivor) of those of the patients who are part of a merge
ENDS = Statement(select(c.patient_id, c.survivor).where(any_of(c.patient_id, "patients"), c.survivor.is_not(null())))
# (patient, survivor or NULL) of whoever has this identifier, whatever authority assigned it
ENDS_OF_VALUE = Statement(select(c.patient_id, c.survivor).where(c.value == bindparam("value")))


def same_patient(reader: Any, owner: str | None, others: Set[str]) -> set[str]:
    """Those of `others` (patient ids) that a merge made one patient's with `owner`; asks only if there are others."""
    others = others - {owner}
    if not owner or not others:
        return set()
    ends = dict(reader.rows(ENDS, patients=sorted({owner, *others})))
    return {one for one in others if ends.get(one, one) == ends.get(owner, owner)}


# (survivor, patient) of all that ended in these survivors, themselves among them
MEMBERS = Statement(select(c.survivor, c.patient_id).where(any_of(c.survivor, "ends")).order_by(c.patient_id))
# (patient merged away, its FHIR id and version, its survivor's patient_id and FHIR id)
MERGED = Statement(
    select(_member.c.patient_id, _member.c.id, _member.c.version, _end.c.patient_id, _end.c.id)
    .select_from(_member.join(_end, _end.c.patient_id == _member.c.survivor))
    .where(any_of(_member.c.patient_id, "patients"))
)

# (patient, whether a feed told of it, its survivor or NULL)
KNOWN = Statement(select(c.patient_id, c.is_fed, c.survivor).where(any_of(c.patient_id, "patients")))
FED = Statement(
    update(PATIENT).where(c.patient_id == bindparam("b_patient"), c.is_fed == false()).values(is_fed=true())
)

_standing = link.undone.is_(null())
# (survivor) that the patient was merged into, as it was told
LINK_OF = Statement(select(link.survivor).where(link.subsumed == bindparam("patient"), _standing))
LINKED_TO = Statement(select(link.subsumed).where(any_of(link.survivor, "patients"), _standing))
UNDO_LINK = Statement(
    update(PATIENT_LINK)
    .where(link.subsumed == bindparam("b_subsumed"), link.survivor == bindparam("b_survivor"), _standing)
    .values(undone=bindparam("now"))
)

# The patient and all that were merged into it get another end of the chain.
MOVE_GROUP = Statement(
    update(PATIENT)
    .where(or_(c.patient_id == bindparam("b_patient"), c.survivor == bindparam("b_patient")))
    .values(survivor=bindparam("end"))
)
SET_SURVIVOR = Statement(update(PATIENT).where(any_of(c.patient_id, "patients")).values(survivor=bindparam("end")))
FREE = Statement(update(PATIENT).where(c.patient_id == bindparam("b_patient")).values(survivor=null()))

BODY = Statement(select(c.fhir).where(c.id == bindparam("id")))
# (FHIR id, patient_id, survivor, body) of a patient and of all that were merged into it
BODIES = Statement(
    select(c.id, c.patient_id, c.survivor, c.fhir).where(
        or_(c.patient_id == bindparam("patient"), c.survivor == bindparam("patient"))
    )
)
KEEP_BODY = Statement(
    update(PATIENT)
    .where(c.id == bindparam("b_id"))
    .values(fhir=bindparam("body"), version=c.version + literal(1), updated=bindparam("now"))
)
# What a report shows of its studies follows whose they are; it is rendered again when it is read.
STALE_REPORTS = Statement(
    update(DIAGNOSTIC_REPORT)
    .where(any_of(DIAGNOSTIC_REPORT.c.patient_id, "patients"))
    .values(fhir=null(), version=DIAGNOSTIC_REPORT.c.version + literal(1), updated=bindparam("now"))
)
