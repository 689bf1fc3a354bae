"""Settings of what happens to rejected objects, and of how long studies are kept."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RejectionSetting(_Section):
    """What one code of a rejection note does (RAD TF-2, 4.66; PS3.16, CID 7011)."""

    hide: bool = Field(True, description="leave the objects out of all answers; false: regular use still shows them")
    delete_after_days: float | None = Field(None, ge=0, description="days until the objects are deleted; none: never")
    resent: Literal["refuse", "hide", "restore"] = Field(
        "refuse", description="a rejected object that is sent again is refused, taken and hidden, or shown again"
    )
    overwrites: bool = Field(True, description="such a note takes the place of an earlier one with another code")
    at_once: bool = Field(
        False, description="withdraw the old manifest's entry with the note; false: replace it by the new one"
    )


class IocmSettings(_Section):
    """Rejection notes (Imaging Object Change Management), by what their title says."""

    quality: RejectionSetting = Field(
        RejectionSetting(resent="hide", overwrites=False), description="113001, Rejected for Quality Reasons"
    )
    safety: RejectionSetting = Field(
        RejectionSetting(at_once=True), description="113037, Rejected for Patient Safety Reasons"
    )
    worklist: RejectionSetting = Field(
        RejectionSetting(at_once=True), description="113038, Incorrect Modality Worklist Entry"
    )
    expired: RejectionSetting = Field(
        RejectionSetting(delete_after_days=0), description="113039, Data Retention Policy Expired"
    )
    emptied: Literal["deprecate", "remove"] = Field(
        "deprecate", description="what becomes of the entry of a study of which nothing is left"
    )


class RetentionSettings(_Section):
    """How long studies are kept. Nothing is deleted before `years` is set."""

    years: int | None = Field(None, ge=1, le=200, description="years that a study is kept; none: for ever")
    after: Literal["study", "patient"] = Field(
        "patient", description="from when they count: the study's date, or that of its patient's last study"
    )
    minor_age: int = Field(18, ge=0, le=120, description="age below which a patient is a child")
    until_age: int | None = Field(None, ge=0, le=120, description="age until which a child's studies are kept at least")
    entries: Literal["deprecate", "remove"] = Field("remove", description="what becomes of the manifests' entries")
    automatic: bool = Field(False, description="the worker does it; false: `xdsi retention` alone")
