"""C-FIND, C-MOVE and C-GET on associations, asked by dcmtk and pynetdicom, and sent to storage providers of both."""

import socket
import subprocess
from contextlib import closing

import pydicom
import pytest
from asking import MIXED, NAMED, OTHER, SECOND, SOURCES, data_set_of, dcmtk, identifier
from dcmtk import needed, program
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from region import eventually

# --- C-FIND ---


@needed
@pytest.mark.parametrize(
    ("model", "keys", "tag", "expected"),
    [
        ("-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "AccessionNumber=A1"], "StudyInstanceUID", [MIXED]),
        (
            "-S",
            ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={MIXED}\\{OTHER}", "StudyDate=20240101-"],
            "StudyInstanceUID",
            [MIXED, OTHER],
        ),
        (
            "-S",
            ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={MIXED}", f"SeriesInstanceUID={MIXED}.1", "SOPInstanceUID"],
            "SOPInstanceUID",
            list(SOURCES),
        ),
        ("-P", ["QueryRetrieveLevel=PATIENT", "PatientID", "PatientName=our*"], "PatientName", ["Our^Own"]),
    ],
)
def test_dcmtk_finds(archive, tmp_path, model, keys, tag, expected):
    said = dcmtk("findscu", archive, model, *(part for key in keys for part in ("-k", key)), "-X", "-od", str(tmp_path))
    found = [pydicom.dcmread(each, force=True) for each in sorted(tmp_path.glob("rsp*.dcm"))]
    assert sorted(str(each[tag].value) for each in found) == expected, said
    assert "Success" in said


@needed
@pytest.mark.parametrize(
    ("keys", "title", "words"),
    [
        (["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName=*"], "WORKSTATION", "OutOfResources"),
        (["QueryRetrieveLevel=SERIES", "SeriesInstanceUID"], "WORKSTATION", "Error"),
        (["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={MIXED}"], "DEAF", "0x124"),
    ],
)
def test_dcmtk_is_refused(archive, keys, title, words):
    said = dcmtk("findscu", archive, "-S", *(part for key in keys for part in ("-k", key)), title=title)
    assert words in said
    assert "Pending" not in said


@pytest.mark.parametrize(("title", "expected"), [("WORKSTATION", {MIXED}), ("SOUTH", {NAMED, OTHER})])
def test_the_same_number_is_another_patient_to_another_peer(associate, title, expected):
    association, _ = associate(PatientRootQueryRetrieveInformationModelFind, title=title)
    asked = identifier("STUDY", PatientID="4711", StudyInstanceUID="")
    answers = list(association.send_c_find(asked, PatientRootQueryRetrieveInformationModelFind))
    assert {found.StudyInstanceUID for _, found in answers[:-1]} == expected
    assert [status.Status for status, _ in answers] == [0xFF00] * len(expected) + [0]


def test_a_name_in_another_character_set_is_found_and_answered_in_utf_8(associate):
    association, _ = associate(StudyRootQueryRetrieveInformationModelFind)
    asked = identifier("STUDY", SpecificCharacterSet="ISO_IR 100", PatientName="Ö*", AccessionNumber="A2")
    asked.StationName = ""
    answers = list(association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind))
    assert [status.Status for status, _ in answers] == [0xFF01, 0xFF01, 0]
    assert answers[0][1].SpecificCharacterSet == "ISO_IR 192"
    assert str(answers[0][1].PatientName) == "Öberg^Åsa"


def test_an_answer_of_ascii_alone_names_no_character_set(associate):
    association, _ = associate(StudyRootQueryRetrieveInformationModelFind)
    asked = identifier("STUDY", PatientName="", StudyInstanceUID=MIXED)
    found = next(iter(association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)))[1]
    assert "SpecificCharacterSet" not in found


def test_why_a_question_is_refused_is_said(associate):
    association, _ = associate(StudyRootQueryRetrieveInformationModelFind)
    ((status, _),) = association.send_c_find(
        identifier("IMAGE", StudyInstanceUID=MIXED), StudyRootQueryRetrieveInformationModelFind
    )
    assert (status.Status, status.OffendingElement) == (0xA900, 0x0020000E)
    assert "SeriesInstanceUID" in status.ErrorComment


# --- C-MOVE ---


@needed
def test_dcmtk_moves_to_dcmtk_byte_for_byte(archive, tmp_path):
    """Every object in the transfer syntax that it is held in: the provider takes all."""
    receiver = subprocess.Popen(
        [program("storescp"), "-aet", "DCMTK", "+xa", "+B", "-od", str(tmp_path), str(archive.received)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _listens(archive.received), "storescp listens")
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={MIXED}")
        said = dcmtk("movescu", archive, "-S", "-aem", "DCMTK", *keys)
    finally:
        receiver.terminate()
        receiver.wait(10)
    held = {uid: data_set_of(data) for uid, data in archive.files.items() if uid in SOURCES}
    got = {uid: data_set_of(path.read_bytes()) for path in tmp_path.iterdir() for uid in SOURCES if uid in path.name}
    assert got == held, said
    assert "Success" in said


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@needed
@pytest.mark.parametrize("destination", ["NOBODY", "WORKSTATION"])
def test_dcmtk_cannot_move_to_a_destination_that_is_not_configured(archive, destination):
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={MIXED}")
    assert "MoveDestinationUnknown" in dcmtk("movescu", archive, "-S", "-aem", destination, *keys)


def move(association, destination: str, **keys: object) -> list[tuple[Dataset, Dataset]]:
    model = StudyRootQueryRetrieveInformationModelMove
    return list(association.send_c_move(identifier(**keys), destination, model))


def test_what_a_destination_does_not_take_is_decoded_or_counted_as_failed(associate, plain):
    plain.taken.clear()
    association, _ = associate(StudyRootQueryRetrieveInformationModelMove)
    answers = move(association, "PLAIN", level="STUDY", StudyInstanceUID=MIXED)
    last, failed = answers[-1]
    assert last.Status == 0xB000
    counts = (last.NumberOfCompletedSuboperations, last.NumberOfFailedSuboperations)
    assert (counts, failed.FailedSOPInstanceUIDList) == ((3, 1), f"{MIXED}.1.4")
    assert [status.NumberOfRemainingSuboperations for status, _ in answers[:-1]] == [3, 2, 1]
    assert plain.taken.keys() == {f"{MIXED}.1.{n}" for n in (1, 2, 3)}
    decoded = plain.taken[f"{MIXED}.1.2"]
    assert decoded.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert len(decoded.PixelData) == decoded.Rows * decoded.Columns * 3 * 2


@pytest.mark.parametrize(
    ("destination", "study", "status", "failed"),
    [("GONE", NAMED, 0xA702, 1), ("PLAIN", "1.2.3.99", 0x0000, 0), ("NOBODY", NAMED, 0xA801, None)],
)
def test_a_move_that_sends_nothing_says_why(associate, destination, study, status, failed):
    association, _ = associate(StudyRootQueryRetrieveInformationModelMove)
    ((last, _),) = move(association, destination, level="STUDY", StudyInstanceUID=study)
    assert (last.Status, last.get("NumberOfFailedSuboperations")) == (status, failed)


def test_a_cancelled_move_ends_with_what_remains(archive, associate, plain):
    association, _ = associate(StudyRootQueryRetrieveInformationModelMove)
    plain.free.clear()
    plain.asked.clear()
    answers = association.send_c_move(
        identifier("STUDY", StudyInstanceUID=MIXED), "PLAIN", StudyRootQueryRetrieveInformationModelMove, msg_id=7
    )
    assert plain.asked.wait(20)
    association.send_c_cancel(7, query_model=StudyRootQueryRetrieveInformationModelMove)
    serving = archive.acceptors._ae.active_associations
    try:
        eventually(lambda: any(each.dimse.cancel_req for each in serving), "the cancel has come")
    finally:
        plain.free.set()
    last, _ = list(answers)[-1]
    assert (last.Status, last.NumberOfCompletedSuboperations) == (0xFE00, 1)
    assert last.NumberOfRemainingSuboperations == 3


def test_who_receives_is_on_record_with_who_asked(archive, associate, monkeypatch):
    kept = []
    monkeypatch.setattr(type(archive.house.audit), "keep", lambda _, record: kept.append(record))
    association, _ = associate(StudyRootQueryRetrieveInformationModelMove)
    move(association, "PLAIN", level="STUDY", StudyInstanceUID=NAMED)
    assert [(record.caller.name, record.objects[0]) for record in kept] == [("WORKSTATION", NAMED), ("PLAIN", NAMED)]
    assert {record.patients for record in kept} == {(f"4711^^^&{SECOND}&ISO",)}


# --- C-GET ---


@needed
def test_dcmtk_gets_on_its_own_association(archive, tmp_path):
    keys = ("-k", "QueryRetrieveLevel=IMAGE", "-k", f"StudyInstanceUID={MIXED}", "-k", f"SeriesInstanceUID={MIXED}.1")
    keys += ("-k", f"SOPInstanceUID={MIXED}.1.1\\{MIXED}.1.4")
    said = dcmtk("getscu", archive, "-S", "+B", "-od", str(tmp_path), *keys)
    got = {uid: data_set_of(path.read_bytes()) for path in tmp_path.iterdir() for uid in SOURCES if uid in path.name}
    assert got == {uid: data_set_of(archive.files[uid]) for uid in (f"{MIXED}.1.1", f"{MIXED}.1.4")}, said


def test_an_object_is_decoded_for_who_gets_it_plain(associate):
    classes = (CTImageStorage, SecondaryCaptureImageStorage)
    association, taken = associate(StudyRootQueryRetrieveInformationModelGet, gets=classes)
    answers = list(
        association.send_c_get(identifier("STUDY", StudyInstanceUID=MIXED), StudyRootQueryRetrieveInformationModelGet)
    )
    last, failed = answers[-1]
    assert (last.Status, last.NumberOfFailedSuboperations) == (0xB000, 1)
    assert failed.FailedSOPInstanceUIDList == f"{MIXED}.1.4"
    assert taken.keys() == {f"{MIXED}.1.{n}" for n in (1, 2, 3)}


def test_who_may_not_retrieve_gets_nothing(associate):
    association, taken = associate(StudyRootQueryRetrieveInformationModelGet, title="DEAF", gets=(CTImageStorage,))
    asked = identifier("STUDY", StudyInstanceUID=NAMED)
    ((status, _),) = association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet)
    assert (status.Status, taken) == (0x0124, {})
