"""Who was examined is nobody's business but the caller's: no log, no metric and no URL tells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import examination
import pytest
import region
import requests
from examination import Document, Study, multipart
from region import Region

from registry.metadata.urn import Status, StoredQueryId


class Told:
    """A story that was told to a server, with all that it answered in words."""

    def __init__(self, world: Region) -> None:
        self.world = world
        self.study = Study(examination.person())
        self.answers: list[dict[str, Any]] = []

    @property
    def secrets(self) -> list[str]:
        who = self.study.who
        return [who.number, who.family, who.given, self.study.accession, f"L{who.number}", who.family.lower()]

    def tell(self) -> None:
        """Everything that users do, and much of what they do wrong."""
        self._in()
        self._out()
        self._wrong()

    def _in(self) -> None:
        world, study = self.world, self.study
        self.answers.append(world.stow(study.object(), study.object("MR_small.dcm", SeriesInstanceUID="1.2.3.4.5.9")))
        self.answers.append(world.publish(study))
        report = Document(study.who, study_uid=study.uid, accession=study.accession)
        world.provide(report, report.but(uid=examination.new_uid(), id=Document(study.who).id))
        world.register(Document(study.who).registered("1.2.3"))

    def _out(self) -> None:
        world, who, study = self.world, self.study.who, self.study
        world.documents_of(who)
        world.query(
            StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID,
            _PatientId=f"'{who.cx}'",
            _Status=f"('{Status.APPROVED}')",
            _ReferenceIdList=f"('{study.accession}^^^&{examination.ORDERS}&ISO^urn:ihe:iti:xds:2013:accession')",
        )
        for type_ in ("ImagingStudy", "DiagnosticReport", "DocumentReference"):
            for asked in ("patient.identifier", "subject.identifier", "patient:identifier"):
                self.answers += world.pages(type_, _count=1, **{asked: who.token})
            self.answers += world.pages(type_, **{"accession-number": study.accession})
        for asked in ({"identifier": who.token}, {"family": who.family}, {"name": who.given}, {"given": who.given}):
            self.answers += world.pages("Patient", _count=1, **asked)
        posted = requests.post(
            f"{world.url}/fhir/DocumentReference/_search",
            data={"patient.identifier": who.token, "_count": "1"},
            timeout=10,
        )
        self.answers.append(posted.json())
        for filters in ({"PatientID": who.number}, {"PatientName": f"{who.family}*"}):
            for found in world.dicomweb.search_for_studies(search_filters=filters):
                self.answers.append({"url": found.get("00081190", {}).get("Value")})
        self.answers += [
            {"url": one.get("7FE00010", {}).get("BulkDataURI")}
            for one in world.dicomweb.retrieve_study_metadata(study.uid)
        ]

    def _wrong(self) -> None:
        """Refusals quote what was wrong to the caller; they must not to the log."""
        world, who, study = self.world, self.study.who, self.study
        report = Document(who, accession=study.accession)
        world.provide(report.but(cx=f"{who.number}^^^&1.2.3.4&ISO"))
        world.provide(report.but(cx=who.number))
        world.register(report)
        world.provide(report.but(said=(("creationTime", who.number), ("sourcePatientId", who.family))))
        world.stow(study.object(PatientID=f"{who.number}^1"), status=409)
        world.stow(examination.Study(who, study.uid).object(PatientID=f"{who.family}"), status=409)
        world.stow(study.object()[:-500], status=409)
        world.query(StoredQueryId.FIND_DOCUMENTS, _PatientId=f"{who.cx}", _Status=f"('{who.family}')")
        world.query(who.family, **{who.number: who.family})
        for url in (
            f"fhir/Patient/{who.number}",
            f"fhir/ImagingStudy?patient={who.number}&started={who.family}",
            f"fhir/ImagingStudy?{who.number}={who.family}",
            f"fhir/{who.family}",
            f"dicomweb/studies/{who.number}",
            f"dicomweb/studies?PatientID={who.number}&{who.family}=1&StudyDate={who.number}",
            f"xds/{who.number}",
            f"{who.family}/{who.number}?x={study.accession}",
        ):
            requests.get(f"{world.url}/{url}", timeout=10, headers={"Referer": f"http://x/{who.number}"})
        requests.post(f"{world.url}/xds/registry", who.number * 9, headers={"SOAPAction": who.family}, timeout=10)
        body = multipart(who.number.encode())
        requests.post(f"{world.url}/dicomweb/studies/{who.number}", body, headers=examination.STOW, timeout=10)
        requests.post(f"{world.url}/xds/imaging/studies/{who.number}/publish", timeout=10)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    world = region.start(tmp_path_factory.mktemp("private") / "data", XDSI_PUBLISHING__QUIET_SECONDS="0.2")
    story = Told(world)
    story.tell()
    yield story
    world.server.stop()


def urls_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from urls_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from urls_in(each)
    elif isinstance(value, str) and value.startswith(("http://", "https://")):
        yield value


def test_urls_in_answers_name_nobody(told: Told) -> None:
    who = told.study.who
    urls = [url for answer in told.answers for url in urls_in(answer)]
    assert len(urls) > 50
    for url in urls:
        for secret in (who.number, who.family, who.given):
            assert secret.lower() not in url.lower(), url


def test_links_name_a_patient_by_an_id_of_no_meaning(told: Told) -> None:
    page = told.world.fhir("DocumentReference", _count=1, **{"patient.identifier": told.study.who.token})
    links = {link["relation"]: link["url"] for link in page["link"]}
    assert {"self", "next"} <= set(links)
    for url in links.values():
        assert dict(region.query_of(url))["patient"].startswith("Patient/")


def test_metrics_name_nobody(told: Told) -> None:
    metrics = requests.get(f"{told.world.url}/metrics", timeout=10).text
    assert "xdsi_requests" in metrics
    for secret in told.secrets:
        assert secret not in metrics


def test_the_log_names_nobody_and_is_json(told: Told) -> None:
    told.world.server.stop()
    assert told.world.server.process.stdout is not None
    printed = told.world.server.printed + told.world.server.process.stdout.read()
    log = told.world.server.log.read_text()
    assert len(log.splitlines()) > 5
    for line in log.splitlines():
        assert json.loads(line)["event"], line
        for secret in told.secrets:
            assert secret.lower() not in line.lower(), line
    for secret in told.secrets:
        assert secret not in printed


def test_commands_name_nobody(told: Told, tmp_path: Path) -> None:
    for done in (told.world.fsck("--grace", "0"), told.world.fsck("--repair", "--grace", "0")):
        for secret in told.secrets:
            assert secret not in done.stdout + done.stderr
