"""What an Imaging Document Source is told about itself and its affinity domain."""

from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class ImagingSource:
    """The source that holds the objects.

    `retrieve_location_uid` is its OID, RAD-69's repositoryUniqueId; `wado_url` the base of its DICOMweb services
    without a slash at the end; `uid_root` the root of the UIDs that it makes. `patient_authorities` are the OIDs that
    may assign patient ids, the first of which stands in where an object names none; `accession_authority` stands in
    for the issuer of accession numbers, if not empty. `time_zone` is the zone of dates and times that name no offset.
    A study is published when nothing came for `quiet_seconds`, unless `automatic` is off.
    """

    retrieve_location_uid: str
    wado_url: str
    uid_root: str
    patient_authorities: tuple[str, ...]
    accession_authority: str = ""
    time_zone: str = "UTC"
    quiet_seconds: float = 60.0
    automatic: bool = True

    @property
    def default_authority(self) -> str:
        """The authority of a Patient ID without issuer."""
        return self.patient_authorities[0]

    @property
    def zone(self) -> tzinfo:
        """`time_zone` as a zone."""
        return ZoneInfo(self.time_zone)
