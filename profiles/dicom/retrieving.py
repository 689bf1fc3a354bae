"""What C-MOVE and C-GET have in common: which objects an identifier names, and how each is read (PS3.4 C.4.2, C.4.3).

An object goes out byte for byte as it is held where the receiver takes its transfer syntax, else decoded; one that
cannot be given as the receiver takes it is a failed sub-operation, and the others go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from profiles.dicom.query_keys import UNIQUE, Keys, keys_of, keyword_of
from profiles.faces.dimse import Instance, Refused, Retrieve
from profiles.faces.dimse_status import OTHER_CLASS
from profiles.house import House
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.query import DicomQuery, Level
from repository.imaging.service import HeldInstance
from repository.imaging.transcode import transcoded

CANNOT_COUNT: Final = 0xA701
MOST: Final = 65_535
"""Sub-operations of one request: their number is a US (PS3.7 9.1.3.1.6)."""

MOST_STUDIES: Final = 1_000
"""Studies of one request."""

_UNIQUE = frozenset(keyword for keyword, _ in UNIQUE.values()) | {"IssuerOfPatientID"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A C-MOVE or C-GET, read."""

    retrieve: Retrieve
    keys: Keys


def wanted_of(request: Retrieve, top: Level) -> Wanted:
    """The request, for the information model whose uppermost level is `top`.

    Raises:
        Refused: A900, the identifier is not as the information model has it, or has other than unique keys: to pass
            over a condition would send more than was asked for.
    """
    keys = keys_of(request.identifier, top)
    others = [match.keyword for match in keys.matches if match.keyword not in _UNIQUE]
    others += map(keyword_of, keys.ignored)
    if others:
        raise Refused(OTHER_CLASS, f"Only unique keys select what is sent: no {others[0]}")
    keyword, tag = UNIQUE[keys.level]
    if not keys.values(keys.level):
        raise Refused(OTHER_CLASS, f"{keyword} is needed", (tag,))
    return Wanted(request, keys)


def held_of(wanted: Wanted, house: House, caller: Caller) -> list[HeldInstance]:
    """The objects that are named and that the caller may see; the audit of them is durable when this returns.

    Raises:
        Refused: A701, more than one request may have sub-operations for.
    """
    keys = wanted.keys
    all_series = keys.values(Level.SERIES) or (None,)
    all_uids = keys.values(Level.INSTANCE) or (None,)
    found: list[HeldInstance] = []
    for study in _studies(wanted, house, caller):
        for series in all_series:
            for uid in all_uids:
                found += _visible(house, caller, study, series, uid)
                if len(found) > MOST:
                    raise Refused(CANNOT_COUNT, f"More than {MOST} objects; ask for less")
    return found


def instances_of(held: Iterable[HeldInstance], house: House) -> tuple[Instance, ...]:
    """The objects as they are sent: read one by one, when their turn comes."""
    return tuple(_instance(each, house) for each in held)


def _studies(wanted: Wanted, house: House, caller: Caller) -> tuple[str, ...]:
    """The Study Instance UIDs; by a question to the index where the patient is a condition."""
    if not wanted.keys.values(Level.PATIENT):
        return wanted.keys.values(Level.STUDY)
    kept = tuple(
        match
        for match in wanted.keys.matches
        if match.keyword in ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
    )
    query = DicomQuery(Level.STUDY, kept, limit=MOST_STUDIES, authority=wanted.retrieve.peer.authority)
    found = house.imaging.find_studies(query, caller)
    if found.more:
        raise Refused(CANNOT_COUNT, f"More than {MOST_STUDIES} studies; ask for less")
    return tuple(study["0020000D"]["Value"][0] for study in found.matches)


def _visible(house: House, caller: Caller, study: str, series: str | None, uid: str | None) -> list[HeldInstance]:
    try:
        return house.imaging.instances(caller, study, series, uid)
    except Rejected as rejected:
        if all(finding.code is ErrorCode.NotFound for finding in rejected.findings):
            return []
        raise


def _instance(held: HeldInstance, house: House) -> Instance:
    return Instance(
        held.sop_class_uid,
        held.uid,
        held.transfer_syntax_uid,
        lambda accepted: transcoded(house.imaging, held, accepted)[:2],
    )
