"""C-STORE and C-ECHO on a running server, by dcmtk and pynetdicom, on both engines."""

import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
from dcmtk import ELSEWHERE, needed
from dimse_archive import Archive, ct, data_set_of, meta_of, new_uid
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import CTImageStorage

from profiles.composition import compose
from profiles.dimse import Actors
from profiles.faces.dimse import Peer, Service, Store
from profiles.settings import Settings
from registry.access import Caller

FIRST, SECOND = "1.2.752.129.2.1.3.1", "1.2.752.129.2.1.3.3"
OF_NO_PATIENT = ("1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.39", "1.2.840.10008.5.1.4.38")


def test_real_objects_of_many_syntaxes_come_back_byte_for_byte(archive: Archive) -> None:
    paths = sorted(Path(pydicom.data.__file__).parent.rglob("*.dcm"))
    files = [path.read_bytes() for path in paths if path.stat().st_size < 1_000_000]
    files = [renamed(file, number) for number, file in enumerate(files) if can_be_sent(file)]
    answers = []
    for start in range(0, len(files), 40):
        answers += archive.store(*files[start : start + 40])
    kept = set(archive.data_sets())
    stored = [file for file, answer in zip(files, answers, strict=True) if answer.Status == 0]
    assert len(stored) >= 50
    assert len({syntax_of(file) for file in stored}) >= 8
    assert all(data_set_of(file) in kept for file in stored)
    refused = [answer for answer in answers if answer.Status]
    assert {f"{answer.Status:04X}" for answer in refused} <= {"0111", "A900", "C000", "C001"}
    assert all(answer.ErrorComment for answer in refused)


def renamed(file: bytes, number: int) -> bytes:
    """The same file under an instance UID of its own: several of pydicom's files are encodings of one object."""
    uid = meta_of(file).MediaStorageSOPInstanceUID.encode()
    return file.replace(uid, uid[:-3] + str(100 + number).encode()) if len(uid) > 12 else file


def can_be_sent(file: bytes) -> bool:
    """Whether a sender can propose it: its head says what it is, and it is an object of a patient, and not deflated."""
    if file[128:132] != b"DICM":
        return False
    meta = meta_of(file)
    named = all(meta.get(keyword) for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"))
    syntax = meta.get("TransferSyntaxUID", DeflatedExplicitVRLittleEndian)
    return (
        named
        and syntax != DeflatedExplicitVRLittleEndian
        and not meta.MediaStorageSOPClassUID.startswith(OF_NO_PATIENT)
    )


def syntax_of(file: bytes) -> str:
    return str(meta_of(file).TransferSyntaxUID)


@needed
def test_dcmtk_verifies_and_stores(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct(new_uid()))
    for command in (["echoscu"], ["storescu"]):
        where = ["-aet", "MODALITY", "-aec", "OPENXDSI", "127.0.0.1", str(archive.port)]
        files = [str(tmp_path / "a.dcm")] if command[0] == "storescu" else []
        done = subprocess.run([*command, *where, *files], capture_output=True, text=True, env={"PATH": ELSEWHERE})
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_bytes_again_are_a_success_and_other_bytes_a_duplicate(archive: Archive) -> None:
    uid = new_uid()
    first, again, other = archive.store(ct(uid), ct(uid), ct(uid, InstanceNumber=77))
    assert (first.Status, again.Status, other.Status) == (0, 0, 0x0111)
    assert "other bytes" in other.ErrorComment


def test_a_data_set_of_another_name_than_its_command_is_refused(archive: Archive) -> None:
    file = ct(new_uid())
    stated = new_uid().ljust(len(new_uid()))
    data = pydicom.dcmread(BytesIO(file))
    data.file_meta.MediaStorageSOPInstanceUID = stated.strip()
    made = BytesIO()
    data.save_as(made, enforce_file_format=False)
    (answer,) = archive.store(made.getvalue())
    assert answer.Status == 0xA900
    assert answer.OffendingElement == 0x00080018


def test_what_is_no_data_set_is_refused_and_the_next_object_is_taken(archive: Archive) -> None:
    broken = ct(new_uid())[:-3]
    refused, taken = archive.store(broken, ct(new_uid()))
    assert (refused.Status, taken.Status) == (0xC000, 0)
    assert refused.ErrorComment


def test_deflated_objects_are_not_negotiated_and_private_classes_are(archive: Archive) -> None:
    asked = [
        build_context(CTImageStorage, DeflatedExplicitVRLittleEndian),
        build_context("1.2.3.4.5.6.7.8.9", ExplicitVRLittleEndian),
    ]
    with archive.association(*asked) as assoc:
        assert [context.abstract_syntax for context in assoc.accepted_contexts] == ["1.2.3.4.5.6.7.8.9"]


def test_a_peer_without_the_right_is_told_so(archive: Archive) -> None:
    (answer,) = archive.store(ct(new_uid()), title="READER")
    assert answer.Status == 0x0124


def test_patient_ids_of_a_peer_without_issuer_are_of_its_own_authority(sqlite: str, tmp_path: Path) -> None:
    domain = {"patient_authorities": (FIRST, SECOND)}
    house = compose(Settings.load(data=tmp_path, database_url=sqlite, affinity_domain=domain))
    uid = new_uid()
    peer = Peer("MODALITY", "OPENXDSI", "127.0.0.1", authority=SECOND)
    request = Store(peer, str(CTImageStorage), uid, str(ExplicitVRLittleEndian), [ct(uid)])
    actors = Actors(house)
    assert actors.answer(Service.STORE, str(CTImageStorage), request).code == 0
    (held,) = house.imaging.instances(Caller("", "", ""), f"{uid}.1")
    assert held.patient_id.endswith(f"&{SECOND}&ISO")
