"""Every kind of object through the DICOMweb doors: found, described and cut into frames as what it is."""

import pytest
from every_object import PATIENT, ROWS, STUDY, frame_of, made
from wia_archive import post, running_archive


@pytest.fixture(scope="module")
def archive(sqlite_template, tmp_path_factory):
    with running_archive(sqlite_template, tmp_path_factory.mktemp("every")) as found:
        answer = post(found.studies, *map(made, ROWS))
        assert answer.status_code == 200, answer.text
        yield found


@pytest.fixture(scope="module")
def instances(archive):
    found = archive.client.search_for_instances(STUDY, fields=["00280008", "00280010"])
    return {one["00080018"]["Value"][0]: one for one in found}


@pytest.fixture(scope="module")
def series(archive):
    return {one["0020000E"]["Value"][0]: one for one in archive.client.search_for_series(STUDY)}


@pytest.fixture(scope="module")
def metadata(archive):
    return {one["00080018"]["Value"][0]: one for one in archive.client.retrieve_study_metadata(STUDY)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.keyword)
def test_it_is_found_and_described_as_what_it_is(row, instances, series, metadata):
    one = instances[row.uid]
    assert (one["00080016"]["Value"], one["00080060"]["Value"]) == ([row.sop_class], [row.modality])
    frames = one.get("00280008", {}).get("Value", [1 if "00280010" in one else None])
    assert frames == [row.frames]
    assert (series[row.series]["00201209"]["Value"], series[row.series]["00080060"]["Value"]) == ([1], [row.modality])
    described = metadata[row.uid]
    assert described["00080016"]["Value"] == [row.sop_class]
    bulk = [tag for tag in ("7FE00010", "7FE00008") if "BulkDataURI" in described.get(tag, {})]
    assert bool(bulk) == (row.frames is not None)


@pytest.mark.parametrize("row", [row for row in ROWS if row.frames], ids=lambda row: row.keyword)
def test_its_last_frame_is_cut_and_there_is_none_after_it(archive, row):
    last = f"{archive.studies}/{STUDY}/series/{row.series}/instances/{row.uid}/frames/{row.frames}"
    got = archive.client._session.get(last, headers={"Accept": 'multipart/related; type="*/*"; transfer-syntax=*'})
    assert got.status_code == 200, got.text
    assert frame_of(row, row.frames) in got.content
    beyond = archive.client._session.get(f"{last[: last.rindex('/')]}/{row.frames + 1}")
    assert beyond.status_code == 404


def test_the_study_counts_all_and_names_each_modality_once(archive):
    (study,) = archive.client.search_for_studies(search_filters={"PatientID": PATIENT})
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([len(ROWS)], [len(ROWS)])
    assert sorted(study["00080061"]["Value"]) == sorted({row.modality for row in ROWS})
