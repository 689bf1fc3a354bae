"""Which attributes an object must carry, and how they are written: ITI TF-3, table 4.3.1-3, one row an attribute."""

from registry.metadata import formats as f
from registry.metadata.rules import Row

# fmt: off
DOCUMENT_ENTRY = (
    #   attribute                        required format          source
    Row("id",                            True,    None,           "ITI TF-3, 4.2.3.2.7", "entryUUID"),
    Row("class_code",                    True,    None,           "ITI TF-3, 4.2.3.2.3"),
    Row("comments",                      False,   f.text,         "ITI TF-3, 4.2.3.2.4"),
    Row("confidentiality_codes",         True,    None,           "ITI TF-3, 4.2.3.2.5", "confidentialityCode"),
    Row("creation_time",                 True,    f.dtm,          "ITI TF-3, 4.2.3.2.6"),
    Row("format_code",                   True,    None,           "ITI TF-3, 4.2.3.2.9"),
    Row("hash",                          True,    f.sha1,         "ITI TF-3, 4.2.3.2.10"),
    Row("healthcare_facility_type_code", True,    None,           "ITI TF-3, 4.2.3.2.11"),
    Row("home",                          False,   f.home,         "ITI TF-3, 4.2.3.2.12", "homeCommunityId"),
    Row("language_code",                 True,    f.language,     "ITI TF-3, 4.2.3.2.13"),
    Row("legal_authenticator",           False,   f.xcn,          "ITI TF-3, 4.2.3.2.14"),
    Row("mime_type",                     True,    f.mime_type,    "ITI TF-3, 4.2.3.2.16"),
    Row("patient_id",                    True,    f.cx,           "ITI TF-3, 4.2.3.2.18"),
    Row("practice_setting_code",         True,    None,           "ITI TF-3, 4.2.3.2.19"),
    Row("reference_ids",                 False,   f.cxi,          "ITI TF-3, 4.2.3.2.20", "referenceIdList"),
    Row("repository_unique_id",          True,    f.oid,          "ITI TF-3, 4.2.3.2.21"),
    Row("service_start_time",            False,   f.dtm,          "ITI TF-3, 4.2.3.2.22"),
    Row("service_stop_time",             False,   f.dtm,          "ITI TF-3, 4.2.3.2.23"),
    Row("size",                          True,    f.digits,       "ITI TF-3, 4.2.3.2.24"),
    Row("source_patient_id",             True,    f.cx,           "ITI TF-3, 4.2.3.2.25"),
    Row("source_patient_info",           False,   f.patient_info, "ITI TF-3, 4.2.3.2.26"),
    Row("title",                         False,   f.title,        "ITI TF-3, 4.2.3.2.27"),
    Row("type_code",                     True,    None,           "ITI TF-3, 4.2.3.2.28"),
    Row("unique_id",                     True,    f.unique_id,    "ITI TF-3, 4.2.3.2.29"),
)

SUBMISSION_SET = (
    Row("id",                            True,    None,           "ITI TF-3, 4.2.3.3.5", "entryUUID"),
    Row("content_type_code",             True,    None,           "ITI TF-3, 4.2.3.3.4"),
    Row("home",                          False,   f.home,         "ITI TF-3, 4.2.3.3.6", "homeCommunityId"),
    Row("intended_recipients",           False,   f.recipient,    "ITI TF-3, 4.2.3.3.7", "intendedRecipient"),
    Row("patient_id",                    True,    f.cx,           "ITI TF-3, 4.2.3.3.8"),
    Row("source_id",                     True,    f.oid,          "ITI TF-3, 4.2.3.3.9"),
    Row("submission_time",               True,    f.dtm,          "ITI TF-3, 4.2.3.3.10"),
    Row("title",                         False,   f.title,        "ITI TF-3, 4.2.3.3.11"),
    Row("unique_id",                     True,    f.oid,          "ITI TF-3, 4.2.3.3.12"),
)

FOLDER = (
    Row("id",                            True,    None,           "ITI TF-3, 4.2.3.4.4", "entryUUID"),
    Row("codes",                         True,    None,           "ITI TF-3, 4.2.3.4.2", "codeList"),
    Row("home",                          False,   f.home,         "ITI TF-3, 4.2.3.4.5", "homeCommunityId"),
    Row("last_update_time",              False,   f.folder_time,  "ITI TF-3, 4.2.3.4.6"),
    Row("patient_id",                    True,    f.cx,           "ITI TF-3, 4.2.3.4.7"),
    Row("title",                         True,    f.title,        "ITI TF-3, 4.2.3.4.8"),
    Row("unique_id",                     True,    f.oid,          "ITI TF-3, 4.2.3.4.9"),
)

ASSOCIATION = (
    Row("type",                          True,    None,           "ITI TF-3, 4.2.2.1", "associationType"),
    Row("source",                        True,    None,           "ITI TF-3, 4.2.2.1", "sourceObject"),
    Row("target",                        True,    None,           "ITI TF-3, 4.2.2.1", "targetObject"),
)
# fmt: on

# What the repository fills in before it registers, and so need not come with ITI-41 (ITI TF-2, 3.41.4.1.3).
FILLED_BY_REPOSITORY = {"hash", "size", "repository_unique_id"}
PROVIDED_DOCUMENT_ENTRY = tuple(
    Row(r.attribute, r.required and r.attribute not in FILLED_BY_REPOSITORY, r.format, r.source, r.name)
    for r in DOCUMENT_ENTRY
)
