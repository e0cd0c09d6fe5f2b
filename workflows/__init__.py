"""The declared state machines, read as data. No code."""
