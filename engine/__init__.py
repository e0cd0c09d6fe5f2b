"""The generic engine: executes declared rules and workflows against a relational store."""
