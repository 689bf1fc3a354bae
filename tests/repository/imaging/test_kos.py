import io
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pydicom
import pytest
from dicom_samples import CT, data_set, element, part10, scanned, sequence
from pydicom.uid import KeyObjectSelectionDocumentStorage

from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription
from repository.imaging.codes import Kind
from repository.imaging.kos_builder import build_manifest, value_type
from repository.imaging.kos_reader import is_manifest, manifest_of, read_manifest

DCM = "1.2.840.10008.2.16.4"
SR, ECG = "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.9.1.1"
NOW = datetime(2026, 11, 24, 1, 30, 5, tzinfo=timezone(timedelta(hours=1)))
PATIENT = PatientDetails(
    patient_id="197705301234^^^&1.2.752.129.2.1.3.1&ISO",
    family="Ångström",
    given="Eva Maria",
    birth_date="19770530",
    sex="F",
    source_patient_id="A-17^^^&1.2.3.7&ISO",
)
STUDY = StudyDescription(
    uid="1.2.3.4",
    source="1.2.3.99",
    started="20261123233000",
    description="CT buk",
    accessions=(("ACC1", "1.2.3.8"), ("ACC2", "")),
    orders=(("ORD1", "1.2.3.9"),),
    procedure_codes=(Code("24627-2", "2.16.840.1.113883.6.1", "CT"),),
    referrer="Berg^Bo",
    institution="Sjukhuset",
    series=(
        Series("1.2.3.4.1", instances=(Instance(CT, "1.2.3.4.1.1"), Instance(CT, "1.2.3.4.1.2"))),
        Series("1.2.3.4.2", instances=(Instance(SR, "1.2.3.4.2.1"), Instance(ECG, "1.2.3.4.2.2"))),
    ),
)


def built(study=STUDY, patient=PATIENT, **other):
    settings = {
        "sop_instance_uid": "1.2.3.4.9.1",
        "series_instance_uid": "1.2.3.4.9",
        "patient": patient,
        "retrieve_location_uid": "1.2.3.99",
        "retrieve_url": "https://images.example/dicomweb",
        "now": NOW,
    }
    return build_manifest(study, **settings | other)


def reread(data):
    return read_manifest(io.BytesIO(data), len(data))


# ---- built and read again ----------------------------------------------------------------------------------------


def test_a_built_manifest_reads_back_as_what_it_was_built_from():
    found = reread(built())
    where = {"retrieve_location_uid": "1.2.3.99", "retrieve_url": "https://images.example/dicomweb"}
    expected = replace(STUDY, series=tuple(replace(s, **where) for s in STUDY.series))
    assert (found.kind, found.is_manifest, found.withdraws, found.findings) == (Kind.MANIFEST, True, False, ())
    assert found.title == Code("113030", DCM, "Manifest")
    assert found.studies == (expected,)
    assert found.patient == replace(PATIENT, patient_id=PATIENT.source_patient_id)
    assert found.content_time == "20261124003005"
    assert found.sop_instance_uid == "1.2.3.4.9.1"
    assert is_manifest(scanned(built()))


def test_the_same_study_gives_the_same_bytes():
    assert built() == built()


@pytest.mark.parametrize("command", ["dcmdump", "dsrdump"])
def test_dcmtk_reads_it_without_a_complaint(tmp_path, command):
    program = shutil.which(command)
    if program is None:
        pytest.skip(f"{command} of dcmtk is not installed")
    path = tmp_path / "manifest.dcm"
    path.write_bytes(built())
    done = subprocess.run([program, str(path)], capture_output=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if not line.startswith(b"W: ")]) == (0, [])


def test_it_is_what_the_standard_asks_for():
    found = pydicom.dcmread(io.BytesIO(built()))
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (found.Modality, found.SpecificCharacterSet, found.TimezoneOffsetFromUTC) == ("KO", "ISO_IR 192", "+0100")
    assert (found.StudyDate, found.StudyTime) == ("20261124", "003000")
    for type_2 in ("ReferencedPerformedProcedureStepSequence", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
        assert type_2 in found
    assert (found.ValueType, found.ContinuityOfContent) == ("CONTAINER", "SEPARATE")
    assert found.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    assert [i.ValueType for i in found.ContentSequence] == ["IMAGE", "IMAGE", "COMPOSITE", "WAVEFORM"]
    assert [i.PatientID for i in found.OtherPatientIDsSequence] == ["A-17", "197705301234"]
    assert [i.AccessionNumber for i in found.ReferencedRequestSequence] == ["ACC1", "ACC2"]
    assert found.AccessionNumber == ""
    assert found.ProcedureCodeSequence[0].CodingSchemeDesignator == "LN"


def test_one_accession_number_stands_at_the_study_too():
    found = pydicom.dcmread(io.BytesIO(built(replace(STUDY, accessions=STUDY.accessions[:1]))))
    assert found.AccessionNumber == "ACC1"
    assert found.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.3.8"


def test_a_study_of_which_little_is_known():
    found = reread(built(StudyDescription("1.2.3.4", "1.2.3.99", series=STUDY.series), PatientDetails("")))
    assert found.studies[0].started is None
    assert found.studies[0].accessions == ()
    assert [f.where for f in found.findings] == ["(0010,0020)"]


def test_a_study_without_instances_is_withdrawn():
    found = reread(built(replace(STUDY, series=())))
    assert found.withdraws
    assert [f.where for f in found.findings] == ["(0040,A375)"]


def test_separators_in_a_name_stay_within_their_component():
    found = reread(built(patient=replace(PATIENT, family="A^B=C\\D")))
    assert (found.patient.family, found.patient.given) == ("A B C D", "Eva Maria")


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        (CT, "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "WAVEFORM"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "COMPOSITE"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "COMPOSITE"),
        (KeyObjectSelectionDocumentStorage, "COMPOSITE"),
        ("1.2.3.4", "COMPOSITE"),
    ],
)
def test_content_items_point_by_the_kind_of_object(uid, expected):
    assert value_type(uid) == expected


# ---- manifests of others -----------------------------------------------------------------------------------------


def code(tag, value, scheme="DCM", meaning="?"):
    return sequence(
        tag,
        element(0x00080100, "SH", value) + element(0x00080102, "SH", scheme) + element(0x00080104, "LO", meaning),
    )


def content(value_type, concept, value=b"", children=b""):
    """A content item; the trial's codes carry the trial's scheme."""
    name = code(0x0040A043, concept, "99IHE" if concept.startswith("MADO") else "DCM")
    return element(0x0040A040, "CS", value_type) + name + value + children


def reference(uid):
    return sequence(0x00081199, element(0x00081150, "UI", CT) + element(0x00081155, "UI", uid))


def children(*items):
    return sequence(0x0040A730, *items)


def document(*tree, title=("113030", "DCM", "Manifest"), series=b"", uri=b"", listed=("1.1", "1.2"), location="1.2.9"):
    references = (element(0x00081150, "UI", CT) + element(0x00081155, "UI", uid) for uid in listed)
    one = sequence(0x00081199, *references) + element(0x0020000E, "UI", "1.5") + element(0x0040E011, "UI", location)
    evidence = uri + sequence(0x00081115, one) + element(0x0020000D, "UI", "1.2.3.4")
    data = data_set(
        between=element(0x00080201, "SH", "+0100") + element(0x00100020, "LO", "17"),
        after=code(0x0040A043, *title) + sequence(0x0040A375, evidence) + children(*tree),
    ).replace(element(0x00080016, "UI", CT), element(0x00080016, "UI", KeyObjectSelectionDocumentStorage), 1)
    return manifest_of(scanned(part10(data).replace(element(0x00020002, "UI", CT), b"", 1).replace(LENGTH, SHORTER, 1)))


FULL = part10(b"")
LENGTH = FULL[132:144]
SHORTER = element(0x00020000, "UL", (len(FULL) - 144 - len(element(0x00020002, "UI", CT))).to_bytes(4, "little"))
BOTH = (
    element(0x0040A040, "CS", "IMAGE") + reference("1.1"),
    element(0x0040A040, "CS", "IMAGE") + reference("1.2"),
)


def library(*, trial, beside):
    """An image library of one series, in the codes of the trial or the final ones, numbers beside or under images."""
    final = ("131563", "131561", "131562", "131564")
    told = ("MADOTEMP002", "MADOTEMP003", "MADOTEMP004", "MADOTEMP007") if trial else final
    count = element(0x0040A160, "UT", '(2, UCUM, "instances")')
    if not trial:
        count = sequence(0x0040A300, element(0x0040A30A, "DS", "2"))
    entries = []
    for number, uid in (("3", "1.1"), ("4", "1.2")):
        numbered = content("TEXT", "113609", element(0x0040A160, "UT", number))
        framed = content("NUM", "121140", sequence(0x0040A300, element(0x0040A30A, "DS", "10")))
        image = reference(uid) + element(0x0040A040, "CS", "IMAGE")
        entries += [numbered, framed, image] if beside else [image + children(numbered, framed)]
    group = children(
        content("CODE", "121139", code(0x0040A168, "CT")),
        content("CODE", "123014", code(0x0040A168, "38266002", "DCM", "Entire body")),
        content("TEXT", told[0], element(0x0040A160, "UT", "Thin slices")),
        content("DATE", told[1], element(0x0040A121, "DA", "20260601")),
        content("TIME", told[2], element(0x0040A122, "TM", "003000.5")),
        content("TEXT", "113607", element(0x0040A160, "UT", "7")),
        content("UIDREF", "112002", element(0x0040A124, "UI", "1.5")),
        content("TEXT", told[3], count),
        *entries,
    )
    return content("CONTAINER", "111028", children=children(content("CONTAINER", "126200", children=group)))


@pytest.mark.parametrize("trial", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_an_image_library_describes_series_and_instances(trial, beside):
    title = ("MADOTEMP001", "99IHE") if trial else ("113999", "DCM")
    found = document(library(trial=trial, beside=beside), *BOTH, title=(*title, "Manifest with Description"))
    assert found.is_manifest
    assert found.findings == ()
    assert found.studies[0].series == (
        Series(
            uid="1.5",
            modality="CT",
            number=7,
            description="Thin slices",
            body_part="Entire body",
            started="20260531233000",
            retrieve_location_uid="1.2.9",
            instances=(Instance(CT, "1.1", 3, 10), Instance(CT, "1.2", 4, 10)),
            region=Code("38266002", DCM, "Entire body"),
        ),
    )


@pytest.mark.parametrize(
    ("code_value", "kind"),
    [
        ("113030", Kind.MANIFEST),
        ("ddd001", Kind.MANIFEST),
        ("113001", Kind.REJECTION),
        ("113037", Kind.REJECTION),
        ("113038", Kind.REJECTION),
        ("113039", Kind.REJECTION),
        ("113000", Kind.KEY_OBJECTS),
        ("113004", Kind.KEY_OBJECTS),
    ],
)
def test_the_title_alone_tells_what_a_document_is(code_value, kind):
    assert document(*BOTH, title=(code_value, "DCM", "?")).kind is kind


@pytest.mark.parametrize(
    ("changes", "where", "text"),
    [
        ({"listed": ("1.1",)}, "(0040,A730)", "1 instances in the content tree alone"),
        ({"listed": ("1.1", "1.2", "1.3")}, "(0040,A730)", "1 instances are in the evidence alone"),
        ({"listed": ("1.1", "1.2", "1.2")}, "(0040,A375)", "more than once"),
        ({"location": "ACME"}, "series 1.5", "not a UID"),
    ],
)
def test_what_is_odd_is_a_warning(changes, where, text):
    found = document(*BOTH, **changes).findings
    assert [(f.where, f.warning) for f in found] == [(where, True)]
    assert all(word in found[0].text for word in text.split())


def test_a_location_that_is_no_uid_is_kept_but_is_no_source():
    study = document(*BOTH, location="ACME").studies[0]
    assert (study.source, study.series[0].retrieve_location_uid) == ("", "ACME")


@pytest.mark.parametrize(
    "uri",
    [
        element(0x0040E012, "UR", "https://viewer.example/1"),
        element(0x000D0011, "LO", "IHE_MADO_PRIVATE") + element(0x000D1101, "UR", "https://viewer.example/1"),
    ],
)
def test_the_viewer_address_is_found_in_the_evidence(uri):
    assert document(*BOTH, uri=uri).display_uri == "https://viewer.example/1"


def test_identifiers_written_in_other_vrs_are_read():
    odd = element(0x00100020, "UI", "17") + element(0x0020000D, "SH", "1.2.3.4")
    found = scanned(part10(data_set().replace(element(0x0020000D, "UI", "1.2.3.4"), odd)))
    assert (found.patient.value, found.study_instance_uid) == ("17", "1.2.3.4")


def test_what_is_no_key_object_document_is_refused():
    with pytest.raises(Rejected) as caught:
        manifest_of(scanned(part10(data_set())))
    assert caught.value.findings[0].code is ErrorCode.InvalidDocumentContent
    data = pydicom.dcmread(io.BytesIO(built()))
    del data.ConceptNameCodeSequence
    out = io.BytesIO()
    data.save_as(out)
    with pytest.raises(Rejected, match="no title"):
        reread(out.getvalue())


def test_a_manifest_in_utc():
    found = reread(built(now=datetime(2026, 11, 24, 1, 0, tzinfo=UTC)))
    assert (found.content_time, found.studies[0].started) == ("20261124010000", STUDY.started)
