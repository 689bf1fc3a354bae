"""A whole-slide image of coloured tiles (PS3.3 A.32.8): pydicom ships none."""

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage, generate_uid

TILE = 256


def slide(study: str, series: str, side: int, number: int) -> bytes:
    """One level of the pyramid, `side` pixels wide and high; `number` from 1, the largest first."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = VLWholeSlideMicroscopyImageStorage, generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, f"{series}.1"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "SLIDE-1", "Zqslide^Xw", "", ""
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20240101", "120000", "1", ""
    data.ReferringPhysicianName, data.Manufacturer, data.PositionReferenceIndicator = "", "X", "SLIDE_CORNER"
    data.Modality, data.SeriesNumber, data.InstanceNumber = "SM", 1, number
    data.ContentDate, data.ContentTime, data.AcquisitionDateTime = "20240101", "120000", "20240101120000"
    whole = number == 1
    data.ImageType = ["ORIGINAL" if whole else "DERIVED", "PRIMARY", "VOLUME", "NONE" if whole else "RESAMPLED"]
    _specimen(data, f"{series}.2")
    _matrix(data, side)
    _optics(data)
    _pixels(data, side)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _specimen(data: Dataset, uid: str) -> None:
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = "S1", uid
    specimen.IssuerOfTheSpecimenIdentifierSequence = specimen.SpecimenPreparationSequence = []
    data.ContainerIdentifier, data.IssuerOfTheContainerIdentifierSequence = "S1", []
    data.ContainerTypeCodeSequence = [_code("433466003", "SCT", "Microscope slide")]
    data.SpecimenDescriptionSequence, data.AcquisitionContextSequence = [specimen], []


def _matrix(data: Dataset, side: int) -> None:
    data.Rows = data.Columns = TILE
    data.TotalPixelMatrixRows = data.TotalPixelMatrixColumns = side
    data.NumberOfFrames, data.DimensionOrganizationType = (side // TILE) ** 2, "TILED_FULL"
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.VolumetricProperties, data.ImageOrientationSlide = "VOLUME", [0, -1, 0, -1, 0, 0]
    data.ImagedVolumeWidth = data.ImagedVolumeHeight = 10.0
    data.ImagedVolumeDepth = 0.001
    origin, measures, kind, shared = Dataset(), Dataset(), Dataset(), Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 5
    measures.PixelSpacing, measures.SliceThickness, kind.FrameType = [10 / side, 10 / side], 0.001, data.ImageType
    shared.PixelMeasuresSequence, shared.WholeSlideMicroscopyImageFrameTypeSequence = [measures], [kind]
    data.TotalPixelMatrixOriginSequence, data.SharedFunctionalGroupsSequence = [origin], [shared]


def _optics(data: Dataset) -> None:
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    path.IlluminationTypeCodeSequence = [_code("111744", "DCM", "Brightfield illumination")]
    path.IlluminationColorCodeSequence = [_code("414298005", "SCT", "Full Spectrum")]
    data.OpticalPathSequence = [path]
    data.FocusMethod, data.ExtendedDepthOfField, data.SpecimenLabelInImage = "AUTO", "NO", "NO"
    data.BurnedInAnnotation, data.LossyImageCompression = "NO", "00"


def _pixels(data: Dataset, side: int) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    y, x = np.mgrid[0:side, 0:side]
    disc = np.hypot(x - side / 2, y - side / 2) < side * 0.4
    image = np.stack([255 * disc, x * 255 // side, y * 255 // side], axis=-1).astype(np.uint8)
    corners = [(row, column) for row in range(0, side, TILE) for column in range(0, side, TILE)]
    data.PixelData = b"".join(image[row : row + TILE, column : column + TILE].tobytes() for row, column in corners)
