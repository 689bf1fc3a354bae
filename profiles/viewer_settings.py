"""Settings of the viewer."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ViewerSettings(BaseModel):
    """The viewer in the browser, at /viewer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = Field(None, description="where `xdsi viewer install` puts it; empty: viewer in `data`")
    minutes: float = Field(120.0, gt=0, le=1440, description="for how long a page that was opened may ask for images")
    same_patient: bool = Field(False, description="a study's page also shows the patient's other studies")
    key_file: Path | None = Field(
        None, description="file of the key that pages' addresses are sealed with, one for all web hosts; empty: our own"
    )
