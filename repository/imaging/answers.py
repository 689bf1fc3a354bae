"""What a question to the index is answered with: the return attributes of PS3.18 10.6.3, in the DICOM JSON model."""

from collections.abc import Mapping
from typing import Any

from registry.metadata.datatypes import Cx
from repository.imaging.packing import read
from repository.imaging.query import ALL, DicomQuery, Level
from repository.imaging.rows import COMMON, modalities_of
from repository.imaging.tags import Tag
from repository.store.imaging_search import Row

INSTANCE_AVAILABILITY = "00080056"
MODALITIES_IN_STUDY = "00080061"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"

# PS3.18, tables 10.6.3-3 to 10.6.3-5, without what is computed; Study Description because every study list shows it.
RETURNED: Mapping[Level, frozenset[str]] = {
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


def answer(row: Row, query: DicomQuery, wado_url: str, survivor: str | None = None) -> dict[str, Any]:
    """One match as a data set. `wado_url` is the base of Retrieve URL, `.../dicomweb`.

    `survivor` is the id (canonical CX text) that the study's patient was merged into.

    The attributes of a study are part of a series' or an instance's answer when the question is not about one study,
    and those of a series when it is not about one series (PS3.18 10.6.1.2.3).
    """
    found: dict[str, Any] = {}
    parts: tuple[tuple[Level, bytes | None, dict[str, Any]], ...] = (
        (Level.STUDY, row.study.attributes, _computed_of_study(row)),
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
    if survivor and Tag.PATIENT_ID in found:
        found |= _identified(Cx.parse(survivor))
        found.pop(Tag.ISSUER_OF_PATIENT_ID, None)
    return _ordered(found | _place(row, wado_url))


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


def _computed_of_study(row: Row) -> dict[str, Any]:
    return {
        MODALITIES_IN_STUDY: {"vr": "CS", "Value": list(modalities_of(row.study.modalities))},
        STUDY_SERIES: {"vr": "IS", "Value": [row.study.series_count]},
        STUDY_INSTANCES: {"vr": "IS", "Value": [row.study.instance_count]},
    }


def _computed_of_series(row: Row) -> dict[str, Any]:
    return {SERIES_INSTANCES: {"vr": "IS", "Value": [row.series.instance_count]}} if row.series else {}


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
