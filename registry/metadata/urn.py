"""Every URN, UUID and OID of the Technical Framework that the product speaks, one enumeration a table of the book.

No other file holds such a literal: a reader who meets a name here finds its meaning in the book by its comment, and a
test walks the tree to keep it so.
"""

from enum import StrEnum, unique


@unique
class ObjectType(StrEnum):
    """ebRIM objectType and RegistryPackage classification nodes (ITI TF-3, 4.2.5.1)."""

    STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    ON_DEMAND_DOCUMENT = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
    SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
    REGISTRY_PACKAGE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage"
    ASSOCIATION = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"
    CLASSIFICATION = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification"
    EXTERNAL_IDENTIFIER = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier"


@unique
class ClassificationScheme(StrEnum):
    """classificationScheme of each coded or structured attribute (ITI TF-3, 4.2.5.2)."""

    DOCUMENT_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
    CLASS_CODE = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
    CONFIDENTIALITY_CODE = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
    EVENT_CODE = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
    FORMAT_CODE = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
    HEALTHCARE_FACILITY_TYPE_CODE = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
    PRACTICE_SETTING_CODE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
    TYPE_CODE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
    DOCUMENT_LIMITED_METADATA = "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"
    SUBMISSION_SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
    CONTENT_TYPE_CODE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
    SUBMISSION_SET_LIMITED_METADATA = "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
    FOLDER_CODE = "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"
    FOLDER_LIMITED_METADATA = "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03"
    ASSOCIATION_DOCUMENTATION = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"


@unique
class IdentificationScheme(StrEnum):
    """identificationScheme of each ExternalIdentifier (ITI TF-3, 4.2.5.2)."""

    DOCUMENT_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
    DOCUMENT_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    SUBMISSION_SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
    SUBMISSION_SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
    SUBMISSION_SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
    FOLDER_PATIENT_ID = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"
    FOLDER_UNIQUE_ID = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"


@unique
class AssociationType(StrEnum):
    """ITI TF-3, 4.2.2 table 4.2.2-1; the last three belong to Metadata Update (4.2.2.1)."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
    APND = "urn:ihe:iti:2007:AssociationType:APND"
    XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
    XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
    UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    SUBMIT_ASSOCIATION = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"


DOCUMENT_RELATIONS = frozenset(
    {
        AssociationType.RPLC,
        AssociationType.APND,
        AssociationType.XFRM,
        AssociationType.XFRM_RPLC,
        AssociationType.SIGNS,
    }
)
"""The types that relate a new document to one that is registered (ITI TF-3, 4.2.2.2)."""


@unique
class Status(StrEnum):
    """availabilityStatus (ITI TF-3, 4.2.3.2.2)."""

    APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"


@unique
class ResponseStatus(StrEnum):
    """ITI TF-3, 4.2.4.2; PartialSuccess is IHE's own and has IHE's prefix."""

    SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"


@unique
class Severity(StrEnum):
    """ITI TF-3, 4.2.4.1."""

    ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
    WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"


@unique
class ReferenceIdType(StrEnum):
    """CXi.5, the kinds of identifier in referenceIdList (ITI TF-3, 4.2.3.2.28 and table 4.2.3.1.7-2)."""

    UNIQUE_ID = "urn:ihe:iti:xds:2013:uniqueId"
    ACCESSION = "urn:ihe:iti:xds:2013:accession"
    REFERRAL = "urn:ihe:iti:xds:2013:referral"
    ORDER = "urn:ihe:iti:xds:2013:order"
    WORKFLOW_INSTANCE_ID = "urn:ihe:iti:xdw:2013:workflowInstanceId"
    ENCOUNTER_ID = "urn:ihe:iti:xds:2015:encounterId"
    STUDY_INSTANCE_UID = "urn:ihe:iti:xds:2016:studyInstanceUID"


@unique
class SlotName(StrEnum):
    """Slots whose names are URNs rather than words (ITI TF-3, 4.2.3.2 and 4.2.5)."""

    REFERENCE_ID_LIST = "urn:ihe:iti:xds:2013:referenceIdList"
    DOCUMENT_AVAILABILITY = "urn:ihe:iti:xds:2010:DocumentAvailability"


@unique
class DocumentAvailability(StrEnum):
    """documentAvailability (ITI TF-3, 4.2.3.2)."""

    ONLINE = "urn:ihe:iti:2010:DocumentAvailability:Online"
    OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"


@unique
class StoredQueryId(StrEnum):
    """AdhocQuery/@id of the stored queries (ITI TF-2, 3.18.4.1.2.4)."""

    FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
    FIND_DOCUMENTS_BY_REFERENCE_ID = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
    # dcm4che's constant lacks a dash; its products are in the field, so the registry knows both spellings.
    FIND_DOCUMENTS_BY_REFERENCE_ID_DCM4CHE = "urn:uuid:12941a89-e02e-4be5-967cce4bfc8fe492"
    GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
    GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
    GET_SUBMISSION_SET_AND_CONTENTS = "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83"
    FIND_DOCUMENTS_EXCLUDE = "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435"
    FIND_SUBMISSION_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
    FIND_FOLDERS = "urn:uuid:958f3006-baad-4929-a4de-ff1114824431"
    GET_ALL = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"
    GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
    GET_DOCUMENTS_AND_ASSOCIATIONS = "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a"
    GET_SUBMISSION_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"
    GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
    GET_FOLDERS_FOR_DOCUMENT = "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578"
    GET_RELATED_DOCUMENTS = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
    # ITI-51, Multi-Patient Stored Query (ITI TF-2, 3.51.4.1.2.3).
    FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
    FIND_FOLDERS_FOR_MULTIPLE_PATIENTS = "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df"
    FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS = "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5"


@unique
class Action(StrEnum):
    """wsa:Action of each SOAP request; the answer's is `.response` (ITI TF-2 3.18, 3.41-3.43; RAD TF-2 4.69)."""

    REGISTRY_STORED_QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
    REGISTER_DOCUMENT_SET = "urn:ihe:iti:2007:RegisterDocumentSet-b"
    PROVIDE_AND_REGISTER_DOCUMENT_SET = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
    RETRIEVE_DOCUMENT_SET = "urn:ihe:iti:2007:RetrieveDocumentSet"
    RETRIEVE_IMAGING_DOCUMENT_SET = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
    CROSS_GATEWAY_RETRIEVE_IMAGING_DOCUMENT_SET = "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet"
    MULTI_PATIENT_STORED_QUERY = "urn:ihe:iti:2009:MultiPatientStoredQuery"
    UPDATE_DOCUMENT_SET = "urn:ihe:iti:2010:UpdateDocumentSet"
    REGISTER_ON_DEMAND_DOCUMENT_ENTRY = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
    DELETE_DOCUMENT_SET = "urn:ihe:iti:2010:DeleteDocumentSet"
    REMOVE_DOCUMENTS = "urn:ihe:iti:2017:RemoveDocuments"
    RESTRICTED_UPDATE_DOCUMENT_SET = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
    CROSS_GATEWAY_QUERY = "urn:ihe:iti:2007:CrossGatewayQuery"
    CROSS_GATEWAY_RETRIEVE = "urn:ihe:iti:2007:CrossGatewayRetrieve"
    PATIENT_ADDED = "urn:hl7-org:v3:PRPA_IN201301UV02"
    PATIENT_REVISED = "urn:hl7-org:v3:PRPA_IN201302UV02"
    PATIENTS_MERGED = "urn:hl7-org:v3:PRPA_IN201304UV02"
    ACKNOWLEDGED = "urn:hl7-org:v3:MCCI_IN000002UV01"

    @property
    def response(self) -> str:
        """The answer's action: `...Response`, but RAD-69 answers with ITI-43's and ITI-44 with HL7's.

        RAD TF-2, 4.69.5; ITI TF-2, 3.44.
        """
        return ANSWERED_BY.get(self) or f"{self}Response"


ANSWERED_BY = {
    Action.RETRIEVE_IMAGING_DOCUMENT_SET: f"{Action.RETRIEVE_DOCUMENT_SET}Response",
    Action.PATIENT_ADDED: Action.ACKNOWLEDGED.value,
    Action.PATIENT_REVISED: Action.ACKNOWLEDGED.value,
    Action.PATIENTS_MERGED: Action.ACKNOWLEDGED.value,
}


@unique
class FormatCode(StrEnum):
    """Format codes of imaging documents (RAD TF-3 4.68; scheme in `CodingScheme`)."""

    KOS_MANIFEST = "1.2.840.10008.5.1.4.1.1.88.59"
    PDF_REPORT = "urn:ihe:rad:PDF"
    TEXT_REPORT = "urn:ihe:rad:TEXT"
    CDA_REPORT = "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"


@unique
class CodingScheme(StrEnum):
    """OIDs of the coding schemes that the product itself writes; the affinity domain adds its own by settings."""

    DICOM_UID_REGISTRY = "1.2.840.10008.2.6.1"
    DICOM_CONTROLLED_TERMINOLOGY = "1.2.840.10008.2.16.4"
    IHE_FORMAT_CODES = "1.3.6.1.4.1.19376.1.2.3"
    IHE_RAD_FORMAT_CODES = "1.3.6.1.4.1.19376.1.2.7.1"
    LOINC = "2.16.840.1.113883.6.1"
    SNOMED_CT = "2.16.840.1.113883.6.96"
    CONFIDENTIALITY = "2.16.840.1.113883.5.25"


@unique
class Namespace(StrEnum):
    """XML namespaces of the messages (ITI TF-2 Appendix V; RAD TF-2, 4.69)."""

    SOAP = "http://www.w3.org/2003/05/soap-envelope"
    SOAP_1_1 = "http://schemas.xmlsoap.org/soap/envelope/"
    SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    ADDRESSING = "http://www.w3.org/2005/08/addressing"
    XOP = "http://www.w3.org/2004/08/xop/include"
    RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
    LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
    QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
    RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
    XDS_B = "urn:ihe:iti:xds-b:2007"
    XDS_I_B = "urn:ihe:rad:xdsi-b:2009"
    RMD = "urn:ihe:iti:rmd:2017"
    HL7_V3 = "urn:hl7-org:v3"
    WSDL = "http://schemas.xmlsoap.org/wsdl/"
    WSDL_SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
    WSDL_ADDRESSING = "http://www.w3.org/2006/05/addressing/wsdl"
    XML_SCHEMA = "http://www.w3.org/2001/XMLSchema"
    NATIVE_DICOM = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


@unique
class FhirSystem(StrEnum):
    """URIs that FHIR names identifiers and coding schemes by (FHIR R4, 2.24 and 4.3; MHD and MADO, content)."""

    URI = "urn:ietf:rfc:3986"
    DICOM_UID = "urn:dicom:uid"
    OID_PREFIX = "urn:oid:"
    UUID_PREFIX = "urn:uuid:"
    LOINC = "http://loinc.org"
    SNOMED_CT = "http://snomed.info/sct"
    DICOM = "http://dicom.nema.org/resources/ontology/DCM"
    DICOM_UID_REGISTRY = "http://dicom.nema.org/resources/ontology/DCMUID"
    IHE_FORMAT_CODES = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
    CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
    DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
    ENDPOINT_CONNECTION = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
    ENDPOINT_PAYLOAD = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"
    MHD_IDENTIFIER_TYPE = "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType"
    ERROR_CODE = "urn:openxdsi:error-code"
    PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"
    SAMORDNINGSNUMMER = "http://electronichealth.se/identifier/samordningsnummer"


@unique
class FhirExtension(StrEnum):
    """Extensions of FHIR resources that the product writes."""

    ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    HOME_COMMUNITY_ID = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-HomeCommunityId"
    MODALITY = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DocumentReference.modality"
    NUMBER_OF_FRAMES = "https://profiles.ihe.net/RAD/MADO/StructureDefinition/MadoNumberOfFrames"
    RETRIEVE_LOCATION_UID = "https://profiles.ihe.net/RAD/MADO/StructureDefinition/MadoRetrieveLocationUIDExtension"


@unique
class PatientAuthority(StrEnum):
    """Assigning authorities of national identities that FHIR has other URIs for (HL7 Sweden, base profiles)."""

    PERSONNUMMER = "1.2.752.129.2.1.3.1"
    SAMORDNINGSNUMMER = "1.2.752.129.2.1.3.3"


@unique
class Hl7V3(StrEnum):
    """OIDs in messages of HL7 v3 (ITI TF-2, 3.44 and appendix O)."""

    INTERACTIONS = "2.16.840.1.113883.1.6"
    DETAIL_CODES = "2.16.840.1.113883.5.1100"


@unique
class Arc(StrEnum):
    """OID arcs below which ids are made: by UUID (ITU-T X.667), and for the invented hospitals of the demonstration."""

    UUID = "2.25"
    DEMONSTRATION_HOSPITALS = "1.2.752.129.2.9.100"
