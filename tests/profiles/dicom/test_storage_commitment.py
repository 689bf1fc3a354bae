"""Storage commitment on a running server: what is promised, what is not, and that a promise outlives a crash."""

import signal
from pathlib import Path

import pytest
from dimse_archive import Archive, Reports, ct, new_uid, start
from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from region import eventually


def committing(archive: Archive, title: str, references: list[tuple[str, str]]) -> tuple[int, str]:
    data = Dataset()
    data.TransactionUID = new_uid()
    data.ReferencedSOPSequence = []
    for sop_class, uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        data.ReferencedSOPSequence.append(item)
    with archive.association(build_context(StorageCommitmentPushModel), title=title) as assoc:
        status, _ = assoc.send_n_action(data, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    return status.Status, data.TransactionUID


def test_what_is_held_is_committed_and_the_rest_is_named_with_its_reason(archive: Archive) -> None:
    held, lost, never = new_uid(), new_uid(), new_uid()
    assert [answer.Status for answer in archive.store(ct(held), ct(lost))] == [0, 0]
    for path in (archive.server.data / "blobs" / "blobs").glob("*/*/*"):
        if lost.encode() in path.read_bytes()[:2000]:
            path.unlink()
    ask = [(CTImageStorage, held), (CTImageStorage, lost), (CTImageStorage, never), (MRImageStorage, held)]
    status, transaction = committing(archive, "MODALITY", ask)
    assert status == 0
    eventually(lambda: archive.reports.of(transaction), "the report did not come")
    ((kind, data),) = archive.reports.of(transaction)
    assert kind == 2
    assert [item.ReferencedSOPInstanceUID for item in data.ReferencedSOPSequence] == [held]
    failed = [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in data.FailedSOPSequence]
    assert failed == [(lost, 0x0112), (never, 0x0112), (held, 0x0119)]


@pytest.mark.parametrize(("title", "status"), [("HOMELESS", 0x0110), ("READER", 0x0124)])
def test_a_commitment_that_cannot_be_reported_is_not_taken_on(archive: Archive, title: str, status: int) -> None:
    assert committing(archive, title, [(CTImageStorage, "1.2.3")])[0] == status


def test_a_commitment_outlives_kill_9_and_is_reported_when_the_peer_is_there(tmp_path: Path) -> None:
    reports = Reports()
    with reports.listening():
        pass
    archive = Archive(start(tmp_path, reports), reports)
    try:
        uid = new_uid()
        assert archive.store(ct(uid))[0].Status == 0
        status, transaction = committing(archive, "MODALITY", [(CTImageStorage, uid)])
        assert status == 0
    finally:
        archive.server.process.send_signal(signal.SIGKILL)
        archive.server.process.wait()
    with reports.listening():
        again = start(tmp_path, reports)
        try:
            eventually(lambda: reports.of(transaction), "the report did not come")
        finally:
            again.stop()
    ((kind, data),) = reports.of(transaction)
    assert (kind, [item.ReferencedSOPInstanceUID for item in data.ReferencedSOPSequence]) == (1, [uid])
