"""The profiles that are installed: the one list that routes, WSDL and statements are printed from."""

from profiles.catalog import Profile
from profiles.imaging_fhir.profile import PROFILE as IMAGING_FHIR
from profiles.mhd.profile import PROFILE as MHD
from profiles.wia.profile import PROFILE as WIA
from profiles.xds_b.profile import PROFILE as XDS_B
from profiles.xds_i_b.profile import PROFILE as XDS_I_B

PROFILES: tuple[Profile, ...] = (XDS_B, XDS_I_B, MHD, IMAGING_FHIR, WIA)
