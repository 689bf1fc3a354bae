"""Manifests with description: every attribute that is written, in both vocabularies, and damaged ones read."""

import io
import random
import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import pydicom
import pytest

from registry.metadata.errors import Rejected
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription
from repository.imaging.codes import ManifestStyle
from repository.imaging.kos_builder import Companion, build_manifest
from repository.imaging.kos_reader import read_manifest
from repository.imaging.target_regions import target_regions

DCM, SCT = "1.2.840.10008.2.16.4", "2.16.840.1.113883.6.96"
CT, KO = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.59"
STYLES = [ManifestStyle.MADO, ManifestStyle.MADO_TRIAL]
TITLE = Code("113000", DCM, "Of Interest")
STUDY = StudyDescription(
    uid="1.2.3.4",
    source="1.2.3.99",
    started="20261123233000",
    description="CT thorax",
    accessions=(("ACC1", "1.2.3.8"),),
    orders=(("ORD1", "1.2.3.9"), ("ORD2", "1.2.3.9")),
    procedure_codes=(Code("24627-2", "2.16.840.1.113883.6.1", "CT of chest"),),
    series=(
        Series(
            *("1.2.3.4.1", "CT", 1, "axial", "Thorax", "20261123234500"),
            instances=(Instance(CT, "1.2.3.4.1.1", 1), Instance(CT, "1.2.3.4.1.2", 2, 12)),
            region=Code("816094009", SCT, "Thorax"),
        ),
        Series("1.2.3.4.2", "KO", 2, instances=(Instance(KO, "1.2.3.4.2.1", 1, None, TITLE, "the nodule"),)),
    ),
)
NOW = datetime(2026, 11, 24, 1, 30, 5, tzinfo=timezone(timedelta(hours=1)))


def built(style=ManifestStyle.MADO, study=STUDY, **other):
    return build_manifest(
        study,
        sop_instance_uid="1.2.3.4.9.1",
        series_instance_uid="1.2.3.4.9",
        patient=PatientDetails("17^^^&1.2.3.7&ISO", "Ek", "Eva", "19770530", "F"),
        retrieve_location_uid="1.2.3.99",
        retrieve_url="https://images.example/dicomweb",
        now=NOW,
        style=style,
        **other,
    )


def reread(data):
    return read_manifest(io.BytesIO(data), len(data))


def keywords(data):
    return [element.keyword for element in data if not element.is_private]


# Type 1 and 2 attributes of the modules of PS3.3 A.35.4.3, and those that IHE RAD MADO, 6.X.2 asks for besides.
ROOT = [
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyDate", "ContentDate", "StudyTime", "ContentTime"),
    *("AccessionNumber", "IssuerOfAccessionNumberSequence", "Modality", "Manufacturer", "InstitutionName"),
    *("ReferringPhysicianName", "TimezoneOffsetFromUTC", "StudyDescription", "ProcedureCodeSequence"),
    *("ReferencedPerformedProcedureStepSequence", "PatientName", "PatientID", "IssuerOfPatientIDQualifiersSequence"),
    *("PatientBirthDate", "PatientSex", "OtherPatientIDsSequence", "StudyInstanceUID", "SeriesInstanceUID", "StudyID"),
    *("SeriesNumber", "InstanceNumber", "ValueType", "ConceptNameCodeSequence", "ContinuityOfContent"),
    *("ReferencedRequestSequence", "CurrentRequestedProcedureEvidenceSequence", "ContentTemplateSequence"),
    "ContentSequence",
]
REQUEST = [
    *("AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferencedStudySequence", "StudyInstanceUID"),
    *("RequestedProcedureDescription", "RequestedProcedureCodeSequence", "OrderPlacerIdentifierSequence"),
    *("RequestedProcedureID", "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest"),
]
SERIES = ["RetrieveURL", "ReferencedSOPSequence", "SeriesInstanceUID", "RetrieveLocationUID"]


@pytest.mark.parametrize("style", ManifestStyle)
def test_the_golden_list_of_attributes(style):
    data = pydicom.dcmread(io.BytesIO(built(style)))
    assert keywords(data) == ROOT
    assert [keywords(one) for one in data.ReferencedRequestSequence] == [REQUEST, REQUEST]
    (evidence,) = data.CurrentRequestedProcedureEvidenceSequence
    assert keywords(evidence) == ["ReferencedSeriesSequence", "StudyInstanceUID"]
    assert [keywords(one) for one in evidence.ReferencedSeriesSequence] == [SERIES, SERIES]


def tree(item, depth=0):
    """(depth, value type, concept, value) of each content item; the concept is `code scheme`."""
    for child in item.get("ContentSequence", []):
        named = child.get("ConceptNameCodeSequence")
        concept = f"{named[0].CodeValue} {named[0].CodingSchemeDesignator}" if named else ""
        coded = child.get("ConceptCodeSequence")
        value = coded[0].CodeValue if coded else ""
        for keyword in ("TextValue", "Date", "Time", "UID"):
            value = value or str(child.get(keyword, ""))
        if "MeasuredValueSequence" in child:
            (measured,) = child.MeasuredValueSequence
            value = f"{measured.NumericValue} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
        if "ReferencedSOPSequence" in child:
            value = child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        yield depth, child.RelationshipType, child.ValueType, concept, value
        yield from tree(child, depth + 1)


HAS = "HAS ACQ CONTEXT"
NEW = {
    ManifestStyle.MADO: ("131561 DCM", "131562 DCM", "131563 DCM", "131564 DCM", "131565 DCM"),
    ManifestStyle.MADO_TRIAL: tuple(f"MADOTEMP{n} 99IHE" for n in ("003", "004", "002", "007", "009")),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_golden_content_tree(style):
    date, time, description, instances, series = NEW[style]
    data = pydicom.dcmread(io.BytesIO(built(style)))
    assert list(tree(data)) == [
        (0, "CONTAINS", "CODE", "121023 DCM", "24627-2"),
        (0, "CONTAINS", "CONTAINER", "111028 DCM", ""),
        (1, HAS, "CODE", "121139 DCM", "CT"),
        (1, HAS, "CODE", "121139 DCM", "KO"),
        (1, HAS, "CODE", "123014 DCM", "67734004"),
        (1, HAS, "NUM", series, "2 {series}"),
        (1, "CONTAINS", "CONTAINER", "126200 DCM", ""),
        (2, HAS, "CODE", "121139 DCM", "CT"),
        (2, HAS, "DATE", date, "20261124"),
        (2, HAS, "TIME", time, "004500"),
        (2, HAS, "TEXT", description, "axial"),
        (2, HAS, "TEXT", "113607 DCM", "1"),
        (2, HAS, "UIDREF", "112002 DCM", "1.2.3.4.1"),
        (2, HAS, "CODE", "123014 DCM", "816094009"),
        (2, HAS, "NUM", instances, "2 {instances}"),
        (2, "CONTAINS", "IMAGE", "", "1.2.3.4.1.1"),
        (3, HAS, "TEXT", "113609 DCM", "1"),
        (2, "CONTAINS", "IMAGE", "", "1.2.3.4.1.2"),
        (3, HAS, "NUM", "121140 DCM", "12 1"),
        (3, HAS, "TEXT", "113609 DCM", "2"),
        (1, "CONTAINS", "CONTAINER", "126200 DCM", ""),
        (2, HAS, "CODE", "121139 DCM", "KO"),
        (2, HAS, "TEXT", "113607 DCM", "2"),
        (2, HAS, "UIDREF", "112002 DCM", "1.2.3.4.2"),
        (2, HAS, "NUM", instances, "1 {instances}"),
        (2, "CONTAINS", "COMPOSITE", "", "1.2.3.4.2.1"),
        (3, HAS, "TEXT", "113609 DCM", "1"),
        (3, HAS, "CODE", "121144 DCM", "113000"),
        (3, HAS, "TEXT", "113012 DCM", "the nodule"),
        (0, "CONTAINS", "IMAGE", "", "1.2.3.4.1.1"),
        (0, "CONTAINS", "IMAGE", "", "1.2.3.4.1.2"),
        (0, "CONTAINS", "COMPOSITE", "", "1.2.3.4.2.1"),
    ]


@pytest.mark.parametrize("style", STYLES)
def test_it_reads_back_whole(style):
    found = reread(built(style, display_uri="https://viewer.example/1"))
    assert (found.is_manifest, found.findings, found.display_uri) == (True, (), "https://viewer.example/1")
    (study,) = found.studies
    assert [(s.modality, s.number, s.description, s.started, s.region) for s in study.series] == [
        (s.modality, s.number, s.description, s.started, s.region) for s in STUDY.series
    ]
    assert [s.instances for s in study.series] == [s.instances for s in STUDY.series]
    assert (study.accessions, study.orders) == (STUDY.accessions, STUDY.orders)


@pytest.mark.parametrize("style", STYLES)
def test_dcmtk_reads_it_without_an_error(tmp_path, style):
    program = shutil.which("dcmdump")
    if program is None:
        pytest.skip("dcmdump of dcmtk is not installed")
    path = tmp_path / "manifest.dcm"
    path.write_bytes(built(style, display_uri="https://viewer.example/1"))
    done = subprocess.run([program, str(path)], capture_output=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if line.startswith(b"E: ")]) == (0, [])


def test_a_plain_manifest_names_no_viewer_and_describes_nothing():
    found = reread(built(ManifestStyle.KOS, display_uri="https://viewer.example/1"))
    assert (found.display_uri, found.studies[0].series[0].description) == ("", "")


@pytest.mark.parametrize(
    ("body_parts", "regions"),
    [
        (["CHEST"], ["67734004"]),
        (["CHEST", "KNEE"], ["67734004", "61685007"]),
        (["HEART"], ["80891009"]),
        (["WHOLEBODY", "CHEST"], ["67734004", "38266002"]),
        (["NECKCHEST"], ["774007", "67734004"]),
        (["somewhere"], ["38266002"]),
        ([], ["38266002"]),
    ],
)
def test_a_study_is_filed_under_high_level_regions(body_parts, regions):
    assert [one.code for one in target_regions(Series("1", body_part=part) for part in body_parts)] == regions


# --- several studies ---

OTHER = StudyDescription("1.2.3.5", "1.2.3.99", series=(Series("1.2.3.5.1", instances=(Instance(CT, "1.2.3.5.1.1"),)),))


def test_of_several_studies_each_has_a_copy_that_names_the_others():
    data = built(ManifestStyle.KOS, companions=[Companion(OTHER, "1.2.3.5.9.1", "1.2.3.5.9")])
    (copy,) = pydicom.dcmread(io.BytesIO(data)).IdenticalDocumentsSequence
    assert copy.StudyInstanceUID == "1.2.3.5"
    (series,) = copy.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.5.9.1"
    found = reread(data)
    assert ([study.uid for study in found.studies], found.findings) == (["1.2.3.4", "1.2.3.5"], ())


def test_several_studies_without_a_copy_are_odd():
    data = pydicom.dcmread(io.BytesIO(built(ManifestStyle.KOS, companions=[Companion(OTHER, "1.2.9", "1.2.8")])))
    del data.IdenticalDocumentsSequence
    out = io.BytesIO()
    data.save_as(out)
    assert [f.where for f in reread(out.getvalue()).findings] == ["(0040,A525)"]


def test_a_manifest_with_description_is_of_one_study():
    with pytest.raises(ValueError, match="one study"):
        built(companions=[Companion(OTHER, "1.2.9", "1.2.8")])


# --- damaged ---


def test_a_damaged_manifest_is_read_or_refused_and_nothing_else():
    whole, luck = built(), random.Random(4)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(luck.choice((1, 1, 3, 20))):
            damaged[luck.randrange(132, len(damaged))] = luck.randrange(256)
        if luck.random() < 0.2:
            del damaged[luck.randrange(200, len(damaged)) :]
        try:
            outcomes.add(reread(bytes(damaged)).is_manifest)
        except Rejected as rejected:
            outcomes.add(rejected.findings[0].code.name)
    assert {True, "DicomUnreadable"} <= outcomes


@pytest.mark.parametrize("missing", ["MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "ImplementationClassUID"])
def test_a_manifest_whose_file_meta_lacks_something_is_read(missing):
    data = pydicom.dcmread(io.BytesIO(built()))
    delattr(data.file_meta, missing)
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=False)
    assert reread(out.getvalue()).is_manifest


@pytest.mark.parametrize("missing", ["RetrieveLocationUID", "RetrieveURL"])
def test_series_that_do_not_say_where_they_lie_are_read(missing):
    data = pydicom.dcmread(io.BytesIO(built(ManifestStyle.KOS)))
    for series in data.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence:
        delattr(series, missing)
    out = io.BytesIO()
    data.save_as(out)
    found = reread(out.getvalue())
    assert (found.findings, len(found.studies[0].series)) == ((), 2)
    assert found.studies[0].source == ("1.2.3.99" if missing == "RetrieveURL" else "")
