"""ITI-8, Patient Identity Feed (ITI TF-2, 3.8): ADT messages of HL7 v2 over MLLP.

A01, A04 and A05 add, A08 revises, A40 merges (PID survives, MRG is subsumed). A37 unlinks, and so undoes a merge:
PIX gives no event for that, and a registry that could not would keep every mistake.
"""

from profiles.catalog import Mllp, Transaction
from profiles.faces import hl7v2_ack
from profiles.faces.hl7v2 import NULL, Components, Message, Segment, part
from profiles.house import House
from profiles.pix_feed.persons import (
    FEED,
    Added,
    Identifier,
    Merged,
    News,
    Parted,
    Person,
    apply,
    birth_date,
    sex,
)
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected

ADDING, REVISING, MERGING, PARTING = ("A01", "A04", "A05"), ("A08",), ("A40",), ("A37",)
LEGAL = "L"  # HL7 table 0200
# Segments that each event must have, and how many.
NEEDED = {
    **dict.fromkeys((*ADDING, *REVISING), (("PID", 1),)),
    **dict.fromkeys(MERGING, (("PID", 1), ("MRG", 1))),
    **dict.fromkeys(PARTING, (("PID", 2),)),
}


def decode(message: Message) -> News:
    """What an ADT message tells.

    Raises:
        Rejected: with everything that is wrong.
    """
    findings = [
        Finding(ErrorCode.Incomplete, name, f"{wanted} expected, {found} sent", FEED)
        for name, wanted in NEEDED[message.event]
        if (found := len(message.all(name))) != wanted
    ]
    if findings:
        raise Rejected(findings)
    persons = [_person(segment, findings) for segment in message.all("PID")]
    if findings:
        raise Rejected(findings)
    if message.event in MERGING:
        prior = message.all("MRG")[0]
        return Merged(persons[0], Person("MRG-1", _identifiers(prior, 1)))
    if message.event in PARTING:
        return Parted(persons[0], persons[1])
    return Added(persons[0], revises=message.event in REVISING)


def _person(pid: Segment, findings: list[Finding]) -> Person:
    name = _name(pid.repetitions(5))
    said = {
        "family": part(name, 1),
        "given": part(name, 2),
        "birth_date": pid.text(7),
        "sex": pid.text(8),
    }
    deleted = {field for field, value in said.items() if value == NULL}
    if part(name, 1) == NULL:
        deleted.add("given")
    said = {field: "" if value == NULL else value for field, value in said.items()}
    born, wrong = birth_date(said["birth_date"], "PID-7")
    findings += wrong
    return Person(
        "PID-3",
        _identifiers(pid, 3),
        said["family"],
        said["given"],
        born,
        sex(said["sex"]),
        frozenset(deleted),
    )


def _name(repetitions: tuple[Components, ...]) -> Components:
    """The legal name, which is the first unless another is said to be."""
    legal = (one for one in repetitions if part(one, 7) == LEGAL)
    return next(legal, repetitions[0] if repetitions else ())


def _identifiers(segment: Segment, field: int) -> tuple[Identifier, ...]:
    """A field of CX: the id, and its authority as component 4 names it (HL7 v2.5.1, 2.A.14)."""
    return tuple(
        Identifier(part(one, 1), part(one, 4, 2) if part(one, 4, 3) in ("ISO", "") else "", part(one, 4))
        for one in segment.repetitions(field)
    )


def handle(news: News, house: House, caller: Caller) -> None:
    """Have the registry do it.

    Raises:
        Rejected: with everything that is wrong.
    """
    apply(news, house, caller)


TRANSACTION = Transaction(
    id="ITI-8",
    name="Patient Identity Feed",
    actor="Document Registry",
    source="ITI TF-2, 3.8",
    face=Mllp("ADT", (*ADDING, *REVISING, *MERGING, *PARTING), segments=("PID", "MRG")),
    decode=decode,
    handle=handle,
    encode=hl7v2_ack.accepted,
    refuse=hl7v2_ack.refused,
)
