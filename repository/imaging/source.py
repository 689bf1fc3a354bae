"""What an Imaging Document Source is told about itself and its affinity domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from zoneinfo import ZoneInfo

from repository.imaging.codes import ManifestStyle


@dataclass(frozen=True, slots=True)
class ImagingSource:
    """The source that holds the objects.

    `retrieve_location_uid` is its OID, RAD-69's repositoryUniqueId; `wado_url` the base of its DICOMweb services
    without a slash at the end; `uid_root` the root of the UIDs that it makes. `patient_authorities` are the OIDs that
    may assign patient ids, the first of which stands in where an object names none; `accession_authority` stands in
    for the issuer of accession numbers, if not empty. `patient_issuers` maps an Issuer of Patient ID that is a name to
    an OID; a name that it does not have is nobody's. `time_zone` is the zone of dates and times that name no offset.
    A study is published when nothing came for `quiet_seconds`, unless `automatic` is off. What is assembled for an
    on-demand entry is kept and registered, unless `persist_on_demand` is off. Manifests are written in `style`; those
    with description name the viewer at `display_uri`, in which {study} is the Study Instance UID, if not empty.
    """

    retrieve_location_uid: str
    wado_url: str
    uid_root: str
    patient_authorities: tuple[str, ...]
    accession_authority: str = ""
    patient_issuers: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    quiet_seconds: float = 60.0
    automatic: bool = True
    persist_on_demand: bool = True
    style: ManifestStyle = ManifestStyle.KOS
    display_uri: str = ""

    @property
    def default_authority(self) -> str:
        """The authority of a Patient ID without issuer."""
        return self.patient_authorities[0]

    def authority_of(self, issuer: str) -> str:
        """The OID of an Issuer of Patient ID that is a text, or absent (empty); empty for a name that is not known.

        A local number must never pass for a national one, so a named issuer is never taken for the default.
        """
        return self.patient_issuers.get(issuer, "") if issuer else self.default_authority

    @property
    def zone(self) -> tzinfo:
        """`time_zone` as a zone."""
        return ZoneInfo(self.time_zone)
