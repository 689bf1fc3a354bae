"""Settings: one typed model, a TOML file, overridden by the environment (`XDSI_DATABASE_URL`, `XDSI_WEB__WORKERS`).

Unknown keys are an error, so that a misspelt setting is seen before it is missed.
"""

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from registry.metadata.datatypes import is_oid
from registry.metadata.urn import CodingScheme


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSetting(_Section):
    """A coded value that the product writes into metadata of its own."""

    code: str
    scheme: str
    display: str


def _code(code: str, scheme: str, display: str) -> CodeSetting:
    return CodeSetting(code=code, scheme=scheme, display=display)


class AffinityDomain(_Section):
    """What the care providers of this domain agreed upon (ITI TF-1, 10.4.8): ids, codes, addresses."""

    patient_authorities: tuple[str, ...] = Field(
        ("1.2.752.129.2.1.3.1",),
        description="OIDs that may assign patient ids; the first stands in where a DICOM object names none",
    )
    patients: Literal["open"] = Field("open", description="`open`: a patient is taken as it comes")
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


class Limits(_Section):
    """What one request may cost."""

    envelope_bytes: int = Field(4 * 2**20, description="largest SOAP envelope without its attachments")
    document_bytes: int = Field(8 * 2**30, description="largest document or DICOM object")
    request_bytes: int = Field(32 * 2**30, description="largest request in all")
    leaf_class_results: int = Field(10_000, description="largest LeafClass answer of a stored query, in objects")
    fhir_page: int = Field(200, description="largest page of a FHIR search")
    qido_results: int = Field(1_000, description="largest page of a QIDO-RS search")


class Publishing(_Section):
    """When a study that came to rest is published as a manifest."""

    quiet_seconds: float = Field(60.0, ge=0, description="time without a new instance after which the manifest is made")
    automatic: bool = True


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
    blobs_url: str = Field("", description="file:// URL of the blob store; empty: a folder in `data`")
    dicom: str = Field("off", description="HOST:PORT of the DICOM side, or off")
    mllp: str = Field("off", description="HOST:PORT of the HL7 v2 side, or off")
    ae_title: str = Field("OPENXDSI", max_length=16, description="DICOM application entity title")
    audit: bool = Field(True, description="False only to measure what the audit costs")
    affinity_domain: AffinityDomain = AffinityDomain()
    web: Web = Web()
    limits: Limits = Limits()
    publishing: Publishing = Publishing()

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
    def blobs(self) -> Path:
        """The folder of the blob store.

        Raises:
            ValueError: `blobs_url` is of a kind that this release does not know.
        """
        if not self.blobs_url:
            return self.data / "blobs"
        if not self.blobs_url.startswith("file://"):
            raise ValueError(f"blobs_url: {self.blobs_url!r} is not a file:// URL")
        return Path(self.blobs_url.removeprefix("file://"))

    @property
    def base_url(self) -> str:
        """What links start with, without a slash at the end."""
        return (self.web.public_url or f"http://{self.web.address}").rstrip("/")
