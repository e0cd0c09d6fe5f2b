"""Declared rules by subject, read as data; the base pack stands here. No code."""
