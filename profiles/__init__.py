"""What IHE and HL7 ask: translation and rules, no storage."""
