"""Which of the instances that a RAD-69 names are held here, by study and series (RAD TF-2, 4.69.4.2)."""

from collections.abc import Mapping, Sequence

from profiles.document_sharing.imaging_request import InstanceRequest
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.service import HeldInstance, ImagingRepository

SOURCE = "RAD TF-2, 4.69.4.2.3"


class Series:
    """The held instances of the series that are asked for; of each series, those asked for are kept."""

    def __init__(self, requests: Sequence[InstanceRequest], imaging: ImagingRepository, caller: Caller) -> None:
        self._imaging, self._caller = imaging, caller
        wanted: dict[tuple[str, str], set[str]] = {}
        for one in requests:
            wanted.setdefault((one.study_uid, one.series_uid), set()).add(one.unique_id)
        self._held = {series: self._of(*series, uids) for series, uids in wanted.items()}
        self._studies: dict[str, bool] = {}
        self._wanted: dict[str, set[str]] = {}
        for one in requests:
            self._wanted.setdefault(one.study_uid, set()).add(one.unique_id)
        self._rejected: dict[str, Mapping[str, str]] = {}

    def instance(self, one: InstanceRequest) -> HeldInstance | Finding:
        """The instance, or an error that says where it is not."""
        held = self._held[one.study_uid, one.series_uid]
        if held is None and one.unique_id in self._rejected_of(one.study_uid):
            held = {}
        if held is None:
            kept = self._has_study(one.study_uid)
            text = (
                f"the study {one.study_uid[:64]} has no series {one.series_uid[:64]} here"
                if kept
                else f"no study {one.study_uid[:64]} is held here"
            )
            return Finding(ErrorCode.XDSDocumentUniqueIdError, one.unique_id, text, SOURCE)
        instance = held.get(one.unique_id)
        if instance is None and (why := self._rejected_of(one.study_uid).get(one.unique_id)):
            return Finding(ErrorCode.XDSMissingDocument, one.unique_id, why, SOURCE)
        if instance is None:
            text = (
                f"the series {one.series_uid[:64]} of the study {one.study_uid[:64]} holds no instance of this UID here"
            )
            return Finding(ErrorCode.XDSDocumentUniqueIdError, one.unique_id, text, SOURCE)
        return instance

    def _rejected_of(self, study: str) -> Mapping[str, str]:
        """RAD TF-3, IOCM: who asks for what was rejected is told so, not that it never was."""
        if study not in self._rejected:
            self._rejected[study] = self._imaging.rejected(self._caller, study, sorted(self._wanted[study]))
        return self._rejected[study]

    def _of(self, study: str, series: str, uids: set[str]) -> dict[str, HeldInstance] | None:
        only = next(iter(uids)) if len(uids) == 1 else None
        try:
            found = self._imaging.instances(self._caller, study, series, only)
        except Rejected:
            return {} if only and self._has_series(study, series) else None
        return {each.uid: each for each in found if each.uid in uids}

    def _has_series(self, study: str, series: str) -> bool:
        try:
            self._imaging.instances(self._caller, study, series)
        except Rejected:
            return False
        return True

    def _has_study(self, study: str) -> bool:
        if study not in self._studies:
            try:
                self._imaging.instances(self._caller, study)
            except Rejected:
                self._studies[study] = False
            else:
                self._studies[study] = True
        return self._studies[study]
