"""C-FIND, C-MOVE and C-GET as values: what is asked, what is refused and how, and what is given back."""

import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from profiles.composition import compose
from profiles.dicom import get_images, move_images, query_images
from profiles.faces.dimse import Find, Peer, Refused, Retrieve
from profiles.settings import Settings
from registry.access import Caller, Visibility
from registry.metadata.errors import Rejected

FIRST, SECOND = "1.2.752.129.2.1.3.1", "1.2.752.129.2.1.3.3"
OURS, THEIRS, NEXT = "1.2.3.4.10", "1.2.3.4.20", "1.2.3.4.30"
NUMBER = "4711"
PEER = Peer("WORKSTATION", "OPENXDSI", "127.0.0.1")
CALLER = Caller("WORKSTATION", "127.0.0.1", "RAD-14")
PATIENT_ROOT, STUDY_ROOT = PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelFind


def file(study: str, series: int = 1, number: int = 1, issuer: str = "", **attributes: str) -> bytes:
    data = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{study}.{series}"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{study}.{series}.{number}"
    data.PatientID, data.PatientName, data.SpecificCharacterSet = NUMBER, "Our^Own", "ISO_IR 192"
    data.SeriesNumber, data.InstanceNumber, data.AccessionNumber, data.StudyDate = series, number, "A1", "20240101"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    if issuer:
        qualifiers = Dataset()
        qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType = issuer, "ISO"
        data.IssuerOfPatientIDQualifiersSequence = [qualifiers]
    made = BytesIO()
    data.save_as(made)
    return made.getvalue()


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory):
    """Patient 4711 of one hospital with two series, and patient 4711 of another with two studies."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(sqlite_template, folder / "registry.sqlite")
    settings = Settings(
        data=folder,
        affinity_domain={"patient_authorities": (FIRST, SECOND)},
        limits={"find_matches": 3},
        dimse={"peers": {"WORKSTATION": {"host": "127.0.0.1", "port": 11112}, "SILENT": {}}},
    )
    house = compose(settings)
    files = [
        file(OURS),
        file(OURS, 1, 2),
        file(OURS, 2, 1, Modality="MR"),
        file(THEIRS, 1, 1, SECOND, PatientName="Öberg^Åsa", StudyDate="20240102"),
        file(NEXT, 1, 1, SECOND, PatientName="Öberg^Åsa", StudyDate="20240103", AccessionNumber="A2"),
    ]
    outcomes = house.imaging.store(([each] for each in files), CALLER)
    assert [outcome.finding for outcome in outcomes] == [None] * 5
    return house


def identifier(level: str, **keys):
    data = Dataset()
    if level:
        data.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(data, keyword, value)
    return data.to_json_dict()


def asked(house, level, root=STUDY_ROOT, *, peer=PEER, cancelled=lambda: False, **keys):
    """The matches, and the final status."""
    found = []
    try:
        question = query_images.decode(Find(peer, root, identifier(level, **keys), cancelled))
        for match in query_images.encode(query_images.handle(question, house, CALLER)):
            found.append(match)
    except Refused as refused:
        return found, refused.status
    return found, None


def values(matches, tag="0020000D"):
    return [match.identifier[tag].get("Value", [None])[0] for match in matches]


# --- C-FIND ---


@pytest.mark.parametrize(
    ("root", "level", "keys", "tag", "expected"),
    [
        (STUDY_ROOT, "STUDY", {"AccessionNumber": "A2"}, "0020000D", [NEXT]),
        (STUDY_ROOT, "STUDY", {"StudyDate": "20240102-20240103"}, "0020000D", [NEXT, THEIRS]),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": [OURS, NEXT]}, "0020000D", [NEXT, OURS]),
        (STUDY_ROOT, "STUDY", {"PatientName": "öBERG*"}, "0020000D", [NEXT, THEIRS]),
        (STUDY_ROOT, "STUDY", {"PatientID": "471?"}, "0020000D", [NEXT, THEIRS, OURS]),
        (STUDY_ROOT, "STUDY", {"PatientID": NUMBER, "ModalitiesInStudy": "MR"}, "0020000D", [OURS]),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": OURS}, "0020000E", [f"{OURS}.1", f"{OURS}.2"]),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": OURS, "Modality": "MR"}, "0020000E", [f"{OURS}.2"]),
        (
            STUDY_ROOT,
            "IMAGE",
            {"StudyInstanceUID": OURS, "SeriesInstanceUID": f"{OURS}.1"},
            "00080018",
            [f"{OURS}.1.1", f"{OURS}.1.2"],
        ),
        (PATIENT_ROOT, "PATIENT", {"PatientID": NUMBER}, "00100020", [NUMBER]),
        (PATIENT_ROOT, "PATIENT", {"PatientName": "O*r*"}, "00100010", [{"Alphabetic": "Our^Own"}]),
        (PATIENT_ROOT, "STUDY", {"PatientID": NUMBER}, "0020000D", [OURS]),
        (PATIENT_ROOT, "SERIES", {"PatientID": NUMBER, "StudyInstanceUID": NEXT}, "0020000E", [f"{NEXT}.1"]),
    ],
)
def test_what_is_asked_is_found(house, root, level, keys, tag, expected):
    unique = {"SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID", "STUDY": "StudyInstanceUID"}
    keys = {unique.get(level, "PatientID"): "", **keys}
    found, status = asked(house, level, root, **keys)
    assert (values(found, tag), status) == (expected, None)


def test_an_answer_has_the_keys_asked_for_and_no_more(house):
    found, _ = asked(
        house, "STUDY", StudyInstanceUID=OURS, PatientName="", NumberOfStudyRelatedInstances="", StudyID=""
    )
    keys = {"0020000D", "00100010", "00201208", "00200010", "00080052", "00080054", "00080056"}
    assert found[0].identifier.keys() == keys
    assert values(found, "00201208") == [3]
    assert values(found, "00080054") == ["OPENXDSI"]
    assert not found[0].unsupported


@pytest.mark.parametrize(("study", "expected"), [(OURS, None), (THEIRS, ["ISO_IR 192"])])
def test_an_answer_says_utf_8_where_it_is_more_than_ascii(house, study, expected):
    found, _ = asked(house, "STUDY", StudyInstanceUID=study, PatientName="")
    assert found[0].identifier.get("00080005", {}).get("Value") == expected


@pytest.mark.parametrize(
    ("keys", "unsupported"),
    [
        ({"PatientComments": "x"}, True),
        ({"Modality": ""}, True),
        ({"StationName": ""}, True),
        ({"PatientComments": "*"}, False),
        ({"StudyDescription": ""}, False),
        ({"ModalitiesInStudy": "", "SOPClassesInStudy": ""}, False),
    ],
)
def test_keys_that_are_not_supported_are_said_to_be(house, keys, unsupported):
    found, status = asked(house, "STUDY", StudyInstanceUID=OURS, **keys)
    assert ([match.unsupported for match in found], status) == ([unsupported], None)


@pytest.mark.parametrize(
    ("authority", "expected"), [("", [OURS]), (FIRST, [OURS]), (SECOND, [NEXT, THEIRS]), ("1.2.3.99", [])]
)
def test_a_bare_number_is_of_the_peers_own_authority(house, authority, expected):
    found, _ = asked(
        house, "STUDY", PATIENT_ROOT, peer=replace(PEER, authority=authority), PatientID=NUMBER, StudyInstanceUID=""
    )
    assert values(found) == expected


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({}, True),
        ({"PatientName": "*"}, True),
        ({"PatientName": "?*"}, True),
        ({"PatientName": "a*"}, True),
        ({"PatientID": "**"}, True),
        ({"ModalitiesInStudy": "CT"}, True),
        ({"StudyTime": "0000-2359"}, True),
        ({"PatientName": "ou*"}, False),
        ({"StudyDate": "20240101-"}, False),
    ],
)
def test_a_question_must_name_something(house, keys, refused):
    found, status = asked(house, "STUDY", StudyInstanceUID="", **keys)
    assert (status is not None) is refused
    assert not status or (status.code, found, "patient" in status.comment) == (0xA700, [], True)


def test_an_answer_that_is_cut_says_so_at_its_end(house):
    found, status = asked(house, "IMAGE", StudyInstanceUID=OURS, SeriesInstanceUID=f"{OURS}.1")
    assert (len(found), status) == (2, None)
    house.imaging.store(([file(OURS, 1, number)] for number in (3, 4)), CALLER)
    found, status = asked(house, "IMAGE", StudyInstanceUID=OURS, SeriesInstanceUID=f"{OURS}.1")
    assert (len(found), status.code, "More than 3" in status.comment) == (3, 0xA700, True)


def test_a_cancelled_question_ends(house):
    found, status = asked(house, "STUDY", StudyInstanceUID=[OURS, NEXT], cancelled=iter([False, True]).__next__)
    assert (len(found), status.code) == (1, 0xFE00)


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")
@pytest.mark.parametrize(
    ("root", "level", "keys", "words"),
    [
        (STUDY_ROOT, "", {"StudyInstanceUID": OURS}, "Level"),
        (STUDY_ROOT, "PATIENT", {"PatientID": NUMBER}, "Level"),
        (STUDY_ROOT, "FRAME", {"PatientID": NUMBER}, "Level"),
        (STUDY_ROOT, "SERIES", {"PatientID": NUMBER}, "StudyInstanceUID"),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": [OURS, NEXT]}, "StudyInstanceUID"),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": OURS}, "SeriesInstanceUID"),
        (PATIENT_ROOT, "STUDY", {"StudyInstanceUID": OURS}, "PatientID"),
        (PATIENT_ROOT, "STUDY", {"PatientID": "47*"}, "PatientID"),
        (STUDY_ROOT, "STUDY", {"StudyTime": "noon"}, "StudyTime"),
    ],
)
def test_an_identifier_that_breaks_the_model_is_refused_in_words(house, root, level, keys, words):
    found, status = asked(house, level, root, **keys)
    assert (found, status.code) == ([], 0xA900)
    assert words in status.comment


# --- C-MOVE and C-GET ---

MOVES = {True: PatientRootQueryRetrieveInformationModelMove, False: StudyRootQueryRetrieveInformationModelMove}
GETS = {True: PatientRootQueryRetrieveInformationModelGet, False: StudyRootQueryRetrieveInformationModelGet}


def retrieved(house, level, destination="WORKSTATION", *, root=False, peer=PEER, **keys):
    models, door = (MOVES, move_images) if destination else (GETS, get_images)
    request = Retrieve(peer, models[root], identifier(level, **keys), destination, lambda: False)
    return door.encode(door.handle(door.decode(request), house, CALLER))


@pytest.mark.parametrize("destination", ["WORKSTATION", ""])
@pytest.mark.parametrize(
    ("root", "level", "keys", "expected"),
    [
        (False, "STUDY", {"StudyInstanceUID": THEIRS}, [f"{THEIRS}.1.1"]),
        (False, "STUDY", {"StudyInstanceUID": [THEIRS, NEXT]}, [f"{THEIRS}.1.1", f"{NEXT}.1.1"]),
        (False, "SERIES", {"StudyInstanceUID": OURS, "SeriesInstanceUID": f"{OURS}.2"}, [f"{OURS}.2.1"]),
        (
            False,
            "IMAGE",
            {
                "StudyInstanceUID": OURS,
                "SeriesInstanceUID": f"{OURS}.1",
                "SOPInstanceUID": [f"{OURS}.1.2", f"{OURS}.2.1", f"{OURS}.1.1"],
            },
            [f"{OURS}.1.2", f"{OURS}.1.1"],
        ),
        (False, "STUDY", {"StudyInstanceUID": "1.2.3.99"}, []),
        (True, "STUDY", {"PatientID": "other", "StudyInstanceUID": OURS}, []),
        (True, "STUDY", {"PatientID": NUMBER, "StudyInstanceUID": NEXT}, [f"{NEXT}.1.1"]),
    ],
)
def test_the_objects_that_are_named_are_sent(house, destination, root, level, keys, expected):
    found = retrieved(house, level, destination, root=root, **keys)
    assert [each.sop_instance_uid for each in found.instances] == expected
    assert (found.destination and found.destination.port) == (11112 if destination else None)


def test_a_patients_objects_are_those_of_the_peers_own_patient(house):
    found = retrieved(house, "PATIENT", root=True, peer=replace(PEER, authority=SECOND), PatientID=NUMBER)
    assert {each.sop_instance_uid for each in found.instances} == {f"{THEIRS}.1.1", f"{NEXT}.1.1"}


@pytest.mark.parametrize("destination", ["ELSEWHERE", "SILENT", "workstation"])
def test_nothing_goes_to_a_destination_that_is_not_configured(house, destination):
    with pytest.raises(Refused) as caught:
        retrieved(house, "STUDY", destination, StudyInstanceUID=OURS)
    assert caught.value.status.code == 0xA801


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("STUDY", {"StudyInstanceUID": OURS, "Modality": "MR"}),
        ("STUDY", {"StudyInstanceUID": OURS, "PatientComments": "x"}),
        ("IMAGE", {"SOPInstanceUID": f"{OURS}.1.1"}),
        ("PATIENT", {"PatientID": NUMBER}),
    ],
)
def test_a_retrieve_that_could_send_more_than_was_asked_for_is_refused(house, level, keys):
    with pytest.raises(Refused) as caught:
        retrieved(house, level, **keys)
    assert caught.value.status.code == 0xA900


def test_the_receiver_decides_what_may_be_sent(house, monkeypatch):
    class ForTheReceiver:
        def visibility(self, caller):
            return Visibility(frozenset({f"{NUMBER}^^^&{FIRST}&ISO"}) if caller.address == "127.0.0.1" else None)

    kept = []
    monkeypatch.setattr(type(house.audit), "keep", lambda _, record: kept.append(record))
    narrow = replace(house, policy=ForTheReceiver())
    assert not retrieved(narrow, "STUDY", StudyInstanceUID=THEIRS).instances
    assert len(retrieved(narrow, "STUDY", StudyInstanceUID=OURS).instances) >= 3
    assert [record.caller.name for record in kept if record.detail == "C-MOVE"] == ["WORKSTATION"] * 2
    assert kept[-1].objects == (OURS,)


def test_an_object_is_read_as_it_is_held_where_that_is_taken(house):
    (instance,) = retrieved(house, "STUDY", StudyInstanceUID=NEXT).instances
    syntax, pieces = instance.read([str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian)])
    held = file(NEXT, 1, 1, SECOND, PatientName="Öberg^Åsa", StudyDate="20240103", AccessionNumber="A2")
    assert (syntax, b"".join(pieces)[128:]) == (ExplicitVRLittleEndian, held[128:])
    syntax, pieces = instance.read([str(ImplicitVRLittleEndian)])
    other = pydicom.dcmread(BytesIO(b"".join(pieces)))
    assert (syntax, other.file_meta.TransferSyntaxUID) == (ImplicitVRLittleEndian, ImplicitVRLittleEndian)
    with pytest.raises(Rejected, match="transfer syntaxes"):
        instance.read([str(JPEGBaseline8Bit)])
