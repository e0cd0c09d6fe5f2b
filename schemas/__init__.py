"""JSON Schemas of every file kind, and the record types, read as data. No code."""
