"""What a question to the index is answered with: the return attributes of PS3.18 10.6.3, in the DICOM JSON model."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from registry.metadata.datatypes import Cx
from repository.imaging.packing import read
from repository.imaging.query import ALL, DicomQuery, Level
from repository.imaging.rows import COMMON, PATIENT_GROUP, modalities_of
from repository.imaging.tags import Tag
from repository.store.imaging_search import Row

SOP_CLASSES_IN_STUDY = "00080062"
PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES = "00201200", "00201202", "00201204"
INSTANCE_AVAILABILITY = "00080056"
MODALITIES_IN_STUDY = "00080061"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"

# PS3.18, tables 10.6.3-3 to 10.6.3-5, without what is computed; Study Description because every study list shows it.
RETURNED: Mapping[Level, frozenset[str]] = {
    Level.PATIENT: COMMON
    | {
        Tag.PATIENT_NAME,
        Tag.PATIENT_ID,
        Tag.ISSUER_OF_PATIENT_ID,
        Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS,
        Tag.PATIENT_BIRTH_DATE,
        Tag.PATIENT_SEX,
    },
    Level.STUDY: COMMON
    | {
        Tag.STUDY_DATE,
        Tag.STUDY_TIME,
        Tag.ACCESSION_NUMBER,
        Tag.REFERRING_PHYSICIAN_NAME,
        Tag.STUDY_DESCRIPTION,
        Tag.PATIENT_NAME,
        Tag.PATIENT_ID,
        Tag.ISSUER_OF_PATIENT_ID,
        Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS,
        Tag.PATIENT_BIRTH_DATE,
        Tag.PATIENT_SEX,
        Tag.STUDY_INSTANCE_UID,
        "00200010",  # Study ID
    },
    Level.SERIES: COMMON
    | {
        Tag.MODALITY,
        Tag.SERIES_DESCRIPTION,
        Tag.SERIES_INSTANCE_UID,
        Tag.SERIES_NUMBER,
        "00400244",  # Performed Procedure Step Start Date
        "00400245",  # Performed Procedure Step Start Time
        Tag.REQUEST_ATTRIBUTES_SEQUENCE,
    },
    Level.INSTANCE: COMMON
    | {
        Tag.SOP_CLASS_UID,
        Tag.SOP_INSTANCE_UID,
        Tag.INSTANCE_NUMBER,
        Tag.ROWS,
        Tag.COLUMNS,
        Tag.BITS_ALLOCATED,
        Tag.NUMBER_OF_FRAMES,
    },
}


def asks_for_classes(query: DicomQuery) -> bool:
    """Whether SOP Classes in Study is asked for by name: it costs a look at each instance of the studies shown."""
    return SOP_CLASSES_IN_STUDY in query.include and query.level is not Level.PATIENT


def together(rows: Iterable[Row], survivors: Mapping[str, str]) -> list[Row]:
    """Patients that were merged as one, with the counts of both, at the first one's place."""
    found: dict[str, Row] = {}
    for row in rows:
        name = row.study.patient_id or ""
        name = survivors.get(name, name)
        if (before := found.get(name)) is None:
            found[name] = row
            continue
        counts = (
            before.study.series_count + row.study.series_count,
            before.study.instance_count + row.study.instance_count,
        )
        study = before.study._replace(series_count=counts[0], instance_count=counts[1])
        found[name] = before._replace(study=study, studies=(before.studies or 0) + (row.studies or 0))
    return list(found.values())


def answer(
    row: Row,
    query: DicomQuery,
    wado_url: str,
    survivor: str | None = None,
    classes: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """One match as a data set. `wado_url` is the base of Retrieve URL, `.../dicomweb`.

    `survivor` is the id (canonical CX text) that the study's patient was merged into; `classes` the SOP Class UIDs of
    studies by their UID, where asked for.

    The attributes of a study are part of a series' or an instance's answer when the question is not about one study,
    and those of a series when it is not about one series (PS3.18 10.6.1.2.3).
    """
    if query.level is Level.PATIENT:
        return _ordered(_identity(row, query, survivor))
    found: dict[str, Any] = {}
    parts: tuple[tuple[Level, bytes | None, dict[str, Any]], ...] = (
        (Level.STUDY, row.study.attributes, _computed_of_study(row, classes)),
        (Level.SERIES, row.series and row.series.attributes, _computed_of_series(row)),
        (Level.INSTANCE, row.instance and row.instance.attributes, {}),
    )
    for level, packed, computed in parts:
        if packed is None:
            continue
        if ALL in query.include:
            found |= read(packed) | computed
        elif (whole := level in _levels(query)) or query.include:
            wanted = query.include | (RETURNED[level] | computed.keys() if whole else frozenset())
            found |= {tag: value for tag, value in (read(packed) | computed).items() if tag in wanted}
    return _ordered(_surviving(found, survivor) | _place(row, wado_url))


def _identity(row: Row, query: DicomQuery, survivor: str | None) -> dict[str, Any]:
    """A patient: of the newest study what is said of the patient, and the counts."""
    counts = (row.studies or 0, row.study.series_count, row.study.instance_count)
    computed = dict(zip((PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES), map(_count, counts), strict=True))
    wanted = query.include | RETURNED[Level.PATIENT]
    said = {
        tag: value
        for tag, value in read(row.study.attributes).items()
        if (tag.startswith(PATIENT_GROUP) or tag in COMMON) and (tag in wanted or ALL in wanted)
    }
    return _surviving(said, survivor) | computed


def _surviving(found: dict[str, Any], survivor: str | None) -> dict[str, Any]:
    """With the id that the patient has now."""
    if not survivor or Tag.PATIENT_ID not in found:
        return found
    return {tag: value for tag, value in found.items() if tag != Tag.ISSUER_OF_PATIENT_ID} | _identified(
        Cx.parse(survivor)
    )


def _identified(patient: Cx) -> dict[str, Any]:
    """Patient ID and its issuer (PS3.3 C.7.1.1; issuer's type ISO, table 10-15a)."""
    issuer = {
        str(Tag.UNIVERSAL_ENTITY_ID): {"vr": "UT", "Value": [patient.authority]},
        str(Tag.UNIVERSAL_ENTITY_ID_TYPE): {"vr": "CS", "Value": ["ISO"]},
    }
    return {
        str(Tag.PATIENT_ID): {"vr": "LO", "Value": [patient.value]},
        str(Tag.ISSUER_OF_PATIENT_ID_QUALIFIERS): {"vr": "SQ", "Value": [issuer]},
    }


def _levels(query: DicomQuery) -> set[Level]:
    """The levels whose attributes go out unasked."""
    levels = {query.level}
    if len(query.studies) != 1:
        levels.add(Level.STUDY)
    one_series = any(match.keyword == "SeriesInstanceUID" and len(match.values) == 1 for match in query.matches)
    if query.level is Level.INSTANCE and not one_series:
        levels.add(Level.SERIES)
    return levels


def _computed_of_study(row: Row, classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    held = (
        {SOP_CLASSES_IN_STUDY: {"vr": "UI", "Value": list(classes[row.study.uid])}} if row.study.uid in classes else {}
    )
    return {
        MODALITIES_IN_STUDY: {"vr": "CS", "Value": list(modalities_of(row.study.modalities))},
        STUDY_SERIES: _count(row.study.series_count),
        STUDY_INSTANCES: _count(row.study.instance_count),
        **held,
    }


def _count(number: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [number]}


def _computed_of_series(row: Row) -> dict[str, Any]:
    return {SERIES_INSTANCES: _count(row.series.instance_count)} if row.series else {}


def _place(row: Row, wado_url: str) -> dict[str, Any]:
    """The UIDs that name the match, whatever was asked for, and where it can be retrieved."""
    url, uids = f"{wado_url}/studies/{row.study.uid}", {str(Tag.STUDY_INSTANCE_UID): row.study.uid}
    if row.series:
        url, uids[Tag.SERIES_INSTANCE_UID] = f"{url}/series/{row.series.uid}", row.series.uid
    if row.instance:
        url, uids[Tag.SOP_INSTANCE_UID] = f"{url}/instances/{row.instance.uid}", row.instance.uid
    return {
        **{tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()},
        INSTANCE_AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        Tag.RETRIEVE_URL: {"vr": "UR", "Value": [url]},
    }


def _ordered(found: Mapping[str, Any]) -> dict[str, Any]:
    return {str(tag): found[tag] for tag in sorted(found)}
