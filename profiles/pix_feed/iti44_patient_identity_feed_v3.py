"""ITI-44, Patient Identity Feed HL7 V3 (ITI TF-2, 3.44): the same news as ITI-8, by SOAP.

PRPA_IN201301UV02 adds, PRPA_IN201302UV02 revises, PRPA_IN201304UV02 merges: the patient in it survives, and
replacementOf names who is subsumed. All three are answered by MCCI_IN000002UV01.
"""

from dataclasses import dataclass

import structlog

from profiles.catalog import Soap, Transaction
from profiles.faces import hl7v3, soap
from profiles.faces.hl7v3 import V3, Wrapper, all_of
from profiles.faces.xml import Element
from profiles.house import House
from profiles.pix_feed.persons import Added, Identifier, Merged, News, Person, apply, birth_date, sex
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.urn import Action

EVENT = ("controlActProcess", "subject", "registrationEvent")
PRIOR = ("replacementOf", "priorRegistration", "subject1", "priorRegisteredRole")
BOOK = "ITI TF-2, 3.44.4.1.2"
GENDERS = {"UN": "O"}  # HL7 v3 AdministrativeGender, where it differs from HL7 table 0001
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Feed:
    """A message: its wrapper, what it tells, and what is wrong with it."""

    wrapper: Wrapper
    news: News | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message."""

    wrapper: Wrapper
    ours: str
    findings: tuple[Finding, ...] = ()


def decode(request: soap.Request[object]) -> Feed:
    """The news in a message; what is wrong is told in the answer, which must name the message."""
    message, findings = request.body, list[Finding]()
    wrapper = hl7v3.wrapper_of(message)
    events = all_of(message, *EVENT)
    patients = [patient for event in events for patient in all_of(event, "subject1", "patient")]
    if len(patients) != 1:
        findings.append(_missing("registrationEvent.subject1.patient", len(patients)))
        return Feed(wrapper, None, tuple(findings))
    person = _person(patients[0], findings)
    news: News = Added(person, revises=request.action == Action.PATIENT_REVISED)
    if request.action == Action.PATIENTS_MERGED:
        prior = all_of(events[0], *PRIOR)
        if len(prior) != 1:
            findings.append(_missing("replacementOf.priorRegistration.subject1.priorRegisteredRole", len(prior)))
            return Feed(wrapper, None, tuple(findings))
        news = Merged(person, Person("priorRegisteredRole.id", _identifiers(prior[0])))
    return Feed(wrapper, None if findings else news, tuple(findings))


def _missing(where: str, found: int) -> Finding:
    return Finding(ErrorCode.Incomplete, where, f"one expected, {found} sent", BOOK)


def _person(patient: Element, findings: list[Finding]) -> Person:
    persons = all_of(patient, "patientPerson")
    ids = _identifiers(patient)
    if not persons:
        return Person("patient.id", ids)
    names = [name for name in all_of(persons[0], "name") if name.find(f"{V3}family") is not None]
    # The legal name is the first unless another is said to be.
    name = next((one for one in names if "L" in one.get("use", "").split()), names[0] if names else None)
    born, wrong = birth_date(hl7v3.value(persons[0], "birthTime"), "patientPerson.birthTime")
    findings += wrong
    code = hl7v3.value(persons[0], "administrativeGenderCode", attribute="code")
    return Person(
        "patient.id",
        ids,
        hl7v3.text(name, "family") if name is not None else "",
        hl7v3.text(name, "given") if name is not None else "",
        born,
        sex(GENDERS.get(code, code)),
    )


def _identifiers(parent: Element) -> tuple[Identifier, ...]:
    return tuple(Identifier(one.extension, one.root, one.name) for one in hl7v3.identifiers(parent))


def handle(feed: Feed, house: House, caller: Caller) -> Outcome:
    """Have the registry do it; a refusal is an outcome too."""
    ours = house.settings.affinity_domain.home_community_id
    findings = feed.findings
    if feed.news:
        try:
            apply(feed.news, house, caller)
        except Rejected as rejected:
            findings = tuple(rejected.findings)
    if findings:
        log.info("refused", transaction=caller.transaction, codes=sorted({f.code.name for f in findings}))
    return Outcome(feed.wrapper, ours, findings)


def encode(outcome: Outcome) -> soap.Answer:
    """The acknowledgement."""
    return soap.Answer([hl7v3.acknowledgement(outcome.wrapper, outcome.ours, outcome.findings)])


def refuse(rejected: Rejected) -> soap.Answer:
    """The acknowledgement when the server itself failed."""
    return soap.Answer([hl7v3.acknowledgement(None, "", rejected.findings)])


TRANSACTIONS = tuple(
    Transaction(
        id="ITI-44",
        name=f"Patient Identity Feed HL7 V3 {what}",
        actor="Document Registry",
        source="ITI TF-2, 3.44",
        face=Soap(
            service="registry",
            action=action,
            request=V3 + action.rpartition(":")[2],
            response=V3 + Action.ACKNOWLEDGED.rpartition(":")[2],
        ),
        decode=decode,
        handle=handle,
        encode=encode,
        refuse=refuse,
    )
    for what, action in (
        ("Add", Action.PATIENT_ADDED),
        ("Revise", Action.PATIENT_REVISED),
        ("Resolve Duplicates", Action.PATIENTS_MERGED),
    )
)
