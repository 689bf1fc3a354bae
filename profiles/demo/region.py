"""The demonstration region's people and studies, computed from the tables without any chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID, uuid5

from profiles.demo import tables
from profiles.demo.tables import EXAMINATIONS, Examination
from registry.metadata.datatypes import Cx
from registry.metadata.urn import Arc

SPACE = UUID("6b0f2c0e-6a55-4f0c-9d2b-5d1c38b1a7e0")
TEST_NUMBERS = 980  # the Swedish tax agency gives out 980-989 as birth numbers of test persons only
REPORTED_OF_TEN = 8
YOUNGEST, OLDEST = date(2012, 3, 1), date(1936, 1, 9)


@dataclass(frozen=True, slots=True)
class Hospital:
    """A care provider: its name and OID."""

    name: str
    oid: str


@dataclass(frozen=True, slots=True)
class Person:
    """A test person. `personnummer` has 12 digits, `sex` is M or F."""

    personnummer: str
    family: str
    given: str
    sex: str

    @property
    def birth_date(self) -> str:
        """Eight digits."""
        return self.personnummer[:8]


@dataclass(frozen=True, slots=True)
class Study:
    """One examination of one person. `performed` is local time without zone; `number` counts all studies from 0."""

    number: int
    uid: str
    person: Person
    hospital: Hospital
    examination: Examination
    performed: datetime
    accession: str
    referrer: tuple[str, str]
    radiologist: tuple[str, str]

    @property
    def is_reported(self) -> bool:
        """Some studies have no report (yet)."""
        return self.number % 10 < REPORTED_OF_TEN

    @property
    def reported_as_pdf(self) -> bool:
        """Every other report is a PDF, the rest is plain text."""
        return self.number % 2 == 0


def uuid_of(name: str) -> UUID:
    """The UUID that always goes with `name`."""
    return uuid5(SPACE, name)


def uid_of(name: str) -> str:
    """The DICOM UID that always goes with `name` (PS3.5 B.2)."""
    return f"{Arc.UUID}.{uuid_of(name).int}"


def check_digit(digits: str) -> str:
    """The tenth digit of a personnummer for its first nine (Luhn)."""
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(digits))
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@lru_cache(maxsize=1)
def hospitals() -> tuple[Hospital, ...]:
    """The ten hospitals."""
    return tuple(Hospital(name, f"{Arc.DEMONSTRATION_HOSPITALS}.{n}") for n, name in enumerate(tables.HOSPITALS, 1))


@lru_cache(maxsize=1)
def persons() -> tuple[Person, ...]:
    """All test persons."""
    return tuple(_person(number) for number in range(tables.PATIENTS))


def _person(number: int) -> Person:
    woman = number % 2 == 0
    born = OLDEST + (YOUNGEST - OLDEST) * number / (tables.PATIENTS - 1)
    # The last digit of the birth number tells the sex: even for women.
    digits = f"{born:%Y%m%d}{TEST_NUMBERS + (number * 2 + (0 if woman else 1)) % 10}"
    names = tables.WOMEN if woman else tables.MEN
    family = tables.FAMILY_NAMES[number * 5 % len(tables.FAMILY_NAMES)]
    given = names[number // 2 % len(names)]
    return Person(digits + check_digit(digits[2:]), family, given, "F" if woman else "M")


def patient_id(person: Person, authority: str) -> Cx:
    """The person's identifier under the affinity domain's first authority."""
    return Cx(person.personnummer, authority)


def studies() -> Iterator[Study]:
    """All studies, patient by patient, each patient's in order of time."""
    number = 0
    for place, person in enumerate(persons()):
        wanted = tables.STUDIES_OF_A_PATIENT[place % len(tables.STUDIES_OF_A_PATIENT)]
        for turn in range(wanted):
            yield _study(number, person, place, turn, wanted)
            number += 1


def _study(number: int, person: Person, place: int, turn: int, wanted: int) -> Study:
    # Patients move between hospitals: that is what the region is for.
    hospital = hospitals()[(place + turn * 3) % len(tables.HOSPITALS)]
    span = (tables.LAST_DAY - tables.FIRST_DAY).days // wanted
    day = tables.FIRST_DAY + timedelta(days=turn * span + number * 37 % span)
    return Study(
        number=number,
        uid=uid_of(f"study {number}"),
        person=person,
        hospital=hospital,
        examination=EXAMINATIONS[number % len(EXAMINATIONS)],
        performed=datetime.combine(day, time(8 + number % 9, number * 7 % 60)),
        accession=f"{hospital.oid.rpartition('.')[2]}{day:%y}{number:06d}",
        referrer=tables.REFERRERS[number % len(tables.REFERRERS)],
        radiologist=tables.RADIOLOGISTS[number % len(tables.RADIOLOGISTS)],
    )
