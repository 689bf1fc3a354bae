"""Settings: one typed model, a TOML file, overridden by the environment (`XDSI_DATABASE_URL`, `XDSI_WEB__WORKERS`).

Unknown keys are an error, so that a misspelt setting is seen before it is missed.
"""

import importlib.util
import ipaddress
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from profiles.document_sharing.codes import CODED
from profiles.faces.dimse import is_ae_title
from profiles.faces.listed import is_listed
from profiles.iocm_settings import IocmSettings, RetentionSettings
from profiles.peer_settings import CommunitySetting, ImagingSourceSetting
from profiles.viewer_settings import ViewerSettings
from registry.metadata.datatypes import is_oid
from registry.metadata.urn import CodingScheme
from repository.store.s3_place import S3Place


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSetting(_Section):
    """A coded value that the product writes into metadata of its own."""

    code: str
    scheme: str
    display: str


def _lowered(media_types: frozenset[str]) -> frozenset[str]:
    return frozenset(one.lower() for one in media_types)


def _code(code: str, scheme: str, display: str) -> CodeSetting:
    return CodeSetting(code=code, scheme=scheme, display=display)


class AffinityDomain(_Section):
    """What the care providers of this domain agreed upon (ITI TF-1, 10.4.8): ids, codes, addresses."""

    patient_authorities: tuple[str, ...] = Field(
        ("1.2.752.129.2.1.3.1",),
        description="OIDs that may assign patient ids; the first stands in where a DICOM object names none",
    )
    patients: Literal["open", "known"] = Field(
        "open",
        description="`open`: a patient is taken as it comes; `known`: only one that an identity feed told of",
    )
    home_community_id: str = Field("1.2.752.129.2.9.1", description="OID of this community")
    repository_unique_id: str = Field("1.2.752.129.2.9.2", description="OID of this document repository")
    retrieve_location_uid: str = Field(
        "1.2.752.129.2.9.3", description="OID of this imaging source: RAD-69's repositoryUniqueId"
    )
    source_id: str = Field("1.2.752.129.2.9.4", description="sourceId of the submissions that the product makes itself")
    uid_root: str = Field("1.2.752.129.2.9.5", description="root OID of the UIDs that the product makes")
    patient_issuers: dict[str, str] = Field(
        default_factory=dict, description="Issuer of Patient ID as DICOM objects name it -> OID of the authority"
    )
    accession_authority: str = Field("", description="OID of the issuer of accession numbers that name none")
    retrieve_locations: dict[str, str] = Field(
        default_factory=dict, description="Retrieve Location UID -> WADO-RS base URL of other imaging sources"
    )
    time_zone: str = Field("Europe/Stockholm", description="zone of DICOM dates and times that name none")
    language_code: str = Field("sv-SE", description="languageCode of manifests")
    class_code: CodeSetting = _code("IMG", "1.2.752.129.2.9.6.1", "Diagnostic imaging")
    type_code: CodeSetting = _code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study")
    confidentiality_code: CodeSetting = _code("N", CodingScheme.CONFIDENTIALITY, "normal")
    healthcare_facility_type_code: CodeSetting = _code("22232009", CodingScheme.SNOMED_CT, "Hospital")
    practice_setting_code: CodeSetting = _code("394914008", CodingScheme.SNOMED_CT, "Radiology")
    content_type_code: CodeSetting = _code("18748-4", CodingScheme.LOINC, "Diagnostic imaging study")
    report_type_codes: tuple[str, ...] = Field(
        ("85430-7", "18748-4", "11528-7", "18726-0", "68604-8"),
        description="typeCodes that make a document an imaging report",
    )

    codes: dict[str, frozenset[str]] = Field(
        default_factory=dict,
        description="attribute (classCode, mimeType, ...) -> the only codes it may have, as `code^^scheme` (media types"
        " for mimeType); an attribute that is not listed takes any",
    )

    @field_validator("codes")
    @classmethod
    def _codes(cls, value: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        for attribute, accepted in value.items():
            if attribute not in CODED:
                raise ValueError(f"{attribute!r} is not one of {', '.join(CODED)}")
            for code in accepted if attribute != "mimeType" else ():
                if not all(code.partition("^^")):
                    raise ValueError(f"{attribute}: {code!r} is not written code^^scheme")
        return {name: _lowered(accepted) if name == "mimeType" else accepted for name, accepted in value.items()}

    @field_validator(
        "home_community_id",
        "repository_unique_id",
        "retrieve_location_uid",
        "source_id",
        "uid_root",
        "patient_authorities",
    )
    @classmethod
    def _oids(cls, value: Any) -> Any:
        for oid in (value,) if isinstance(value, str) else value:
            if not is_oid(oid):
                raise ValueError(f"{oid!r} is not an OID")
        return value


class Web(_Section):
    """The HTTP side."""

    address: str = Field("127.0.0.1:8080", description="HOST:PORT that the web server listens on")
    public_url: str = Field("", description="base URL that links carry; empty: http://<address>")
    workers: int = Field(2, ge=1, le=64, description="processes")
    threads: int = Field(8, ge=1, le=256, description="threads a process: requests served at once")
    server: Literal["gunicorn", "granian"] = "gunicorn"


class Hl7v2(_Section):
    """The HL7 v2 side: TLS, limits, and who may speak for whom."""

    certificate: Path | None = Field(None, description="PEM file of the server's certificate chain; none: plain TCP")
    key: Path | None = Field(None, description="PEM file of its key")
    client_ca: Path | None = Field(None, description="PEM file of the authorities that peers' certificates come from")
    message_bytes: int = Field(4 * 2**20, ge=1024, description="largest message")
    message_seconds: float = Field(30.0, gt=0, description="time from the first byte of a message to its last")
    idle_seconds: float = Field(600.0, gt=0, description="time without a message after which a connection is closed")
    connections: int = Field(256, ge=1, description="connections in all")
    connections_a_peer: int = Field(8, ge=1, description="connections from one address")
    senders: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="sending facility (MSH-4) -> addresses, and CN=names of certificates, that may speak for it; "
        "empty: whoever connects may speak for any",
    )


class DicomPeer(_Section):
    """One DICOM peer, by its AE title: where it comes from, what it may do, and where it listens itself.

    Its calling AE title, the called one, and its address or its certificate must agree with this one row.
    """

    addresses: tuple[str, ...] = Field((), description="IP addresses that it comes from; none: any, by its certificate")
    certificates: tuple[str, ...] = Field((), description="common names of certificates, one of which it must show")
    called: tuple[str, ...] = Field((), description="AE titles that it may call; none: ours")
    authority: str = Field(
        "", description="OID whose its Patient IDs are when they name no issuer; empty: the domain's"
    )
    may_store: bool = True
    may_query: bool = True
    may_move: bool = Field(True, description="may retrieve, by C-MOVE and C-GET")
    may_commit: bool = Field(True, description="may ask for storage commitment")
    host: str = Field("", description="where it listens, for C-MOVE and N-EVENT-REPORT; empty: it does not")
    port: int = Field(104, ge=1, le=65535)
    tls: bool = Field(False, description="speak TLS to it, with our certificate")

    @field_validator("authority")
    @classmethod
    def _oid(cls, value: str) -> str:
        if value and not is_oid(value):
            raise ValueError(f"{value!r} is not an OID")
        return value

    @field_validator("addresses")
    @classmethod
    def _ips(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_address(each)) for each in value)


class Dimse(_Section):
    """The DICOM side: TLS, limits, and the peers."""

    certificate: Path | None = Field(None, description="PEM file of the server's certificate chain; none: plain TCP")
    key: Path | None = Field(None, description="PEM file of its key")
    client_ca: Path | None = Field(None, description="PEM file of the authorities that peers' certificates come from")
    pdu_bytes: int = Field(128 * 1024, ge=4096, le=2**20, description="longest P-DATA-TF that a peer may send")
    associations: int = Field(64, ge=1, le=512, description="associations in all")
    associations_a_peer: int = Field(16, ge=1, description="associations from one address")
    idle_seconds: float = Field(60.0, gt=0, description="silence after which an association is aborted")
    peers: dict[str, DicomPeer] = Field(
        default_factory=dict,
        description="calling AE title -> that peer; empty: on a loopback address anyone may associate",
    )

    @field_validator("peers")
    @classmethod
    def _titles(cls, value: dict[str, DicomPeer]) -> dict[str, DicomPeer]:
        for title, peer in value.items():
            if not is_ae_title(title) or not all(map(is_ae_title, peer.called)):
                raise ValueError(f"{title!r}: an AE title has 1 to 16 characters of ASCII and no backslash")
        return value


class Limits(_Section):
    """What one request may cost."""

    envelope_bytes: int = Field(4 * 2**20, description="largest SOAP envelope without its attachments")
    document_bytes: int = Field(8 * 2**30, description="largest document or DICOM object")
    request_bytes: int = Field(32 * 2**30, description="largest request in all")
    leaf_class_results: int = Field(10_000, description="largest LeafClass answer of a stored query, in objects")
    peer_envelope_bytes: int = Field(
        16 * 2**20, description="largest envelope that another community may answer, without its documents"
    )
    peer_answer_bytes: int = Field(4 * 2**30, description="largest answer of another community, documents and all")
    fhir_page: int = Field(200, description="largest page of a FHIR search")
    qido_results: int = Field(1_000, description="largest page of a QIDO-RS search")
    find_matches: int = Field(500, ge=1, description="largest answer to a C-FIND, in matches")


class Publishing(_Section):
    """When a study that came to rest is published as a manifest."""

    quiet_seconds: float = Field(60.0, ge=0, description="time without a new instance after which the manifest is made")
    automatic: bool = True
    persist_on_demand: bool = Field(
        True, description="keep and register what is assembled for an on-demand entry, so that it can be had again"
    )
    manifest: Literal["kos", "mado", "mado-trial"] = Field(
        "kos",
        description="how manifests are written: plain; with description (image library); that in IHE's trial codes",
    )
    display_uri: str = Field(
        "", description="address of a viewer that manifests with description name; {study} is the Study Instance UID"
    )
    type_code: Literal["domain", "procedure"] = Field(
        "domain", description="typeCode of manifests: the affinity domain's, or the study's first procedure code"
    )
    procedure_types: dict[str, CodeSetting] = Field(
        default_factory=dict, description="procedure code as `code^^scheme` -> typeCode of the study's manifest"
    )
    supersede: bool = Field(
        True, description="a source's newer manifest of a study takes the place of its older one, without RPLC too"
    )

    @field_validator("display_uri")
    @classmethod
    def _viewer(cls, value: str) -> str:
        if value and not (value.startswith(("http://", "https://")) and "{study}" in value):
            raise ValueError(f"{value!r} is no http(s) address with {{study}} in it")
        return value


class SoapSettings(_Section):
    """Asynchronous answers (ITI TF-2, V.5)."""

    reply_to: tuple[str, ...] = Field(
        (),
        description="http(s) URLs at or below which wsa:ReplyTo and FaultTo may lie; none: answers never go elsewhere",
    )

    @field_validator("reply_to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not is_listed(address, [address]):
                raise ValueError(f"{address!r} is not a plain http(s) URL: no user, query, fragment or escapes")
        return value


class TraceSettings(_Section):
    """The wire log: stored copies of requests and answers for whoever connects a peer. They hold patient data."""

    enabled: bool | None = Field(None, description="keep copies; when it is not said, only `serve --demo` does")
    keep: int = Field(1_000, ge=1, le=100_000, description="exchanges kept, the newest")
    keep_days: float = Field(7.0, gt=0, description="age in days after which a copy goes")
    keep_bytes: int = Field(256 * 2**20, ge=2**20, description="bytes of all copies together")
    body_bytes: int = Field(256 * 2**10, ge=0, le=16 * 2**20, description="bytes kept of a request's or answer's text")


class Settings(BaseSettings):
    """All settings. `data` is the folder of the embedded stores and of the audit spool."""

    model_config = SettingsConfigDict(
        env_prefix="XDSI_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data: Path = Field(Path("data"), description="folder of the embedded stores")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in `data`")
    blobs_url: str = Field(
        "",
        description="file://, or s3://bucket/prefix?endpoint=..&region=.., URL of the blobs; empty: a folder in `data`",
    )
    dicom: str = Field("off", description="HOST:PORT of the DICOM side, or off")
    mllp: str = Field("off", description="HOST:PORT of the HL7 v2 side, or off")
    ae_title: str = Field("OPENXDSI", max_length=16, description="DICOM application entity title")
    audit: bool = Field(True, description="False only to measure what the audit costs")
    affinity_domain: AffinityDomain = AffinityDomain()
    web: Web = Web()
    limits: Limits = Limits()
    hl7v2: Hl7v2 = Hl7v2()
    dimse: Dimse = Dimse()
    publishing: Publishing = Publishing()
    iocm: IocmSettings = IocmSettings()
    retention: RetentionSettings = RetentionSettings()
    soap: SoapSettings = SoapSettings()
    trace: TraceSettings = TraceSettings()
    communities: tuple[CommunitySetting, ...] = Field((), description="the communities that our gateway asks")
    viewer: ViewerSettings = ViewerSettings()
    imaging_sources: tuple[ImagingSourceSetting, ...] = Field(
        (), description="the other imaging sources of this community"
    )

    @model_validator(mode="after")
    def _communities_differ(self) -> Self:
        homes = [self.affinity_domain.home_community_id, *(each.home_community_id for each in self.communities)]
        if len(set(homes)) < len(homes):
            raise ValueError("communities: two have one home_community_id, or one has that of this community")
        return self

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        ids = [each.repository_unique_id for each in self.imaging_sources]
        if len({*ids, self.affinity_domain.retrieve_location_uid}) <= len(ids):
            raise ValueError("imaging_sources: two have one repository_unique_id, or one has our retrieve_location_uid")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the file that `XDSI_CONFIG` names."""
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        file = os.environ.get("XDSI_CONFIG")
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources

    @classmethod
    def load(cls, config: Path | None = None, **flags: Any) -> Self:
        """From flags (None is "not given"), the environment, and the TOML file `config`.

        Raises:
            pydantic.ValidationError: an unknown key or a wrong value.
            FileNotFoundError: there is no such file.
        """
        if config is not None:
            config.stat()
            os.environ["XDSI_CONFIG"] = str(config)
        return cls(**{name: value for name, value in flags.items() if value is not None})

    @property
    def database(self) -> str:
        """The database's URL, as SQLAlchemy spells it."""
        url = self.database_url or f"sqlite:///{(self.data / 'registry.sqlite').resolve()}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1).replace(
            "postgres://", "postgresql+psycopg://", 1
        )

    @property
    def blobs(self) -> Path | S3Place:
        """The folder of the blob store, or its place in an object store.

        Raises:
            ValueError: `blobs_url` is of a kind that this release does not know, or that is not installed.
        """
        if not self.blobs_url:
            return self.data / "blobs"
        if self.blobs_url.startswith("s3:"):
            if importlib.util.find_spec("boto3") is None:
                raise ValueError("blobs_url: an S3 store needs the client boto3; install openxdsi[s3]")
            return S3Place.parse(self.blobs_url)
        if not self.blobs_url.startswith("file://"):
            raise ValueError(f"blobs_url: {self.blobs_url!r} is neither a file:// nor an s3:// URL")
        return Path(self.blobs_url.removeprefix("file://"))

    @property
    def base_url(self) -> str:
        """What links start with, without a slash at the end."""
        return (self.web.public_url or f"http://{self.web.address}").rstrip("/")
