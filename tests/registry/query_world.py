"""A registry of a few patients with a little of everything, and a naive reader of the same metadata.

The reader takes the parameters of a stored query as the wire has them and looks at every object in turn: it shares no
code with the product, so that the two can disprove each other.
"""

import random
import re
from dataclasses import dataclass

from keeping import Keeping, uid, urn

from profiles.composition import RENDERERS
from registry.metadata.identify import with_uuids
from registry.metadata.model import Association, Author, Code, DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, DocumentAvailability, ObjectType, Status
from registry.store import registration

AUTHORITY = "1.2.752.129.2.1.3.1"
PATIENTS = [f"19{n}2121{n}^^^&{AUTHORITY}&ISO" for n in range(3)]
CODES = [Code("A", "1.2.3"), Code("B", "1.2.3"), Code("A", "1.2.4"), Code("it's, (odd)", "a scheme")]
PEOPLE = ["1^Ek^Eva^^^Dr", "2^Ask^Bo", "3^100%^a_b\\c", "4^Öst^O'Hara"]
PATTERNS = ["1^Ek%", "%Bo", "%^E_a%", "3^100%", "%\\c", "4^Öst^O'Hara", "1^ek%", "none"]
MOMENTS = ["2022", "202306", "20230615", "20230615120000", "20240229235959"]
REFERENCES = [
    f"R1^^^&1.2.9&ISO^{kind}" for kind in ("urn:ihe:iti:xds:2013:accession", "urn:ihe:iti:xds:2013:order")
] + ["R1^^^&1.2.8&ISO^urn:ihe:iti:xds:2013:accession", "R_2^^^^urn:ihe:iti:xds:2016:studyInstanceUID", "it's^^^^other"]
RELATIONS = [AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM, AssociationType.SIGNS]
MEMBER = AssociationType.HAS_MEMBER
TYPES = [ObjectType.STABLE_DOCUMENT, ObjectType.ON_DEMAND_DOCUMENT]


@dataclass
class Kept:
    """One object as it stands in the registry, by its bare UUID."""

    id: str
    it: object
    patient: str
    status: str = Status.APPROVED
    latest: bool = True
    logical_id: str = ""


class World:
    """What is registered, by kind, and the registry that holds it."""

    def __init__(self, url: str, **domain):
        self.kept = Keeping(url, **domain)
        self.rng = random.Random(51)
        self.entries, self.sets, self.folders, self.associations = [], [], [], []

    def fill(self):
        for n in range(18):
            self._submit(PATIENTS[n % 3], sources=["1.2.3.9", "1.2.3.8"][n % 2])
        self._version(self.entries, "document_entry")
        self._version(self.folders, "folder")
        for one in self.rng.sample(self.associations, 12):
            one.status = Status.DEPRECATED
        for one in self.rng.sample(self.entries, 8):
            one.status = Status.DEPRECATED
        self.folders[0].status = Status.DEPRECATED
        self._write()
        return self

    def _submit(self, patient, sources):
        rng = self.rng
        owner = SubmissionSet(
            urn(), uid(), sources, patient, submission_time=rng.choice(MOMENTS), content_type_code=rng.choice(CODES),
            authors=(Author(tuple(rng.sample(PEOPLE, rng.randint(0, 2)))),),
        )  # fmt: skip
        entries = [self._entry(patient) for _ in range(3)]
        folders = [
            Folder(urn(), uid(), patient, "Course", last_update_time=rng.choice(MOMENTS), codes=tuple(rng.sample(CODES, 2)))
            for _ in range(rng.randint(0, 2))
        ]  # fmt: skip
        links = [Association(urn(), MEMBER, owner.id, one.id, "Original") for one in (*entries, *folders)]
        inner = [Association(urn(), MEMBER, one.id, entry.id) for one in folders for entry in rng.sample(entries, 2)]
        inner.append(Association(urn(), rng.choice(RELATIONS), entries[1].id, entries[0].id))
        links += [Association(urn(), MEMBER, owner.id, one.id, "Original") for one in inner[:2]]
        mine = [one for one in self.entries if one.patient == patient]
        if mine:
            earlier = rng.sample(mine, 2)
            inner.append(Association(urn(), rng.choice(RELATIONS), entries[2].id, earlier[0].id))
            # By reference; now and then the document of another patient, as that of a newborn child.
            other = rng.choice(self.entries) if rng.random() < 0.3 else earlier[1]
            links.append(Association(urn(), MEMBER, owner.id, other.id, "Reference"))
        sent = with_uuids(Submission((owner,), tuple(entries), tuple(folders), (*links, *inner)))
        self.kept.time += 1
        rows = registration.rows_of(sent, RENDERERS, "somebody", self.kept.time)
        self.kept.database.transact(lambda unit: [unit.insert(table, some) for table, some in rows])
        for things, found in (
            (self.sets, sent.submission_sets), (self.entries, sent.entries), (self.folders, sent.folders),
        ):  # fmt: skip
            things += [Kept(one.id, one, patient, logical_id=one.id) for one in found]
        self.associations += [Kept(one.id, one, patient, logical_id=one.id) for one in sent.associations]

    def _entry(self, patient):
        rng = self.rng
        on_demand = rng.random() < 0.2
        one = lambda: rng.choice(CODES)  # noqa: E731
        again = rng.choice(self.entries).it.unique_id if self.entries and rng.random() < 0.1 else uid()
        return DocumentEntry(
            urn(), "text/plain", TYPES[on_demand], again, patient,
            creation_time=None if on_demand else rng.choice(MOMENTS),
            service_start_time=rng.choice([None, *MOMENTS]), service_stop_time=rng.choice([None, *MOMENTS]),
            reference_ids=tuple(rng.sample(REFERENCES, rng.randint(0, 2))),
            authors=(Author(tuple(rng.sample(PEOPLE, rng.randint(0, 2)))), Author(institutions=("Ek",))),
            class_code=one(), type_code=one(), format_code=one(), practice_setting_code=one(),
            healthcare_facility_type_code=rng.choice([None, *CODES]),
            event_codes=tuple(rng.sample(CODES, rng.randint(0, 3))),
            confidentiality_codes=tuple(rng.sample(CODES, rng.randint(1, 2))),
            document_availability=rng.choice([None, None, None, *DocumentAvailability]),
        )  # fmt: skip

    def _version(self, things, table):
        """Some objects become later versions of others."""
        for old in self.rng.sample(things, 3):
            new = next((n for n in things if n.patient == old.patient and n.latest and n is not old), None)
            if new and old.latest and new.logical_id == new.id:
                old.latest, old.status, new.logical_id = False, Status.DEPRECATED, old.logical_id
                self.kept.sql(f"UPDATE {table} SET version = 2 WHERE id = :id", id=new.id)

    def _write(self):
        for one in self.folders:
            # The registry sets this by its clock; here the folders were changed at various times.
            moment = digits(one.it.last_update_time)
            self.kept.sql("UPDATE folder SET last_update_time = :moment WHERE id = :id", moment=moment, id=one.id)
        for table, things in (
            ("document_entry", self.entries), ("folder", self.folders), ("association", self.associations),
        ):  # fmt: skip
            for one in things:
                self.kept.sql(
                    f"UPDATE {table} SET status = :status, is_latest = :latest, logical_id = :lid WHERE id = :id",
                    status=one.status.rpartition(":")[2], latest=one.latest, lid=one.logical_id, id=one.id,
                )  # fmt: skip


# --- the naive reader ---


def like(text, pattern):
    parts = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(parts, text, re.DOTALL) is not None


def digits(moment):
    return moment + "00000101000000"[len(moment) :]


def key(code):
    return f"{code.code}^^{code.scheme}" if code else None


def keys(codes):
    return {key(code) for code in codes}


def persons(thing):
    return [person for author in thing.it.authors for person in author.person]


def within(moment, bound, *, lower):
    if moment is None:
        return True
    return digits(moment) >= digits(bound) if lower else digits(moment) < digits(bound)


def refers(thing, value):
    if "%" in value:
        return any(like(text, value) for text in thing.it.reference_ids)
    asked = value.split("^")
    return any(
        text.split("^")[0] == asked[0]
        and (len(asked) < 5 or (text.split("^")[4], text.split("^")[3]) == (asked[4], asked[3]))
        for text in thing.it.reference_ids
    )


def present(entry):
    return entry.latest and entry.it.document_availability != DocumentAvailability.OFFLINE


def bare(value):
    return value.removeprefix("urn:uuid:").lower()


# What one value of a parameter says of an object; a list says it of any of its values, a repeated slot of each list.
ENTRY = {
    "PatientId": lambda e, v: e.patient == v,
    "Status": lambda e, v: e.status == v,
    "ClassCode": lambda e, v: key(e.it.class_code) == v,
    "TypeCode": lambda e, v: key(e.it.type_code) == v,
    "PracticeSettingCode": lambda e, v: key(e.it.practice_setting_code) == v,
    "HealthcareFacilityTypeCode": lambda e, v: key(e.it.healthcare_facility_type_code) == v,
    "FormatCode": lambda e, v: key(e.it.format_code) == v,
    "EventCodeList": lambda e, v: v in keys(e.it.event_codes),
    "ConfidentialityCode": lambda e, v: v in keys(e.it.confidentiality_codes),
    "AuthorPerson": lambda e, v: any(like(person, v) for person in persons(e)),
    "Type": lambda e, v: e.it.object_type == v,
    "ReferenceIdList": refers,
    "CreationTimeFrom": lambda e, v: within(e.it.creation_time, v, lower=True),
    "CreationTimeTo": lambda e, v: within(e.it.creation_time, v, lower=False),
    "ServiceStartTimeFrom": lambda e, v: within(e.it.service_start_time, v, lower=True),
    "ServiceStartTimeTo": lambda e, v: within(e.it.service_start_time, v, lower=False),
    "ServiceStopTimeFrom": lambda e, v: within(e.it.service_stop_time, v, lower=True),
    "ServiceStopTimeTo": lambda e, v: within(e.it.service_stop_time, v, lower=False),
    "EntryUUID": lambda e, v: e.id == bare(v),
    "UniqueId": lambda e, v: e.it.unique_id == v,
    "LogicalID": lambda e, v: e.logical_id == bare(v),
}
SET = {
    "PatientId": lambda s, v: s.patient == v,
    "Status": lambda s, v: s.status == v,
    "SourceId": lambda s, v: s.it.source_id == v,
    "SubmissionTimeFrom": lambda s, v: within(s.it.submission_time, v, lower=True),
    "SubmissionTimeTo": lambda s, v: within(s.it.submission_time, v, lower=False),
    "AuthorPerson": lambda s, v: any(like(person, v) for person in persons(s)),
    "ContentType": lambda s, v: key(s.it.content_type_code) == v,
    "EntryUUID": lambda s, v: s.id == bare(v),
    "UniqueId": lambda s, v: s.it.unique_id == v,
}
FOLDER = {
    "PatientId": lambda f, v: f.patient == v,
    "Status": lambda f, v: f.status == v,
    "LastUpdateTimeFrom": lambda f, v: within(f.it.last_update_time, v, lower=True),
    "LastUpdateTimeTo": lambda f, v: within(f.it.last_update_time, v, lower=False),
    "CodeList": lambda f, v: v in keys(f.it.codes),
    "EntryUUID": lambda f, v: f.id == bare(v),
    "UniqueId": lambda f, v: f.it.unique_id == v,
    "LogicalID": lambda f, v: f.logical_id == bare(v),
}


class Reader:
    """The answer to one stored query: `asked` is slot name -> a list of lists of values."""

    def __init__(self, world, asked):
        self.world, self.asked = world, asked
        self.level_2 = asked.get("$MetadataLevel") == [["2"]]
        statuses = asked.get("$XDSAssociationStatus", [[Status.APPROVED]])[0]
        self.links = [
            a for a in world.associations if a.status in statuses and (self.level_2 or a.status == Status.APPROVED)
        ]

    def _passes(self, thing, prefix, table, but=()):
        for name, lists in self.asked.items():
            word = name.removeprefix(prefix)
            if word == name or word in but:
                continue
            plain = word.removesuffix("Exclude")
            found = all(any(table[plain](thing, value) for value in values) for values in lists)
            if found is (word != plain):
                return False
        return True

    def entries(self, but=()):
        default = not ({"$XDSDocumentEntryType", "$XDSDocumentEntryTypeExclude"} & self.asked.keys())
        return [
            e
            for e in self.world.entries
            if self._passes(e, "$XDSDocumentEntry", ENTRY, but)
            and (self.level_2 or present(e))
            and not (default and e.it.object_type != ObjectType.STABLE_DOCUMENT)
        ]

    def named(self):
        """Entries by their ids, of whatever type."""
        return [
            e
            for e in self.world.entries
            if self._passes(e, "$XDSDocumentEntry", ENTRY) and (self.level_2 or present(e))
        ]

    def sets(self):
        return [s for s in self.world.sets if self._passes(s, "$XDSSubmissionSet", SET)]

    def folders(self):
        return [
            f
            for f in self.world.folders
            if self._passes(f, "$XDSFolder", FOLDER) and (self.level_2 or (f.latest and f.status == Status.APPROVED))
        ]

    def around(self, ids):
        return [a for a in self.links if a.it.source in ids or a.it.target in ids]

    def uuids(self):
        return {bare(value) for value in self.asked["$uuid"][0]}

    # --- the queries ---

    def find_documents(self):
        return self.entries()

    def find_submission_sets(self):
        return self.sets()

    def find_folders(self):
        return self.folders()

    def get_all(self):
        whose = self.asked["$patientId"][0]
        found = [o for o in (*self.sets(), *self.entries(), *self.folders()) if o.patient in whose]
        return found + self.around(ids(found))

    def get_documents(self):
        return self.named()

    def get_folders(self):
        return self.folders()

    def get_associations(self):
        return self.around(self.uuids())

    def get_documents_and_associations(self):
        found = self.named()
        return found + self.around(ids(found))

    def get_submission_sets(self):
        found = [a for a in self.links if a.it.type == MEMBER and a.it.target in self.uuids()]
        sets = [s for s in self.world.sets if s.id in {a.it.source for a in found}]
        return sets + [a for a in found if a.it.source in ids(sets)]

    def _members(self, owners):
        return [a for a in self.links if a.it.type == MEMBER and a.it.source in ids(owners)]

    def get_submission_set_and_contents(self):
        sets = self.sets()
        members = self._members(sets)
        inside = [o for o in (*self.entries(), *self.folders()) if o.id in {a.it.target for a in members}]
        between = [a for a in self.links if {a.it.source, a.it.target} <= ids(inside)]
        return sets + inside + between + [a for a in members if a.it.target in ids(inside) | ids(between)]

    def get_folder_and_contents(self):
        folders = self.folders()
        members = self._members(folders)
        entries = [e for e in self.entries() if e.id in {a.it.target for a in members}]
        return folders + entries + [a for a in members if a.it.target in ids(entries)]

    def get_folders_for_document(self):
        entries = ids(self.named())
        sources = {a.it.source for a in self.links if a.it.type == MEMBER and a.it.target in entries}
        return [f for f in self.world.folders if f.id in sources and (self.level_2 or (f.latest and f.status == Status.APPROVED))]  # fmt: skip

    def get_related_documents(self):
        wanted = self.asked["$AssociationTypes"][0]
        documents = ids(self.entries(but=("EntryUUID", "UniqueId")))
        here = ids(e for e in self.world.entries if self._passes(e, "$XDSDocumentEntry", ENTRY, ("Type",)) and (self.level_2 or present(e)))  # fmt: skip
        found = [a for a in self.around(here) if a.it.type in wanted and {a.it.source, a.it.target} <= documents]
        ends = {end for a in found for end in (a.it.source, a.it.target)}
        return [e for e in self.world.entries if e.id in ends] + found


def ids(things):
    return {one.id for one in things}
