"""Objects of the demonstration region that no package brings: drawn by arithmetic, the same on every machine.

A photograph of skin, a slide of two levels (PS3.3 A.32.8), and the printed result of a test as a PDF.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO

import numpy as np
from fpdf import FPDF
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage, VLWholeSlideMicroscopyImageStorage

from profiles.demo.region import uid_of
from repository.imaging.wrapped_document import document_of

Picture = NDArray[np.uint8]

TILE = 256
WIDTH, HEIGHT = 1536, 1024  # pixels of the lower level, a multiple of twice the tile
SPACING = 0.0005  # millimetres: a lens of 20
SEED = 7
NUCLEI = 900
SPIROMETRY = ("FVC     4,12 l     98 %", "FEV1     3,31 l     97 %", "FEV1/FVC     0,80", "PEF     8,4 l/s     101 %")


def photograph() -> Dataset:
    """Skin with a brown mark: VL Photographic Image, compressed as a camera would."""
    y, x = np.mgrid[0:480, 0:640].astype(np.float32)
    noise = np.random.default_rng(SEED).normal(0, 3, (480, 640, 1)).astype(np.float32)
    mark = 1 / (1 + np.exp((np.hypot((x - 330) / 1.25, y - 235) - 70 - 6 * np.sin(x / 19)) / 5))
    skin = np.stack([226 - x / 40, 178 - y / 30, 155 - x / 60], axis=-1)
    seen = _picture(skin - mark[..., None] * np.array([110, 105, 95], np.float32) + noise)
    data = _pixels(VLPhotographicImageStorage, "XC", seen.shape[0], seen.shape[1], [seen])
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.PatientOrientation = ""
    return data


def slide(level: int) -> Dataset:
    """A level of the slide, the lowest being 0: VL Whole Slide Microscopy, tiled in full."""
    factor = 1 << level
    seen = _tissue()[::factor, ::factor]
    rows, columns = seen.shape[:2]
    tiles = [
        seen[top : top + TILE, left : left + TILE] for top in range(0, rows, TILE) for left in range(0, columns, TILE)
    ]
    data = _pixels(VLWholeSlideMicroscopyImageStorage, "SM", TILE, TILE, tiles)
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "RESAMPLED" if level else "NONE"]
    data.NumberOfFrames = len(tiles)
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows, data.TotalPixelMatrixFocalPlanes = columns, rows, 1
    data.ImagedVolumeWidth, data.ImagedVolumeHeight, data.ImagedVolumeDepth = WIDTH * SPACING, HEIGHT * SPACING, 4.0
    data.TotalPixelMatrixOriginSequence = [
        _item(XOffsetInSlideCoordinateSystem=20.0, YOffsetInSlideCoordinateSystem=40.0)
    ]
    data.ImageOrientationSlide = [0.0, -1.0, 0.0, -1.0, 0.0, 0.0]
    data.SharedFunctionalGroupsSequence = [_shared(SPACING * factor, data.ImageType)]
    _on_glass(data)
    return data


def result() -> Dataset:
    """The printed result of a spirometry: Encapsulated PDF."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(datetime(2024, 1, 1, tzinfo=UTC))
    pdf.set_title("Spirometri")
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 16)
    pdf.cell(0, 12, "Spirometri", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", "", 11)
    for line in SPIROMETRY:
        pdf.cell(0, 8, line, new_x="LMARGIN", new_y="NEXT")
    made = document_of(bytes(pdf.output()), "Spirometri")
    if made is None:
        raise AssertionError("what fpdf writes is a PDF")
    return _with_meta(made.dataset, made.transfer_syntax)


MADE: Mapping[str, Callable[[], Dataset]] = {
    "made/photograph": photograph,
    "made/slide 0": lambda: slide(0),
    "made/slide 1": lambda: slide(1),
    "made/result": result,
}


@lru_cache(maxsize=1)
def _tissue() -> Picture:
    """A section stained with haematoxylin and eosin: a pink ground with violet nuclei, and glass around it."""
    chance = np.random.default_rng(SEED)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    waves = np.sin(x / 61 + 2 * np.sin(y / 83)) + np.cos(y / 47 + x / 129)
    stained = np.stack([228 + 8 * waves, 160 + 22 * waves, 196 + 12 * waves], axis=-1)
    for column, row, size in zip(
        chance.integers(20, WIDTH - 20, NUCLEI),
        chance.integers(20, HEIGHT - 20, NUCLEI),
        chance.uniform(4, 9, NUCLEI),
        strict=True,
    ):
        area = np.s_[row - 12 : row + 12, column - 12 : column + 12]
        inside = np.hypot(x[area] - column, y[area] - row) < size
        stained[area][inside] = (96, 62, 138)
    outside = np.hypot((x - WIDTH / 2) / WIDTH, (y - HEIGHT / 2) / HEIGHT) > 0.46 + waves / 60
    stained[outside] = 243
    return _picture(stained)


def _picture(values: NDArray[np.float32]) -> Picture:
    return values.clip(0, 255).astype(np.uint8)


def _pixels(sop_class: str, modality: str, rows: int, columns: int, frames: list[Picture]) -> Dataset:
    data = _item(
        SOPClassUID=sop_class, Modality=modality, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=0, Rows=rows, Columns=columns, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, LossyImageCompression="01", LossyImageCompressionMethod="ISO_10918_1",
        AcquisitionContextSequence=[], BurnedInAnnotation="NO", Manufacturer="OpenXDS-I",
        SpecificCharacterSet="ISO_IR 192",
    )  # fmt: skip
    encoded = [_jpeg(frame) for frame in frames]
    data.LossyImageCompressionRatio = f"{len(frames) * rows * columns * 3 / sum(map(len, encoded)):.2f}"
    data.PixelData = encapsulate(encoded)
    return _with_meta(data, JPEGBaseline8Bit)


def _jpeg(frame: Picture) -> bytes:
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(out, "JPEG", quality=85)
    return out.getvalue()


def _shared(spacing: float, image_type: list[str]) -> Dataset:
    """PS3.3 C.8.12.4 and C.7.6.16.2: what holds for all tiles."""
    return _item(
        PixelMeasuresSequence=[_item(PixelSpacing=[spacing, spacing], SliceThickness=0.004)],
        WholeSlideMicroscopyImageFrameTypeSequence=[_item(FrameType=image_type)],
        OpticalPathIdentificationSequence=[_item(OpticalPathIdentifier="1")],
    )


def _on_glass(data: Dataset) -> None:
    """Specimen, optical path and the organisation of tiles (PS3.3 C.7.6.22, C.8.12.5, C.7.6.17)."""
    frame, dimension = uid_of("slide frame of reference"), uid_of("slide dimensions")
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame, "SLIDE_CORNER"
    data.DimensionOrganizationType = "TILED_FULL"
    data.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=dimension)]
    data.VolumetricProperties, data.SpecimenLabelInImage, data.FocusMethod = "VOLUME", "NO", "AUTO"
    data.ExtendedDepthOfField, data.NumberOfOpticalPaths = "NO", 1
    data.OpticalPathSequence = [
        _item(
            OpticalPathIdentifier="1",
            IlluminationTypeCodeSequence=[_code("111744", "DCM", "Brightfield illumination")],
            IlluminationColorCodeSequence=[_code("414298005", "SCT", "Full Spectrum")],
            ObjectiveLensPower="20",
        )
    ]
    data.ContainerIdentifier, data.IssuerOfTheContainerIdentifierSequence = "H1-1", []
    data.ContainerTypeCodeSequence = [_code("433466003", "SCT", "Microscope slide")]
    data.SpecimenDescriptionSequence = [
        _item(
            SpecimenIdentifier="H1-1",
            SpecimenUID=uid_of("slide specimen"),
            IssuerOfTheSpecimenIdentifierSequence=[],
            SpecimenPreparationSequence=[],
        )
    ]


def _with_meta(data: Dataset, syntax: str) -> Dataset:
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.TransferSyntaxUID = data.SOPClassUID, syntax
    return data


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
