"""The stored queries on one small corpus: every filter finds what it should and no more, alike on both engines."""

import pytest
from keeping import ANNA, BO, CALLER, Keeping, document, reference, relation, submission, uid, urn

from registry.access import Visibility
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Author, Code, Folder
from registry.metadata.urn import AssociationType, ObjectType, Status
from registry.queries import (
    FindDocuments,
    FindResources,
    GetAssociations,
    GetDocuments,
    GetSubmissionSetAndContents,
    ReferenceId,
    ResourceType,
    ReturnType,
)

CLEO = ANNA.replace("1912", "1955")
LEAF, REF = ReturnType.LEAF_CLASS, ReturnType.OBJECT_REF
A, B, C = (Code(name, "1.2.3") for name in "ABC")
# Each time of a document, and which of the corpus have none.
TIMES = {"creation_time": set(), "service_start_time": {"untimed"}, "service_stop_time": {"untimed"}}
ONE_CODE = ("class_code", "type_code", "practice_setting_code", "healthcare_facility_type_code", "format_code")


class Corpus:
    """Documents by name; `kept` is the registry that they are in."""

    def __init__(self, url):
        self.kept = Keeping(url)
        self.entries = {
            "plain": document(authors=(Author(("1^Ek^Eva^^^Dr", "Per Åkesson")), Author(institutions=("Ek",)))),
            "a": document(**dict.fromkeys(ONE_CODE, A), **dict.fromkeys(TIMES, "2023"), event_codes=(A, B)),
            "b": document(**dict.fromkeys(ONE_CODE, B), **dict.fromkeys(TIMES, "20230615120000"), event_codes=(B, C)),
            "untimed": document(
                **dict.fromkeys(list(TIMES)[1:]), event_codes=(A,), confidentiality_codes=(A, B), authors=()
            ),
            "odd": document(
                authors=(Author(("100%^a_b\\c'",)),), reference_ids=(reference("R1", authority="1.9"), reference("R2"))
            ),
            "promised": document(object_type=ObjectType.ON_DEMAND_DOCUMENT, hash=None, size=None),
            "referring": document(reference_ids=(reference("R1", authority="1.8"), reference("R3", "other"))),
            "gone": document(),
            "new": document(title="replaces what is gone"),
            "bos": document(BO, reference_ids=(reference("R1", authority="1.9"),), event_codes=(A,)),
        }
        self.sets = {}
        for name, entry in self.entries.items():
            self.kept.time += 10
            related = (relation(AssociationType.RPLC, entry, self.entries["gone"]),) if name == "new" else ()
            self.sets[name] = self.kept.submit(entry, associations=related)
        self.names = {bare_uuid(entry.id): name for name, entry in self.entries.items()}

    def id(self, name):
        return bare_uuid(self.entries[name].id)

    def found(self, **asked):
        return {self.names[id_] for id_ in self.kept.found(**asked)}


@pytest.fixture(scope="module")
def corpus(shared_url):
    found = Corpus(shared_url)
    yield found
    found.kept.database.close()


@pytest.fixture
def only(corpus):
    """Lets the caller see these patients alone."""

    def narrow(*patients):
        corpus.kept.policy.patients = frozenset(patients)

    yield narrow
    corpus.kept.policy.patients = None


ALL = {"plain", "a", "b", "untimed", "odd", "referring", "new"}
AND_A_B = {"event_codes": ((A.key,), (B.key,))}
FROM, TO = "20230101000000", "20230615120000"
QUESTIONS = [
    ({}, ALL),
    ({"patient_id": BO}, {"bos"}),
    ({"patient_id": "x"}, set()),
    ({"statuses": (Status.DEPRECATED,)}, {"gone"}),
    ({"statuses": tuple(Status)}, ALL | {"gone"}),
    ({"object_types": (ObjectType.ON_DEMAND_DOCUMENT,)}, {"promised"}),
    ({"object_types": (ObjectType.STABLE_DOCUMENT, ObjectType.ON_DEMAND_DOCUMENT)}, ALL | {"promised"}),
    *(({f"{field}s": (A.key,)}, {"a"}) for field in ONE_CODE),
    *(({f"{field}s": (A.key, B.key)}, {"a", "b"}) for field in ONE_CODE),
    *(({f"{field}s": ("A^^1.2.4",)}, set()) for field in ONE_CODE),
    ({"class_codes": (A.key,), "type_codes": (B.key,)}, set()),
    ({"event_codes": ((A.key,),)}, {"a", "untimed"}),
    ({"event_codes": ((A.key, C.key),)}, {"a", "b", "untimed"}),
    (AND_A_B, {"a"}),
    ({"event_codes": ((A.key, C.key), (B.key,))}, {"a", "b"}),
    ({"confidentiality_codes": ((A.key,), (B.key,))}, {"untimed"}),
    ({"confidentiality_codes": ((A.key,), ("1^^1.2.3",))}, set()),
    ({**AND_A_B, "class_codes": (B.key,)}, set()),
    # LIKE patterns: % any text, _ any character, a backslash takes the next for itself
    ({"author_persons": ("1^Ek^Eva^^^Dr",)}, {"plain"}),
    ({"author_persons": ("1^Ek",)}, set()),
    ({"author_persons": ("%Åkesson",)}, {"plain"}),
    ({"author_persons": ("%åkesson",)}, set()),
    ({"author_persons": ("1^Ek^%",)}, {"plain", "a", "b", "referring", "new"}),
    ({"author_persons": ("_^Ek^Eva%",)}, {"plain", "a", "b", "referring", "new"}),
    ({"author_persons": ("100\\%%",)}, {"odd"}),
    ({"author_persons": ("1\\%%",)}, set()),
    ({"author_persons": ("%a\\_b%",)}, {"odd"}),
    ({"author_persons": ("%a\\_c%",)}, set()),
    ({"author_persons": ("%b\\\\c'",)}, {"odd"}),
    ({"author_persons": ("none", "%a_b%")}, {"odd"}),
    # identifiers
    ({"reference_ids": ((ReferenceId("R1"),),)}, {"odd", "referring"}),
    ({"reference_ids": ((ReferenceId("R1", authority="1.9"),),)}, {"odd"}),
    ({"reference_ids": ((ReferenceId("R3", "other"),),)}, {"referring"}),
    ({"reference_ids": ((ReferenceId("R1", "other"),),)}, set()),
    ({"reference_ids": ((ReferenceId("R2"), ReferenceId("R3")),)}, {"odd", "referring"}),
    ({"reference_ids": ((ReferenceId("R1"),), (ReferenceId("R3"),))}, {"referring"}),
    # times: a coarse one begins with its first second; from inclusive, to exclusive; a service time that is not there
    # does not decide
    *(({f"{time}_from": FROM, f"{time}_to": TO}, {"a", *none}) for time, none in TIMES.items()),
    *(
        ({f"{time}_from": "20230101000001", f"{time}_to": "20230615120001"}, {"b", *none})
        for time, none in TIMES.items()
    ),
    *(({f"{time}_from": TO, f"{time}_to": TO}, none) for time, none in TIMES.items()),
    *(({f"{time}_to": FROM}, none) for time, none in TIMES.items()),
    ({"service_start_time_from": "1900"}, ALL),
    ({"creation_time_from": "20230701000000"}, ALL - {"a", "b"}),
]


@pytest.mark.parametrize(
    ("asked", "expected"),
    QUESTIONS,
    ids=lambda value: str(sorted(value) if isinstance(value, set | frozenset) else value),
)
def test_find_documents(corpus, asked, expected):
    assert corpus.found(**asked) == expected


def test_author_patterns_tell_capitals_apart(corpus):
    assert corpus.found(author_persons=("1^EK^%",)) == set()


def test_what_comes_back_is_what_was_sent(corpus):
    (leaf,) = corpus.kept.query(FindDocuments(BO)).objects
    entry = corpus.entries["bos"]
    assert (leaf.id, leaf.logical_id) == (corpus.id("bos"), corpus.id("bos"))
    assert (leaf.version, leaf.status, leaf.patient_id) == (1, "Approved", BO)
    assert (leaf.mime_type, leaf.object_type) == ("application/pdf", ObjectType.STABLE_DOCUMENT)
    assert entry.unique_id.encode() in leaf.body


@pytest.mark.parametrize("most", [0, 6, 7])
def test_too_many_results(corpus, most):
    kept = Keeping(str(corpus.kept.database.url), most_results=most)
    assert len(kept.query(FindDocuments(ANNA), REF).refs) == len(ALL), "references are never too many"
    if most >= len(ALL):
        assert len(kept.query(FindDocuments(ANNA)).objects) == len(ALL)
        return
    with pytest.raises(Rejected) as caught:
        kept.query(FindDocuments(ANNA))
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSTooManyResults]
    assert kept.notes.records[1:] == [], "nothing was given"


# --- by id ---


@pytest.mark.parametrize("names", [["a"], ["gone", "new"], ["promised"]])
def test_get_documents(corpus, names):
    """Whatever their status, by each of the three kinds of id."""
    ids = tuple(map(corpus.id, names))
    uids = tuple(corpus.entries[name].unique_id for name in names)
    by_id = GetDocuments(ids=(*ids, ids[0], "none"))
    for query in (by_id, GetDocuments(unique_ids=uids), GetDocuments(logical_ids=ids)):
        assert sorted(o.id for o in corpus.kept.query(query).objects) == sorted(ids)
        assert sorted(r.id for r in corpus.kept.query(query, REF).refs) == sorted(ids)


def test_documents_of_two_patients_only_as_references(corpus):
    query = GetDocuments(ids=(corpus.id("a"), corpus.id("bos")))
    with pytest.raises(Rejected) as caught:
        corpus.kept.query(query)
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSResultNotSinglePatient]
    assert len(corpus.kept.query(query, REF).refs) == 2


def test_get_associations(corpus):
    relations = corpus.kept.query(GetAssociations((corpus.id("gone"), "none"))).objects
    ends = {(o.type, o.source, o.target) for o in relations}
    owner = bare_uuid(corpus.sets["gone"].submission_set.id)
    assert ends == {
        (AssociationType.HAS_MEMBER, owner, corpus.id("gone")),
        (AssociationType.RPLC, corpus.id("new"), corpus.id("gone")),
    }
    refs = corpus.kept.query(GetAssociations((corpus.id("gone"),)), REF).refs
    assert {r.id for r in refs} == {o.id for o in relations}


# --- a set and what is in it ---


@pytest.fixture(scope="module")
def full(corpus):
    """A third patient's set of two related documents and a folder, that refers to a document registered before."""
    earlier = document(CLEO)
    corpus.kept.submit(earlier)
    one = document(CLEO, format_code=A, confidentiality_codes=(A,))
    two = document(CLEO, format_code=B, confidentiality_codes=(B,))
    folder = Folder(urn(), uid(), CLEO, "Course", last_update_time="2024", codes=(A,))
    inner, outer = relation(AssociationType.XFRM, two, one), relation(AssociationType.APND, one, earlier)
    sent = submission(one, two, folders=(folder,), associations=(inner, outer))
    corpus.kept.registry.submit(sent, CALLER)
    return sent


def contents(corpus, **asked):
    query = GetSubmissionSetAndContents(**asked)
    objects = corpus.kept.query(query).objects
    assert [r.id for r in corpus.kept.query(query, REF).refs] == [o.id for o in objects]
    assert len({o.id for o in objects}) == len(objects), "nothing comes twice"
    return {o.id for o in objects}


def test_a_set_and_its_contents(corpus, full):
    expected = {bare_uuid(o.id) for o in full.objects()} - {bare_uuid(full.associations[-1].id)}
    assert contents(corpus, id=bare_uuid(full.submission_set.id)) == expected
    assert contents(corpus, unique_id=full.submission_set.unique_id) == expected


@pytest.mark.parametrize(
    "asked",
    [{"format_codes": (A.key,)}, {"confidentiality_codes": ((A.key,),)}],
    ids=lambda value: str(sorted(value) if isinstance(value, set | frozenset) else value),
)
def test_a_filter_leaves_out_entries_and_their_associations(corpus, full, asked):
    _, two = full.entries
    left_out = {two.id, full.associations[1].id, *(a.id for a in full.associations[3:])}
    expected = {bare_uuid(o.id) for o in full.objects() if o.id not in left_out}
    assert contents(corpus, unique_id=full.submission_set.unique_id, **asked) == expected


def test_no_such_set(corpus):
    assert contents(corpus, unique_id="1.2.404") == set()


# --- the seam of access ---


def test_what_may_not_be_seen_is_nowhere(corpus, full, only):
    queries = (
        FindDocuments(ANNA),
        GetDocuments(ids=(corpus.id("a"),)),
        GetDocuments(unique_ids=(corpus.entries["a"].unique_id,)),
        GetAssociations((corpus.id("gone"),)),
        GetSubmissionSetAndContents(unique_id=full.submission_set.unique_id),
    )
    for patients in ((BO,), ()):
        only(*patients)
        for query in queries:
            assert corpus.kept.query(query).objects == ()
            assert corpus.kept.query(query, REF).refs == ()
        for kind in (ResourceType.PATIENT, ResourceType.DIAGNOSTIC_REPORT, ResourceType.IMAGING_STUDY):
            found = corpus.kept.registry.search(FindResources(kind, patient_ids=(ANNA,)), CALLER)
            assert (found.items, found.total) == ([], 0)
        assert corpus.kept.registry.find_document_references(FindDocuments(ANNA), CALLER).total == 0
        assert corpus.kept.registry.entries([corpus.id("a")], CALLER) == []
        with pytest.raises(Rejected) as hidden:
            corpus.kept.registry.read(ResourceType.DOCUMENT_REFERENCE, corpus.id("a"), CALLER)
        with pytest.raises(Rejected) as absent:
            corpus.kept.registry.read(ResourceType.DOCUMENT_REFERENCE, "none", CALLER)
        assert hidden.value.findings[0].code == absent.value.findings[0].code == ErrorCode.NotFound


def test_what_may_be_seen_is_there(corpus, only):
    only(BO)
    mixed = GetDocuments(ids=(corpus.id("a"), corpus.id("bos")))
    assert [o.id for o in corpus.kept.query(mixed).objects] == [corpus.id("bos")]
    assert corpus.found(patient_id=BO) == {"bos"}
    assert Visibility(frozenset({BO})).admits(BO)
    assert not Visibility(frozenset({BO})).admits(None)


def test_the_limit_counts_only_what_may_be_seen(corpus, only):
    kept = Keeping(str(corpus.kept.database.url), most_results=1)
    kept.policy.patients = frozenset({BO})
    query = FindDocuments(event_codes=((A.key,),))
    assert [o.id for o in kept.query(query).objects] == [corpus.id("bos")]


# --- audit ---


def test_every_question_is_audited_before_it_is_answered(corpus, monkeypatch):
    corpus.kept.notes.records.clear()
    corpus.kept.query(FindDocuments(ANNA, class_codes=("none",)))
    corpus.kept.query(GetDocuments(ids=(corpus.id("bos"),)))
    kept = [(r.action, r.patients, r.objects, r.count) for r in corpus.kept.notes.records]
    assert kept == [("E", (ANNA,), ("FindDocuments",), 0), ("E", (BO,), ("GetDocuments",), 1)]
    monkeypatch.setattr(corpus.kept.notes, "full", OSError("no room"))
    with pytest.raises(OSError, match="no room"):
        corpus.kept.query(FindDocuments(ANNA))
