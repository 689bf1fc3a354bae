"""Plain files as DICOM objects, through the form's door and the command."""

import io
import itertools
import shutil
import struct
import zlib
from functools import partial
from types import SimpleNamespace

import pydicom
import pytest
import requests
from click.testing import CliRunner
from PIL import Image
from wia_archive import AUTHORITY, running_archive

from profiles import commands

NUMBERS = itertools.count(191212121212)
CDA = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">'
    b'<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/><id extension="7" root="1.2.3.4"/>'
    b'<effectiveTime value="20240102030405+0100"/></ClinicalDocument>'
)
PDF = b"%PDF-1.7\nodd"
STL = bytes(80) + struct.pack("<I", 1) + bytes(50)
PLACE = "Vitsands sjukhus, rum 5"


@pytest.fixture(scope="module")
def shared(sqlite_template, tmp_path_factory):
    with running_archive(sqlite_template, tmp_path_factory.mktemp("wrapped")) as found:
        yield found


@pytest.fixture
def archive(shared):
    """The shared archive, with a patient of the test's own."""
    number = str(next(NUMBERS))
    return SimpleNamespace(url=shared.url, client=shared.client, patient=number, other=f"9{number}")


def held(archive):
    return archive.client.search_for_instances(search_filters={"PatientID": f"{archive.patient}"})


def picture(mode="RGB", size=(40, 24), format_="JPEG", orientation=None, **options):
    shown = Image.new(mode, size)
    shown.paste(shown.getpixel((0, 0)) if mode == "I;16" else "red" if mode in ("RGB", "RGBA") else 200, (0, 0, 20, 12))
    exif = Image.Exif()
    exif[0x010E] = PLACE
    exif[0x0132] = "2023:05:06 07:08:09"
    exif.get_ifd(0x8825)[1] = "N"
    if orientation:
        exif[0x0112] = orientation
    out = io.BytesIO()
    shown.save(out, format_, **({"exif": exif} if format_ == "JPEG" else {}), **options)
    return out.getvalue()


def post(archive, content, **context):
    given = {"patient": archive.patient, "accession": "A1"} | context
    return requests.post(
        f"{archive.url}/wrap",
        data={k: v for k, v in given.items() if v is not None},
        files={"file": content},
        timeout=20,
    )


def stored(archive, content, **context):
    """The object that was made of `content`."""
    answer = post(archive, content, **context)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    uids = (made["studyInstanceUID"], made["seriesInstanceUID"], made["sopInstanceUID"])
    return archive.client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))


@pytest.mark.parametrize(
    ("content", "name", "modality"),
    [
        (picture(), "VL Photographic Image Storage", "XC"),
        (picture(format_="PNG"), "VL Photographic Image Storage", "XC"),
        (PDF, "Encapsulated PDF Storage", "DOC"),
        (CDA, "Encapsulated CDA Storage", "DOC"),
        (STL, "Encapsulated STL Storage", "M3D"),
    ],
    ids=["jpeg", "png", "pdf", "cda", "stl"],
)
def test_each_kind_becomes_an_object_of_the_patient_and_is_found(archive, content, name, modality):
    made = stored(archive, content, name="Tolvansson^Tolvan", birth_date="19121212", sex="M", title="Övre del")
    assert (made.SOPClassUID.name, made.Modality, made.PatientID) == (name, modality, archive.patient)
    assert made.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == AUTHORITY
    assert (str(made.PatientName), made.SeriesDescription) == ("Tolvansson^Tolvan", "Övre del")
    (found,) = archive.client.search_for_studies(search_filters={"AccessionNumber": "A1", "PatientID": archive.patient})
    assert found["00080061"]["Value"] == [modality]
    again = stored(archive, content, name="Tolvansson^Tolvan", birth_date="19121212", sex="M", title="Övre del")
    assert again.SOPInstanceUID == made.SOPInstanceUID
    assert len(held(archive)) == 1


def test_a_document_stays_as_it_came(archive):
    made = stored(archive, PDF, title="Svar")
    assert (made.EncapsulatedDocument[: made.EncapsulatedDocumentLength], made.DocumentTitle) == (PDF, "Svar")
    made = stored(archive, CDA)
    assert (made.HL7InstanceIdentifier, made.ContentDate, made.ContentTime) == ("1.2.3.4^7", "20240102", "030405")


def test_an_upright_jpeg_keeps_its_very_samples_and_loses_what_the_camera_said(archive):
    original = picture()
    made = stored(archive, original + b"\xff\xd8trailer with a place")
    assert made.file_meta.TransferSyntaxUID.name == "JPEG Baseline (Process 1)"
    (frame,) = pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)
    assert PLACE.encode() not in frame
    assert b"trailer" not in frame
    assert Image.open(io.BytesIO(frame)).tobytes() == Image.open(io.BytesIO(original)).tobytes()
    assert (made.Rows, made.Columns, made.PhotometricInterpretation) == (24, 40, "YBR_FULL_422")
    assert (made.LossyImageCompression, made.ContentDate, made.ContentTime) == ("01", "20230506", "070809")
    assert made.StudyDate == "20230506"


def test_a_turned_jpeg_is_set_upright(archive):
    made = stored(archive, picture(orientation=6))
    assert (made.Rows, made.Columns, made.file_meta.TransferSyntaxUID) == (40, 24, "1.2.840.10008.1.2.1")
    assert made.LossyImageCompression == "01"
    red = made.pixel_array[5, 20]
    assert red[0] > 200 > 100 > red[2]


@pytest.mark.parametrize(
    ("mode", "samples", "bits"),
    [("L", 1, 8), ("1", 1, 8), ("P", 3, 8), ("RGB", 3, 8), ("RGBA", 3, 8), ("LA", 3, 8), ("I;16", 1, 16)],
)
def test_a_png_of_every_kind_is_kept_uncompressed(archive, mode, samples, bits):
    made = stored(archive, picture(mode, (5, 3), "PNG"))
    assert (made.SamplesPerPixel, made.BitsAllocated, made.LossyImageCompression) == (samples, bits, "00")
    assert made.pixel_array.shape[:2] == (3, 5)


@pytest.mark.parametrize("options", [{"progressive": True}, {"mode": "CMYK"}, {"mode": "L"}], ids=str)
def test_other_jpegs_are_read_too(archive, options):
    made = stored(archive, picture(**options))
    assert (made.Rows, made.Columns) == (24, 40)
    assert made.pixel_array.shape[:2] == (24, 40)


def test_it_joins_the_study_that_is_named_or_has_the_accession_number(archive):
    first = stored(archive, PDF)
    assert stored(archive, picture()).StudyInstanceUID == first.StudyInstanceUID
    named = stored(archive, CDA, study_uid="1.2.3.4.5", accession="B2")
    assert named.StudyInstanceUID == "1.2.3.4.5"
    assert stored(archive, STL, accession="B2").StudyInstanceUID == "1.2.3.4.5"
    other = stored(archive, PDF, patient=f"{archive.other}^^^&{AUTHORITY}&ISO")
    assert other.StudyInstanceUID != first.StudyInstanceUID


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side, data=b""):
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GIF89a", 415),
        (b"", 415),
        (b"<html>ClinicalDocument urn:hl7-org:v3</html>", 415),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + CDA[38:], 415),
        (STL + b"x", 415),
        (picture()[:300], 406),
        (b"\xff\xd8\xff" + bytes(50), 406),
        (b"\x89PNG\r\n\x1a\n", 406),
        (png_bomb(30_000, bytes(1 << 20)), 406),
        (png_bomb(2_000_000_000), 406),
        (png_bomb(100), 406),
    ],
)
def test_what_is_no_such_file_is_refused_and_nothing_is_kept(archive, content, status):
    assert post(archive, content).status_code == status
    assert held(archive) == []


@pytest.mark.parametrize(
    ("context", "where"),
    [
        ({"patient": None}, "patient"),
        ({"patient": "a^b"}, "patient"),
        ({"patient": "12*"}, "patient"),
        ({"accession": None}, "study"),
        ({"study_uid": "1.2.x"}, "study"),
        ({"modality": "not one"}, "modality"),
        ({"sex": "X"}, "sex"),
        ({"taken": "yesterday"}, "taken"),
        ({"birth_date": "1912"}, "birth_date"),
        ({"title": "a\\b"}, "title"),
        ({"title": "x" * 65}, "title"),
        ({"accession": "x" * 17}, "accession"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_one_fault_of_the_context_is_named(archive, context, where):
    answer = post(archive, PDF, **context)
    assert answer.status_code == 400
    assert where in answer.text
    assert held(archive) == []


def test_faults_are_told_at_once_and_a_form_must_be_one(archive):
    answer = post(archive, PDF, patient=None, accession=None, sex="X")
    assert all(where in answer.text for where in ("patient", "study", "sex"))
    for request in (
        {"data": b"x", "headers": {"Content-Type": "application/pdf"}},
        {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"data": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
        {"data": {"patient": archive.patient}, "files": {"other": PDF}},
        {"data": {"patient": "1" * 100_000}, "files": {"file": PDF}},
    ):
        assert requests.post(f"{archive.url}/wrap", timeout=10, **request).status_code in (400, 413, 415)


def test_a_file_that_is_too_large_is_refused(archive, monkeypatch):
    monkeypatch.setattr("repository.imaging.wrapping.MOST_BYTES", 1000)
    assert post(archive, PDF + bytes(1000)).status_code == 413
    monkeypatch.setattr("profiles.wia.wrap.MOST_BYTES", 0)
    assert post(archive, PDF + bytes(100_000)).status_code == 413
    assert held(archive) == []


def test_the_command_says_what_was_made(sqlite_template, tmp_path):
    for file in sqlite_template.parent.glob(f"{sqlite_template.name}*"):
        shutil.copy(file, tmp_path / file.name.replace(sqlite_template.name, "registry.sqlite"))
    (tmp_path / "one.pdf").write_bytes(PDF)
    run = partial(CliRunner().invoke, commands.wrap)
    arguments = [str(tmp_path / "one.pdf"), "--data", str(tmp_path), "--patient", "191212121212"]
    done = [run([*arguments, "--accession", "A1", "--title", "Svar"]) for _ in range(2)]
    assert [one.exit_code for one in done] == [0, 0], done[0].output
    assert done[0].output == done[1].output
    assert done[0].output.startswith("The PDF is instance 1.2.752.")
    refused = run([*arguments, "--sex", "X"])
    assert (refused.exit_code, "sex" in refused.output, "accession number" in refused.output) == (1, True, True)


def test_another_patients_study_is_not_joined(archive):
    stored(archive, PDF, study_uid="1.2.3.4.6")
    answer = post(archive, CDA, study_uid="1.2.3.4.6", patient=archive.other)
    assert answer.status_code >= 400
    assert len(held(archive)) == 1
