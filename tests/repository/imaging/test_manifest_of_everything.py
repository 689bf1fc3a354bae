"""Every kind of object in what is published of a study, on both engines: the manifest, its codes, and the counts."""

from io import BytesIO

import pydicom
import pytest
from every_object import ROWS, STUDY, made
from holding import CALLER, Holding

from repository.imaging.kos_builder import value_type


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.keyword)
def test_its_value_type_is_that_of_its_iod(row):
    assert value_type(row.sop_class) == row.value_type


def test_a_study_of_everything_is_published_whole(database_url, tmp_path):
    holding = Holding(database_url, tmp_path)
    holding.kept(*map(made, ROWS))
    described = holding.imaging.describe(STUDY, holding.imaging._source.retrieve_location_uid)
    counted = {i.sop_instance_uid: i for series in described.series for i in series.instances}
    assert len(described.series) == len(counted) == len(ROWS)
    assert {uid: (i.sop_class_uid, i.frames) for uid, i in counted.items()} == {
        row.uid: (row.sop_class, row.frames if row.frames != 1 else None) for row in ROWS
    }

    holding.imaging.publish(STUDY, CALLER)
    (entry,) = holding.registrar.submissions[-1].entries
    acquired = {row.modality for row in ROWS if row.acquired}
    assert {code.code for code in entry.event_codes} == acquired
    manifest = pydicom.dcmread(BytesIO(content_of(holding, entry)))
    references = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: item.ValueType
        for item in manifest.ContentSequence
        if "ReferencedSOPSequence" in item
    }
    assert references == {row.uid: row.value_type for row in ROWS}
    (evidence,) = manifest.CurrentRequestedProcedureEvidenceSequence
    assert len(evidence.ReferencedSeriesSequence) == len(ROWS)


def content_of(holding, entry):
    (name,) = [name for name in holding.blobs.walk() if holding.blobs.size(name) == int(entry.size)]
    return holding.blobs.open(name).read()
