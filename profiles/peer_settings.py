"""Settings of the systems that this one asks: other communities, and other imaging sources of this one."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, FilePath, field_validator

from profiles.addresses import Address
from registry.metadata.datatypes import is_oid


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CommunitySetting(_Section):
    """Another community, and how its Responding Gateway is reached (ITI TF-1, 18)."""

    home_community_id: str = Field(description="OID of the community")
    query_url: str = Field(description="where it takes ITI-38; http only to this machine, for a TLS proxy here")
    retrieve_url: str = Field(description="where it takes ITI-39")
    imaging_url: str = Field("", description="where its imaging gateway takes RAD-75; empty: it has none")
    query_seconds: float = Field(10.0, gt=0, le=300, description="longest time of a query")
    retrieve_seconds: float = Field(60.0, gt=0, le=3600, description="longest time of a retrieve, documents and all")
    ca_file: FilePath | None = Field(None, description="PEM of who may vouch for it; without: the system's")
    certificate_file: FilePath | None = Field(None, description="PEM of the certificate that we show it")
    key_file: FilePath | None = Field(None, description="PEM of that certificate's key, when it is another file")

    @field_validator("home_community_id")
    @classmethod
    def _oid(cls, value: str) -> str:
        return _checked_oid(value)

    # An imaging_url that is not given is not checked, so that empty means none.
    @field_validator("query_url", "retrieve_url", "imaging_url")
    @classmethod
    def _url(cls, value: str) -> str:
        return _checked_url(value)


class ImagingSourceSetting(_Section):
    """Another Imaging Document Source of this community, to which RAD-69 is passed on (RAD TF-2, 4.69)."""

    repository_unique_id: str = Field(description="OID that its manifests name: the Retrieve Location UID")
    url: str = Field(description="where it takes RAD-69; http only to this machine, for a TLS proxy here")
    seconds: float = Field(60.0, gt=0, le=3600, description="longest time of a retrieve, objects and all")
    ca_file: FilePath | None = Field(None, description="PEM of who may vouch for it; without: the system's")
    certificate_file: FilePath | None = Field(None, description="PEM of the certificate that we show it")
    key_file: FilePath | None = Field(None, description="PEM of that certificate's key, when it is another file")

    @field_validator("repository_unique_id")
    @classmethod
    def _oid(cls, value: str) -> str:
        return _checked_oid(value)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return _checked_url(value)


def _checked_oid(value: str) -> str:
    if not is_oid(value):
        raise ValueError(f"{value!r} is not an OID")
    return value


def _checked_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"{value!r} is not an address: write https://HOST[:PORT]/PATH")
    if parts.scheme == "http" and not Address(parts.hostname, parts.port or 80).is_loopback:
        raise ValueError(f"{value!r} would carry patients' data unencrypted to another machine: write https://")
    return value
