import re
from collections import Counter
from io import BytesIO

import pytest
import requests
import running
from pydicom import dcmread
from pydicom.data import get_testdata_file

from profiles.demo import images, load, made, region, reports, tables
from profiles.settings import Settings
from registry.metadata.datatypes import Cx, Cxi, is_oid

AUTHORITY = "1.2.752.129.2.1.3.1"
DOMAIN = Settings.model_construct().affinity_domain


@pytest.fixture(scope="module")
def studies() -> list[region.Study]:
    return list(region.studies())


def test_every_file_that_the_tables_name_comes_with_pydicom() -> None:
    named = {file for examination in tables.EXAMINATIONS for series in examination.series for file in series.files}
    missing = [file for file in sorted(named - set(made.MADE)) if get_testdata_file(file, download=False) is None]
    assert not missing, "choose other files in profiles/demo/tables.py"


@pytest.mark.parametrize(("digits", "digit"), [("811218987", "6"), ("121212121", "2"), ("670919953", "0")])
def test_the_check_digit_is_luhn(digits: str, digit: str) -> None:
    assert region.check_digit(digits) == digit


def test_people_are_test_persons_and_all_different() -> None:
    people = region.persons()
    assert len({p.personnummer for p in people}) == len({(p.family, p.given) for p in people}) == tables.PATIENTS
    for person in people:
        number = person.personnummer
        assert len(number) == 12
        assert 980 <= int(number[8:11]) <= 989
        assert int(number[10]) % 2 == (person.sex == "M")
        assert region.check_digit(number[2:11]) == number[11]


def test_the_region_has_the_size_that_was_promised(studies: list[region.Study]) -> None:
    assert len(region.hospitals()) == 10
    assert all(is_oid(hospital.oid) for hospital in region.hospitals())
    assert 70 <= len(studies) <= 90
    assert {study.hospital for study in studies} == set(region.hospitals())
    assert set(Counter(study.person for study in studies).values()) == {1, 2, 3}
    assert (
        len({(study.accession, study.hospital) for study in studies})
        == len({study.uid for study in studies})
        == len(studies)
    )
    assert all(tables.FIRST_DAY <= study.performed.date() <= tables.LAST_DAY for study in studies)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_an_object_belongs_to_its_new_patient_alone(studies: list[region.Study]) -> None:
    kinds = {study.examination.title: study for study in studies}
    assert len(kinds) == len(tables.EXAMINATIONS)
    uids, syntaxes = [], set()
    for study in kinds.values():
        for content in images.objects(study, AUTHORITY):
            read = dcmread(BytesIO(content))
            assert (read.StudyInstanceUID, read.AccessionNumber) == (study.uid, study.accession)
            assert str(read.PatientName) == f"{study.person.family}^{study.person.given}"
            assert (read.PatientID, read.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID) == (
                study.person.personnummer,
                AUTHORITY,
            )
            kept = {element.keyword for element in read.group_dataset(0x0010)}
            assert kept == {
                "PatientName",
                "PatientID",
                "IssuerOfPatientIDQualifiersSequence",
                "PatientBirthDate",
                "PatientSex",
            }
            assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
            uids.append(read.SOPInstanceUID)
            syntaxes.add(read.file_meta.TransferSyntaxUID)
    assert len(set(uids)) == len(uids)
    assert len(syntaxes) >= 8


def test_the_same_study_has_the_same_bytes_each_time(studies: list[region.Study]) -> None:
    study = studies[0]
    assert list(images.objects(study, AUTHORITY)) == list(images.objects(study, AUTHORITY))
    assert reports.report_of(study, DOMAIN) == reports.report_of(study, DOMAIN)


def test_a_report_names_its_study_by_both_identifiers(studies: list[region.Study]) -> None:
    made = [(study, reports.report_of(study, DOMAIN)) for study in studies[:6] if study.is_reported]
    assert {report.entry.mime_type for _, report in made} == {"application/pdf", "text/plain"}
    for study, report in made:
        named = [Cxi.parse(reference) for reference in report.entry.reference_ids]
        assert [(n.value, n.authority) for n in named] == [(study.accession, study.hospital.oid), (study.uid, "")]
        assert Cx.parse(str(report.entry.patient_id)) == Cx(study.person.personnummer, AUTHORITY)
        assert report.entry.size == str(len(report.document))
        if report.entry.mime_type == "text/plain":
            assert study.examination.conclusion in report.document.decode()
            assert reports.NOTICE in report.document.decode()


def total(server: running.RunningServer, search: str) -> int:
    answer = requests.get(f"{server.base_url}/fhir/{search}", timeout=20)
    assert answer.ok, answer.text
    return int(answer.json()["total"])


def test_everything_is_found_through_the_doors_and_loading_again_changes_nothing(
    demo_server: running.RunningServer, studies: list[region.Study]
) -> None:
    assert total(demo_server, "Patient") == tables.PATIENTS
    assert total(demo_server, "ImagingStudy") == len(studies)
    assert total(demo_server, "DiagnosticReport") == sum(study.is_reported for study in studies)
    assert load(Settings.model_construct(data=demo_server.data)) == 0
    assert total(demo_server, "DocumentReference") == len(studies) + sum(study.is_reported for study in studies)


def test_a_report_points_to_its_study(demo_server: running.RunningServer, studies: list[region.Study]) -> None:
    study = studies[0]
    found = requests.get(
        f"{demo_server.base_url}/fhir/DiagnosticReport",
        params={"patient.identifier": f"urn:oid:{AUTHORITY}|{study.person.personnummer}"},
        timeout=20,
    ).json()
    linked = [reference["reference"] for e in found["entry"] for reference in e["resource"]["imagingStudy"]]
    uids = {
        identifier["value"]
        for reference in linked
        for identifier in requests.get(f"{demo_server.base_url}/fhir/{reference}", timeout=20).json()["identifier"]
    }
    assert f"urn:oid:{study.uid}" in uids


def test_the_home_page_shows_a_patient_by_an_opaque_id(demo_server: running.RunningServer) -> None:
    page = requests.get(f"{demo_server.base_url}/", timeout=20).text
    links = re.findall(r'href="(/fhir/[^"]*patient=[^"]+)"', page)
    assert len(links) == 2
    for link in links:
        assert not re.search(r"\d{12}", link)
        assert total(demo_server, link.removeprefix("/fhir/").replace("&amp;", "&")) > 0


def test_commands_work_beside_the_running_server(
    demo_server: running.RunningServer, studies: list[region.Study]
) -> None:
    published = running.run_xdsi("publish", studies[0].uid, "--data", str(demo_server.data))
    assert (published.returncode, "is unchanged" in published.stdout) == (0, True), published.stderr
    unknown = running.run_xdsi("publish", "1.2.3.4", "--data", str(demo_server.data))
    assert unknown.returncode == 1
    assert "1.2.3.4" in unknown.stderr
    checked = running.run_xdsi("fsck", "--data", str(demo_server.data))
    assert (checked.returncode, "Clean" in checked.stdout) == (0, True), checked.stdout


def test_the_demonstration_keeps_the_wire_log(demo_server: running.RunningServer) -> None:
    assert f"{demo_server.base_url}/trace" in demo_server.printed
    requests.get(f"{demo_server.base_url}/fhir/metadata", timeout=10)
    page = requests.get(f"{demo_server.base_url}/trace", timeout=10)
    assert page.ok
    assert "/fhir/metadata" in page.text
