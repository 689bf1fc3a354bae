"""Persons as feeds name them, and as this affinity domain knows them: what ITI-8 and ITI-44 have in common.

A message names a person by ids of several authorities; those of this domain's authorities are the patient ids here
(ITI TF-2, 3.8.4.1.3 and 3.44.4.1.3). Both transactions make these values, and so the same change of the registry.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from profiles.house import House
from profiles.settings import AffinityDomain
from registry.access import Caller
from registry.identities import Change, Merge, Tell, Unmerge
from registry.metadata.datatypes import Cx, Dtm, is_oid
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.model import PatientDetails
from registry.patients import Told

SEXES = frozenset("MFOUAN")  # HL7 table 0001
FEED = "ITI TF-2, 3.8.4.1.2"


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id and who assigned it: an OID, or a name that settings map to one."""

    value: str
    oid: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One person in a message; `where` is the field of its ids. `deleted` are fields that are known no longer."""

    where: str
    ids: tuple[Identifier, ...]
    family: str = ""
    given: str = ""
    birth_date: str = ""
    sex: str = ""
    deleted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Added:
    """A person who is new to the sender, or, if `revises`, known in another way than before."""

    person: Person
    revises: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The second person's ids became the first's."""

    survivor: Person
    subsumed: Person


@dataclass(frozen=True, slots=True)
class Parted:
    """Two persons who were merged are two again."""

    one: Person
    other: Person


News = Added | Merged | Parted


def birth_date(text: str, where: str) -> tuple[str, list[Finding]]:
    """4, 6 or 8 digits of a time that may be more precise, and what is wrong with it."""
    digits = text[:8]
    try:
        return (str(Dtm.parse(digits)) if digits else ""), []
    except ValueError as error:
        return "", [Finding(ErrorCode.InvalidRequest, where, str(error), FEED)]


def sex(code: str) -> str:
    """A code of HL7 table 0001, or nothing: a sender's own codes say nothing here."""
    return code.upper() if code.upper() in SEXES else ""


def apply(news: News, house: House, caller: Caller) -> None:
    """Have the registry do what a feed tells.

    Raises:
        Rejected: with everything that is wrong.
    """
    house.registry.identify(change_of(news, house.settings.affinity_domain), caller)


def change_of(news: News, domain: AffinityDomain) -> Change:
    """What changes for this affinity domain.

    Raises:
        Rejected: Incomplete and XDSUnknownPatientId, somebody has no id of an authority of the domain's.
    """
    findings: list[Finding] = []
    match news:
        case Added(person, revises):
            ids = _patient_ids(person, domain, findings)
            _refuse(findings)
            return Tell(tuple(_told(person, patient) for patient in ids), revises)
        case Merged(survivor, subsumed):
            ids, gone = _patient_ids(survivor, domain, findings), _patient_ids(subsumed, domain, findings)
            _refuse(findings)
            return Merge(_told(survivor, _matching(ids, gone[0])), gone)
        case Parted(one, other):
            ids, gone = _patient_ids(one, domain, findings), _patient_ids(other, domain, findings)
            _refuse(findings)
            return Unmerge(_matching(ids, gone[0]), gone[0])


def _told(person: Person, patient_id: str) -> Told:
    details = PatientDetails(patient_id, person.family, person.given, person.birth_date, person.sex)
    return Told(details, person.deleted)


def _matching(ids: tuple[str, ...], other: str) -> str:
    """The id that the same authority assigned as `other`, else the first."""
    authority = Cx.parse(other).authority
    return next((one for one in ids if Cx.parse(one).authority == authority), ids[0])


def _patient_ids(person: Person, domain: AffinityDomain, findings: list[Finding]) -> tuple[str, ...]:
    """The person's patient ids in this domain, canonical CX texts; that there is none is a finding."""
    if not person.ids:
        findings.append(Finding(ErrorCode.Incomplete, person.where, "the patient's identifier is missing", FEED))
        return ()
    found = tuple(dict.fromkeys(_canonical(person.ids, domain, person.where, findings)))
    if not found and not findings:
        ours = ", ".join(domain.patient_authorities)
        text = f"none of the identifiers is of an authority of this affinity domain: {ours}"
        findings.append(Finding(ErrorCode.XDSUnknownPatientId, person.where, text, FEED))
    return found


def _canonical(ids: Iterable[Identifier], domain: AffinityDomain, where: str, findings: list[Finding]) -> Iterator[str]:
    for one in ids:
        oid = one.oid or domain.patient_issuers.get(one.namespace) or one.namespace
        if oid not in domain.patient_authorities or not is_oid(oid):
            continue
        text = str(Cx(one.value, oid))
        if not one.value or any(mark in one.value for mark in "^&~|\\"):
            text = "the identifier is empty, or holds a delimiter of HL7's, and cannot be written as a patientId"
            findings.append(Finding(ErrorCode.InvalidRequest, where, text, "ITI TF-3, table 4.2.3.1.7-2"))
        else:
            yield text


def _refuse(findings: list[Finding]) -> None:
    if findings:
        raise Rejected(findings)
