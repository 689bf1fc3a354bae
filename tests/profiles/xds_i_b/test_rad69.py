"""RAD-69: objects by study, series and instance, in a transfer syntax that the consumer reads."""

import tracemalloc
from base64 import b64decode
from io import BytesIO
from typing import Any

import pydicom
import pytest
from rejecting import SAFETY, note
from wire.imaging import CALLER, EXPLICIT, IMPLICIT, J2K, Study, new_uid, retrieval, sop_uid
from wire.soap_world import IMAGING_SOURCE, Answer, World, packaged, parts_of

from conformance import messages
from registry.metadata.urn import Action, Namespace

RETRIEVE = Action.RETRIEVE_IMAGING_DOCUMENT_SET
MINE = IMAGING_SOURCE
Held = dict[str, Any]


@pytest.fixture(scope="module")
def held(world: World) -> Held:
    """A study of two series: two CT slices, and one in JPEG 2000."""
    study, other = Study(), new_uid()
    slices = [study.object(InstanceNumber=n) for n in (1, 2)]
    packed = study.object("JPEG2000.dcm", SeriesInstanceUID=other)
    outcomes = world.house.imaging.store([[one] for one in (*slices, packed)], CALLER)
    assert [o.finding for o in outcomes] == [None] * 3
    objects = {sop_uid(one): one for one in (*slices, packed)}
    return {"study": study.uid, "series": study.series, "other": other, "objects": objects, "uids": list(objects)}


def ask(world: World, body: str) -> Answer:
    return world.send(RETRIEVE, messages.envelope(RETRIEVE, body))


def contents(answer: Answer) -> list[bytes]:
    return [b64decode(e.text or "") for e in answer.body.iter(f"{{{Namespace.XDS_B}}}Document")]


def wanted(held: Held, *uids: str, source: str = MINE) -> dict[str, dict[str, list[tuple[str, str]]]]:
    return {held["study"]: {held["series"]: [(source, uid) for uid in uids]}}


def test_objects_come_back_as_they_were_stored(world: World, held: Held) -> None:
    first, second, packed = held["uids"]
    asked = {held["study"]: {held["series"]: [(MINE, second), (MINE, first)], held["other"]: [(MINE, packed)]}}
    answer = ask(world, retrieval(asked, EXPLICIT, J2K))
    assert (answer.outcome, answer.errors) == ("Success", [])
    assert answer.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
    assert answer.documents == [(MINE, uid, "application/dicom") for uid in (second, first, packed)]
    assert contents(answer) == [held["objects"][uid] for uid in (second, first, packed)]


def test_objects_are_parts_in_binary(world: World, held: Held) -> None:
    body = messages.envelope(RETRIEVE, retrieval(wanted(held, held["uids"][0]), EXPLICIT))
    _, content_type, content = world.raw("imaging", *packaged(body))
    _, part = parts_of(content_type, content)
    assert part.get_content_type() == "application/dicom"
    assert part.get_payload(decode=True) == held["objects"][held["uids"][0]]


def test_ids_are_echoed(world: World, held: Held) -> None:
    home = "urn:oid:1.2.752.129.2.9.1"
    answer = ask(world, retrieval(wanted(held, held["uids"][0]), EXPLICIT, home=home))
    assert answer.body.findtext(".//{*}HomeCommunityId") == home


@pytest.mark.parametrize("wrong", ["study", "series", "instance", "other series"])
def test_an_instance_is_only_found_where_it_is(world: World, held: Held, wrong: str) -> None:
    uid = "1.2.3.4" if wrong == "instance" else held["uids"][0]
    study = "1.2.3" if wrong == "study" else held["study"]
    series = {"series": "1.2.3", "other series": held["other"]}.get(wrong, held["series"])
    answer = ask(world, retrieval({study: {series: [(MINE, uid)]}}, EXPLICIT))
    assert answer.outcome == "Failure"
    assert [(e.code, e.location) for e in answer.errors] == [("XDSDocumentUniqueIdError", uid)]


def test_another_transfer_syntax_is_made_where_it_can_be(world: World, held: Held) -> None:
    """JPEG 2000 is decoded for a consumer that does not read it; nothing is ever compressed."""
    first, second, packed = held["uids"]
    asked = {held["study"]: {held["series"]: [(MINE, first), (MINE, second)], held["other"]: [(MINE, packed)]}}
    answer = ask(world, retrieval(asked, IMPLICIT, EXPLICIT))
    assert (answer.outcome, [d[1] for d in answer.documents]) == ("Success", [first, second, packed])
    decoded = pydicom.dcmread(BytesIO(contents(answer)[2]))
    stored = pydicom.dcmread(BytesIO(held["objects"][packed]))
    assert decoded.file_meta.TransferSyntaxUID == EXPLICIT
    assert (decoded.pixel_array == stored.pixel_array).all()


def test_a_transfer_syntax_that_cannot_be_made_is_an_error_of_that_instance(world: World, held: Held) -> None:
    first, second, packed = held["uids"]
    asked = {held["study"]: {held["series"]: [(MINE, first), (MINE, second)], held["other"]: [(MINE, packed)]}}
    answer = ask(world, retrieval(asked, J2K))
    assert (answer.outcome, [d[1] for d in answer.documents]) == ("PartialSuccess", [packed])
    assert [(e.code, e.location) for e in answer.errors] == [("urn:dicom:wado:0007", uid) for uid in (first, second)]
    assert EXPLICIT in answer.text
    assert ask(world, retrieval(asked, "1.2.840.10008.1.2.4.70")).outcome == "Failure"


@pytest.mark.parametrize(
    ("wrong", "said"), [("study", "no study 1.2.3"), ("series", "no series 1.2.3"), ("instance", "holds no instance")]
)
def test_an_error_says_where_the_instance_is_not(world: World, held: Held, wrong: str, said: str) -> None:
    uid = "1.2.3.4" if wrong == "instance" else held["uids"][0]
    study, series = "1.2.3" if wrong == "study" else held["study"], "1.2.3" if wrong == "series" else held["series"]
    assert said in ask(world, retrieval({study: {series: [(MINE, uid)]}}, EXPLICIT)).text


def test_several_sources_in_one_request(world: World, held: Held) -> None:
    first, second, _ = held["uids"]
    asked = {
        held["study"]: {held["series"]: [(MINE, first), ("1.2.3.4", second)]},
        "1.9": {"1.9.1": [("1.2.3.5", "1.9.2")]},
    }
    answer = ask(world, retrieval(asked, EXPLICIT))
    assert answer.outcome == "PartialSuccess"
    assert [d[1] for d in answer.documents] == [first]
    found = [(e.code, e.location) for e in answer.errors]
    assert found == [("XDSUnknownRepositoryId", second), ("XDSUnknownRepositoryId", "1.9.2")]


def test_the_repository_of_the_manifest_is_not_the_source_of_the_images(world: World, held: Held) -> None:
    answer = ask(world, retrieval(wanted(held, held["uids"][0], source="1.2.752.129.2.9.2"), EXPLICIT))
    assert answer.codes == ["XDSUnknownRepositoryId"]


def test_the_same_twice_is_answered_twice(world: World, held: Held) -> None:
    uid = held["uids"][0]
    answer = ask(world, retrieval(wanted(held, uid, uid), EXPLICIT))
    assert [d[1] for d in answer.documents] == [uid, uid]


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("no study", lambda b, h: b.replace(b[b.index("<i:StudyRequest") : b.index("<i:TransferSyntaxUIDList")], "")),
        ("no series", lambda b, h: b.replace(b[b.index("<i:SeriesRequest") : b.index("</i:StudyRequest>")], "")),
        ("no instance", lambda b, h: b.replace(b[b.index("<d:Document") : b.index("</i:SeriesRequest>")], "")),
        ("study UID empty", lambda b, h: b.replace(f'"{h["study"]}"', '""')),
        ("study UID missing", lambda b, h: b.replace(f' studyInstanceUID="{h["study"]}"', "")),
        ("series UID empty", lambda b, h: b.replace(f'"{h["series"]}"', '""')),
        ("series UID missing", lambda b, h: b.replace(f' seriesInstanceUID="{h["series"]}"', "")),
        ("source empty", lambda b, h: b.replace(f">{MINE}<", "><")),
        ("instance empty", lambda b, h: b.replace(f">{h['uids'][0]}<", "> <")),
        ("no list", lambda b, h: b[: b.index("<i:TransferSyntaxUIDList")] + "</i:RetrieveImagingDocumentSetRequest>"),
        ("list empty", lambda b, h: b.replace(f"<i:TransferSyntaxUID>{EXPLICIT}</i:TransferSyntaxUID>", "")),
        ("syntax empty", lambda b, h: b.replace(f">{EXPLICIT}<", "><")),
        (
            "second study without series",
            lambda b, h: b.replace("<i:Transfer", '<i:StudyRequest studyInstanceUID="1.2"/><i:Transfer', 1),
        ),
        (
            "second series without instance",
            lambda b, h: b.replace("</i:StudyRequest>", '<i:SeriesRequest seriesInstanceUID="1.2"/></i:StudyRequest>'),
        ),
        (
            "second syntax empty",
            lambda b, h: b.replace("</i:TransferSyntaxUIDList>", "<i:TransferSyntaxUID/></i:TransferSyntaxUIDList>"),
        ),
    ],
)  # fmt: skip
def test_what_a_request_needs(world: World, held: Held, name: str, edit: Any) -> None:
    good = retrieval(wanted(held, held["uids"][0]), EXPLICIT)
    bad = edit(good, held)
    assert bad != good
    answer = ask(world, bad)
    assert (answer.outcome, answer.documents) == ("Failure", []), name
    assert set(answer.codes) == {"XDSRepositoryError"}


def test_all_that_is_missing_is_told_at_once(world: World) -> None:
    answer = ask(world, retrieval({"": {"": [("", "")]}}))
    for where in (
        "studyInstanceUID",
        "seriesInstanceUID",
        "RepositoryUniqueId",
        "DocumentUniqueId",
        "TransferSyntaxUIDList",
    ):
        assert where in answer.text


@pytest.mark.parametrize("uid", ["' OR 1=1 --", "*", "%", "../..", "1.2\u202e", "9" * 3000])
def test_hostile_uids_find_nothing(world: World, held: Held, uid: str) -> None:
    answer = ask(world, retrieval({uid: {uid: [(MINE, uid)]}}, EXPLICIT))
    assert answer.codes == ["XDSDocumentUniqueIdError"]


def test_a_damaged_object_does_not_break_the_answer(world: World) -> None:
    """A blob that is gone is an error of its instance; the answer stays whole."""
    study = Study()
    good, bad = study.object(), study.object()
    world.house.imaging.store([[good], [bad]], CALLER)
    (row,) = [h for h in world.house.imaging.instances(CALLER, study.uid) if h.uid == sop_uid(bad)]
    world.house.repository._blobs.set_aside(row.sha256)
    asked = {study.uid: {study.series: [(MINE, sop_uid(good)), (MINE, sop_uid(bad))]}}
    answer = ask(world, retrieval(asked, EXPLICIT))
    assert answer.outcome == "PartialSuccess"
    assert [d[1] for d in answer.documents] == [sop_uid(good)]
    assert [(e.code, e.location) for e in answer.errors] == [("XDSRepositoryError", sop_uid(bad))]


def test_a_long_answer_is_never_held_whole(world: World) -> None:
    """The same large object many times over: 240 MB go out, in a small part of that."""
    study = Study()
    large = study.object(Rows=1024, Columns=1024, PixelData=bytes(2 * 2**20))
    world.house.imaging.store([[large]], CALLER)
    body = messages.envelope(RETRIEVE, retrieval({study.uid: {study.series: [(MINE, sop_uid(large))] * 120}}, EXPLICIT))
    headers, content = packaged(body)
    tracemalloc.start()
    with world.client.post("/xds/imaging", data=content, headers=headers, buffered=False) as response:
        size = sum(len(block) for block in response.response)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 120 * len(large)
    assert peak < 20 * 2**20


def test_a_rejected_instance_is_a_missing_document(world: World) -> None:
    """RAD TF-2, 4.66: it is told so, and the rest of its series goes out."""
    study = Study()
    kept, bad = study.object(InstanceNumber=1), study.object(InstanceNumber=2)
    rejected = note(study, SAFETY, bad)
    assert [o.finding for o in world.house.imaging.store([[kept], [bad], [rejected]], CALLER)] == [None] * 3
    asked = {study.uid: {study.series: [(MINE, sop_uid(kept)), (MINE, sop_uid(bad))]}}
    answer = ask(world, retrieval(asked, EXPLICIT))
    assert (answer.outcome, contents(answer)) == ("PartialSuccess", [kept])
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingDocument", sop_uid(bad))]
