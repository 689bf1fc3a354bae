"""The profiles that are installed: the one list that routes, WSDL and statements are printed from."""

from profiles.catalog import Profile
from profiles.dicom.profile import PROFILE as SWF
from profiles.iid.profile import PROFILE as IID
from profiles.imaging_fhir.profile import PROFILE as IMAGING_FHIR
from profiles.mhd.profile import PROFILE as MHD
from profiles.mpq.profile import PROFILE as MPQ
from profiles.pix_feed.profile import PROFILE as PIX_FEED
from profiles.rmd.profile import PROFILE as RMD
from profiles.rmu.profile import PROFILE as RMU
from profiles.wia.profile import PROFILE as WIA
from profiles.xca.profile import PROFILE as XCA
from profiles.xca_i.profile import PROFILE as XCA_I
from profiles.xds_b.profile import PROFILE as XDS_B
from profiles.xds_i_b.profile import PROFILE as XDS_I_B
from profiles.xdsmu.profile import PROFILE as XDSMU

PROFILES: tuple[Profile, ...] = (
    XDS_B,
    XDS_I_B,
    XCA,
    XCA_I,
    MPQ,
    XDSMU,
    RMU,
    RMD,
    PIX_FEED,
    MHD,
    IMAGING_FHIR,
    WIA,
    SWF,
    IID,
)
