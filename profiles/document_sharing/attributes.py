"""Which attributes an object must carry, and how they are written: ITI TF-3, table 4.3.1-3, one row an attribute.

The letters of a row are R (required), O (optional) and X (not to be sent). A table that differs between transactions
has one letter for each, in the order that its heading gives; the tables by transaction are its columns, below.
"""

from dataclasses import replace

from registry.metadata import formats as f
from registry.metadata.rules import OPTIONAL, Row, column

# fmt: off
DOCUMENT_ENTRIES = (
    # use: ITI-42 and 57 and 92, ITI-41, ITI-61 (and 57, 92 of on-demand entries)
    #   attribute                        use    format          source
    Row("id",                            "RRR", f.entry_uuid,   "ITI TF-3, 4.2.3.2.7", "entryUUID"),
    Row("class_code",                    "RRR", None,           "ITI TF-3, 4.2.3.2.3"),
    Row("comments",                      "OOO", f.text,         "ITI TF-3, 4.2.3.2.4"),
    Row("confidentiality_codes",         "RRR", None,           "ITI TF-3, 4.2.3.2.5", "confidentialityCode"),
    Row("creation_time",                 "RRX", f.dtm,          "ITI TF-3, 4.2.3.2.6"),
    Row("event_codes",                   "OOO", None,           "ITI TF-3, 4.2.3.2.8", "eventCodeList"),
    Row("format_code",                   "RRR", None,           "ITI TF-3, 4.2.3.2.9"),
    # The repository fills in what it can tell of the document by itself: so not required of ITI-41.
    Row("hash",                          "ROX", f.sha1,         "ITI TF-3, 4.2.3.2.10"),
    Row("healthcare_facility_type_code", "RRR", None,           "ITI TF-3, 4.2.3.2.11"),
    Row("home",                          "OOO", f.home,         "ITI TF-3, 4.2.3.2.12", "homeCommunityId"),
    Row("language_code",                 "RRR", f.language,     "ITI TF-3, 4.2.3.2.13"),
    Row("legal_authenticator",           "OOX", f.xcn,          "ITI TF-3, 4.2.3.2.14"),
    Row("mime_type",                     "RRR", f.mime_type,    "ITI TF-3, 4.2.3.2.15"),
    Row("patient_id",                    "RRR", f.cx,           "ITI TF-3, 4.2.3.2.16"),
    Row("practice_setting_code",         "RRR", None,           "ITI TF-3, 4.2.3.2.17"),
    Row("repository_unique_id",          "ROR", f.oid,          "ITI TF-3, 4.2.3.2.18"),
    Row("service_start_time",            "OOO", f.dtm,          "ITI TF-3, 4.2.3.2.19"),
    Row("service_stop_time",             "OOO", f.dtm,          "ITI TF-3, 4.2.3.2.20"),
    Row("size",                          "ROX", f.digits,       "ITI TF-3, 4.2.3.2.21"),
    Row("source_patient_id",             "RRR", f.cx,           "ITI TF-3, 4.2.3.2.22"),
    Row("source_patient_info",           "OOO", f.patient_info, "ITI TF-3, 4.2.3.2.23"),
    Row("title",                         "OOO", f.title,        "ITI TF-3, 4.2.3.2.24"),
    Row("type_code",                     "RRR", None,           "ITI TF-3, 4.2.3.2.25"),
    Row("unique_id",                     "RRR", f.unique_id,    "ITI TF-3, 4.2.3.2.26"),
    Row("uri",                           "OOO", f.uri,          "ITI TF-3, 4.2.3.2.27", "URI"),
    Row("reference_ids",                 "OOO", f.cxi,          "ITI TF-3, 4.2.3.2.28", "referenceIdList"),
    Row("document_availability",         "OOO", f.availability, "ITI TF-3, 4.2.3.2"),
)

SUBMISSION_SET = (
    Row("id",                            "R",   f.entry_uuid,   "ITI TF-3, 4.2.3.3.5", "entryUUID"),
    Row("comments",                      "O",   f.text,         "ITI TF-3, 4.2.3.3.3"),
    Row("content_type_code",             "R",   None,           "ITI TF-3, 4.2.3.3.4"),
    Row("home",                          "O",   f.home,         "ITI TF-3, 4.2.3.3.6", "homeCommunityId"),
    Row("intended_recipients",           "O",   f.recipient,    "ITI TF-3, 4.2.3.3.7", "intendedRecipient"),
    Row("patient_id",                    "R",   f.cx,           "ITI TF-3, 4.2.3.3.8"),
    Row("source_id",                     "R",   f.oid,          "ITI TF-3, 4.2.3.3.9"),
    Row("submission_time",               "R",   f.dtm,          "ITI TF-3, 4.2.3.3.10"),
    Row("title",                         "O",   f.title,        "ITI TF-3, 4.2.3.3.11"),
    Row("unique_id",                     "R",   f.oid,          "ITI TF-3, 4.2.3.3.12"),
)

FOLDER = (
    Row("id",                            "R",   f.entry_uuid,   "ITI TF-3, 4.2.3.4.4", "entryUUID"),
    Row("codes",                         "R",   None,           "ITI TF-3, 4.2.3.4.2", "codeList"),
    Row("comments",                      "O",   f.text,         "ITI TF-3, 4.2.3.4.3"),
    Row("home",                          "O",   f.home,         "ITI TF-3, 4.2.3.4.5", "homeCommunityId"),
    # The registry sets it whenever a document is added; what a sender writes need only be a time.
    Row("last_update_time",              "O",   f.folder_time,  "ITI TF-3, 4.2.3.4.6"),
    Row("patient_id",                    "R",   f.cx,           "ITI TF-3, 4.2.3.4.7"),
    Row("title",                         "R",   f.title,        "ITI TF-3, 4.2.3.4.8"),
    Row("unique_id",                     "R",   f.oid,          "ITI TF-3, 4.2.3.4.9"),
)

ASSOCIATION = (
    Row("id",                            "R",   f.entry_uuid,   "ITI TF-3, 4.2.2.1", "entryUUID"),
    Row("type",                          "R",   None,           "ITI TF-3, 4.2.2.1", "associationType"),
    Row("source",                        "R",   None,           "ITI TF-3, 4.2.2.1", "sourceObject"),
    Row("target",                        "R",   None,           "ITI TF-3, 4.2.2.1", "targetObject"),
)

AUTHOR = (
    Row("person",                        "O",   f.xcn,          "ITI TF-3, 4.2.3.1.4", "authorPerson"),
    Row("institutions",                  "O",   f.xon,          "ITI TF-3, 4.2.3.1.4", "authorInstitution"),
    # Roles and specialties are codes or plain words: no authority is asked for.
    Row("roles",                         "O",   f.text,         "ITI TF-3, 4.2.3.1.4", "authorRole"),
    Row("specialties",                   "O",   f.text,         "ITI TF-3, 4.2.3.1.4", "authorSpecialty"),
    Row("telecommunications",            "O",   f.xtn,          "ITI TF-3, 4.2.3.1.4", "authorTelecommunication"),
)
# fmt: on

DOCUMENT_ENTRY = column(DOCUMENT_ENTRIES, 0)
PROVIDED_DOCUMENT_ENTRY = column(DOCUMENT_ENTRIES, 1)
ON_DEMAND_DOCUMENT_ENTRY = column(DOCUMENT_ENTRIES, 2)
# An entry of a kind that the transaction does not take is judged by what all kinds have in common.
ANY_DOCUMENT_ENTRY = tuple(
    replace(row, use=row.use[0] if len(set(row.use)) == 1 else OPTIONAL) for row in DOCUMENT_ENTRIES
)
