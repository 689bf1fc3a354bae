"""DICOM associations: the transactions of Scheduled Workflow's Image Manager/Archive, a file each."""
