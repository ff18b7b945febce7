"""FLOW what a person asks for by hand: audit, undo, forget."""
