"""Charter: project accounting by declared rules."""
