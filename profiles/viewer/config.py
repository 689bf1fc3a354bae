"""The settings that the viewer loads first, `app-config.js`: one source of images, and what this server can do."""

import orjson

from profiles.viewer.scope import Scope

# The page's address must name the studies when the viewer starts, but no request ever carries it.
SCRIPT = b"""window.PUBLIC_URL = %(assets)s;
window.browserImportFunction = (module) => import(module.replace(/^\\//, window.PUBLIC_URL));
if (location.pathname.replace(/\\/$/, '') === %(page)s) {
  history.replaceState(null, '', %(start)s);
}
window.config = %(config)s;
"""


def app_config(scope: Scope, page: str, assets: str) -> bytes:
    """The script for a page that is served at the path `page`, its parts below `assets`."""
    start = f"{page}/{scope.mode}?StudyInstanceUIDs={','.join(scope.shown)}"
    values = {b"assets": assets, b"page": page, b"start": start, b"config": _config(f"{page}/dicomweb", page)}
    return SCRIPT % {name: orjson.dumps(value) for name, value in values.items()}


def _config(dicomweb: str, page: str) -> dict[str, object]:
    source = {
        "friendlyName": "OpenXDS-I",
        "name": "openxdsi",
        "qidoRoot": dicomweb,
        "wadoRoot": dicomweb,
        "wadoUriRoot": dicomweb,
        "qidoSupportsIncludeField": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "supportsReject": False,
        "supportsStow": False,
        "dicomUploadEnabled": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "singlepart": "bulkdata,video",
        "acceptHeader": ["multipart/related; type=application/octet-stream; transfer-syntax=*"],
        "bulkDataURI": {"enabled": True},
        "omitQuotationForMultipartRequest": True,
    }
    return {
        "routerBasename": page,
        "extensions": [],
        "modes": [],
        # No introduction over the images of whoever opens the viewer for the first time.
        "customizationService": [{"ohif.tours": {"$set": []}}],
        "showStudyList": False,
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "investigationalUseDialog": {"option": "never"},
        "showErrorDetails": "production",
        "maxNumRequests": {"interaction": 100, "thumbnail": 75, "prefetch": 25},
        "defaultDataSourceName": "openxdsi",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "openxdsi",
                "configuration": source,
            }
        ],
    }
