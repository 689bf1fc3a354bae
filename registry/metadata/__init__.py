"""The shared kernel: the XDS model, HL7 data types, names of the book, error codes and rules. Standard library only."""
