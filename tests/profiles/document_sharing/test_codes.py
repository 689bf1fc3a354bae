"""The affinity domain's value sets: off, on for one attribute, and by the settings that switch them on."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from good_submission import CODE, GOOD
from pydantic import ValidationError
from wire import submissions
from wire.soap_world import World, open_world

from conformance import messages
from profiles.document_sharing.codes import CODED, SHOWN, findings
from profiles.settings import Settings
from registry.metadata.errors import ErrorCode
from registry.metadata.model import Code

META = ErrorCode.XDSRegistryMetadataError
WHERE = {"contentTypeCode": "SubmissionSet01", "codeList": "Folder01"}


def judge(accepted):
    return list(findings(GOOD, {name: frozenset(codes) for name, codes in accepted.items()}, META))


def test_the_table_names_real_attributes():
    for kind, attribute, source in CODED.values():
        assert attribute in {field.name for field in fields(kind)}
        assert source.startswith("ITI TF-3, 4.2.3.")


def test_nothing_is_listed_and_nothing_is_asked():
    assert judge({}) == []


@pytest.mark.parametrize("attribute", CODED)
def test_one_list(attribute):
    key = "application/pdf" if attribute == "mimeType" else CODE.key
    assert judge({attribute: [key, "2^^1.2.3"]}) == []
    (found,) = judge({attribute: ["2^^1.2.3"]})
    assert (found.code, found.where, found.source) == (
        META,
        f"{WHERE.get(attribute, 'Document01')}.{attribute}",
        CODED[attribute][2],
    )
    assert key in found.text
    assert "2^^1.2.3" in found.text


def test_the_scheme_counts_and_the_display_name_does_not():
    assert len(judge({"classCode": ["1^^1.2.4", "1"]})) == 1
    again = replace(GOOD.entries[0], class_code=replace(CODE, display="another"))
    assert list(findings(replace(GOOD, entries=(again,)), {"classCode": frozenset([CODE.key])}, META)) == []


def test_every_value_of_many_is_judged():
    entry = replace(GOOD.entries[0], event_codes=(CODE, Code("9", "1.2.3"), Code("8", "1.2.3")))
    found = list(findings(replace(GOOD, entries=(entry,)), {"eventCodeList": frozenset([CODE.key])}, META))
    assert [f.text.split()[0] for f in found] == ["9^^1.2.3", "8^^1.2.3"]


def test_a_media_type_in_capitals_is_the_same():
    entry = replace(GOOD.entries[0], mime_type="Application/PDF")
    assert list(findings(replace(GOOD, entries=(entry,)), {"mimeType": frozenset(["application/pdf"])}, META)) == []


def test_a_long_list_is_not_spelt_out():
    (found,) = judge({"classCode": [f"{n}^^9.9" for n in range(SHOWN + 5)]})
    assert found.text.endswith("and 5 more")


def test_settings_switch_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDSI_CONFIG", "")
    assert Settings.load().affinity_domain.codes == {}
    file = tmp_path / "xdsi.toml"
    file.write_text(
        '[affinity_domain.codes]\nclassCode = ["IMG^^1.2.3"]\nmimeType = ["application/pdf", "Application/DICOM"]\n'
    )
    assert Settings.load(file).affinity_domain.codes == {
        "classCode": {"IMG^^1.2.3"},
        "mimeType": {"application/pdf", "application/dicom"},
    }


@pytest.mark.parametrize(
    ("codes", "words"),
    [({"class_code": ["a^^b"]}, "is not one of"), ({"classCode": ["IMG"]}, "code\\^\\^scheme"), ({"classCode": ["^^b"]}, "is not written")],
)  # fmt: skip
def test_a_list_that_could_match_nothing_is_refused(codes, words, monkeypatch):
    monkeypatch.setenv("XDSI_CONFIG", "")
    with pytest.raises(ValidationError, match=words):
        Settings.load(affinity_domain={"codes": codes})


@pytest.fixture(scope="module")
def strict_world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    entry = submissions.new().entries[0]
    codes = {"classCode": [entry.class_code.key], "mimeType": ["application/pdf"]}
    return open_world(sqlite_template, tmp_path_factory.mktemp("strict") / "data", affinity_domain={"codes": codes})


def test_a_registry_holds_to_the_lists(strict_world: World):
    assert strict_world.register(submissions.new()).outcome == "Success"
    before = strict_world.state()
    answer = strict_world.register(submissions.new(class_code=Code("X", "1.2.3"), mime_type="text/plain"))
    assert answer.outcome == "Failure"
    assert {e.location.rpartition(".")[2] for e in answer.errors} == {"classCode", "mimeType"}
    assert set(answer.codes) == {"XDSRegistryMetadataError"}
    assert strict_world.state() == before


def test_a_repository_holds_to_the_lists(strict_world: World):
    good = messages.provided(submissions.new())
    assert strict_world.provide(good, {good.entries[0].id: b"%PDF"}).outcome == "Success"
    bad = messages.provided(submissions.new(class_code=Code("X", "1.2.3")))
    before = strict_world.state()
    answer = strict_world.provide(bad, {bad.entries[0].id: b"%PDF"})
    assert [(e.code, e.location) for e in answer.errors] == [
        ("XDSRepositoryMetadataError", f"{bad.entries[0].id}.classCode")
    ]
    assert strict_world.state() == before
