"""A registry on a real database, with a clock that is moved by hand, and small complete metadata to put in."""

from dataclasses import dataclass, field, replace
from itertools import count
from uuid import uuid4

import sqlalchemy

from database.engine import Database
from database.tables import METADATA
from profiles.composition import RENDERERS
from registry.access import Caller, Visibility
from registry.metadata.datatypes import Cx
from registry.metadata.identify import bare_uuid
from registry.metadata.model import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Instance,
    Series,
    StudyDescription,
    Submission,
    SubmissionSet,
)
from registry.metadata.urn import AssociationType, ReferenceIdType
from registry.queries import FindDocuments, ReturnType
from registry.service import Domain, Registry

PNR = "1.2.752.129.2.1.3.1"
ANNA, BO = f"191212121212^^^&{PNR}&ISO", f"189912121212^^^&{PNR}&ISO"
CALLER = Caller("tester", "127.0.0.1", "ITI-42")
START = 1_700_000_000.0
REPORT = Code("85430-7", "2.16.840.1.113883.6.1", "Report")
CODE = Code("1", "1.2.3", "one")
ACCESSION, STUDY_UID = ReferenceIdType.ACCESSION, ReferenceIdType.STUDY_INSTANCE_UID
numbers = count(1)


def urn():
    return f"urn:uuid:{uuid4()}"


def uid():
    return f"1.2.3.4.{next(numbers)}"


def reference(value, kind=ACCESSION, authority=""):
    return f"{value}^^^{f'&{authority}&ISO' if authority else ''}^{kind}"


def document(patient=ANNA, **changes):
    """A complete DocumentEntry, which is no imaging report."""
    values = {
        "id": urn(),
        "mime_type": "application/pdf",
        "unique_id": uid(),
        "patient_id": patient,
        "creation_time": "20240101100000",
        "service_start_time": "20240101080000",
        "service_stop_time": "20240101090000",
        "hash": "a" * 40,
        "size": "12",
        "language_code": "sv-SE",
        "source_patient_id": "L1^^^&1.2.9&ISO",
        "repository_unique_id": "1.2.5",
        "authors": (Author(("1^Ek^Eva",)),),
        "confidentiality_codes": (CODE,),
    }
    codes = ("class_code", "format_code", "healthcare_facility_type_code", "practice_setting_code", "type_code")
    return DocumentEntry(**(values | dict.fromkeys(codes, CODE) | changes))


def report(*references, patient=ANNA, **changes):
    """A report's DocumentEntry."""
    return document(patient, **({"type_code": REPORT, "reference_ids": references} | changes))


def submission(*entries, folders=(), associations=(), patient=None, **set_fields):
    """A submission of `entries` with their HasMembers."""
    owner = SubmissionSet(
        **(
            {
                "id": urn(),
                "unique_id": uid(),
                "source_id": "1.2.3.9",
                "patient_id": patient or (entries[0].patient_id if entries else ANNA),
                "submission_time": "20240101120000",
                "content_type_code": CODE,
            }
            | set_fields
        )
    )
    members = (
        Association(urn(), AssociationType.HAS_MEMBER, owner.id, thing.id, "Original") for thing in (*entries, *folders)
    )
    return Submission((owner,), tuple(entries), tuple(folders), (*members, *associations))


def relation(type_, source, target):
    """An association between documents; each is an entry or an id."""
    ends = (end if isinstance(end, str) else end.id for end in (source, target))
    return Association(urn(), type_, *ends)


def study(study_uid, *, patient=ANNA, accessions=(), orders=(), source="1.2.7", modality="CT", **changes):
    """A study's description: one series of one instance."""
    series = Series(f"{study_uid}.1", modality, retrieve_location_uid=source, instances=(Instance("1.2", f"{study_uid}.1.1"),))  # fmt: skip
    described = StudyDescription(
        study_uid, source, patient, "20240101", accessions=accessions, orders=orders, series=(series,)
    )
    return replace(described, **changes)


@dataclass
class Notes:
    """An audit that can be read."""

    records: list = field(default_factory=list)
    full: Exception | None = None

    def keep(self, record):
        if self.full:
            raise self.full
        self.records.append(record)


@dataclass
class Policy:
    """Everything to everyone, or these patients only."""

    patients: frozenset | None = None

    def visibility(self, caller):
        return Visibility(self.patients)


class Keeping:
    """The registry and what it stands on. `time` moves by hand."""

    def __init__(self, url, **domain):
        self.database, self.notes, self.policy, self.time = Database(url), Notes(), Policy(), START
        known = {"authorities": (PNR,), "report_types": frozenset({REPORT.code}), "locations": {"1.2.7": "http://pacs"}}
        self.registry = Registry(
            self.database, RENDERERS, self.notes, Domain(**(known | domain)), self.policy, lambda: self.time
        )

    def submit(self, *entries, **more):
        """Register entries; the submission."""
        sent = submission(*entries, **more)
        self.registry.submit(sent, CALLER)
        return sent

    def replace(self, new, old, type_=AssociationType.RPLC):
        return self.submit(new, associations=(relation(type_, new, old),))

    def know(self, described, **more):
        self.database.transact(lambda unit: self.registry.know_study(unit, described, CALLER, **more))

    def touch(self, described, modalities=("CT",)):
        self.registry.describe = lambda uid, source: described
        self.database.transact(lambda unit: self.registry.touch_study(unit, described, modalities, CALLER))

    def query(self, query, returns=ReturnType.LEAF_CLASS):
        return self.registry.query(query, returns, CALLER)

    def found(self, **asked):
        """Bare UUIDs that FindDocuments finds, by LeafClass and by ObjectRef alike."""
        query = FindDocuments(**({"patient_id": ANNA} | asked))
        leaves = {o.id for o in self.query(query).objects}
        assert {r.id for r in self.query(query, ReturnType.OBJECT_REF).refs} == leaves
        return leaves

    def statuses(self, *entries):
        known = dict(self.sql("SELECT id, status FROM document_entry"))
        return [known[bare_uuid(e.id)] for e in entries]

    def sql(self, text, **params):
        engine = sqlalchemy.create_engine(self.database.url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(text), params)
            return [tuple(row) for row in result] if result.returns_rows else []

    def empty(self):
        """Take every row out."""
        engine = sqlalchemy.create_engine(self.database.url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            for table in METADATA.tables.values():
                connection.execute(table.delete())

    def counts(self):
        """Rows of every table that is not empty."""
        each = (f"SELECT '{name}', count(*) FROM {name}" for name in METADATA.tables)
        return {name: number for name, number in self.sql(" UNION ALL ".join(each)) if number}


def ids(*entries):
    return {bare_uuid(e.id) for e in entries}


def value_of(patient):
    return Cx.parse(patient).value
