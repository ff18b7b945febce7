"""The ledger: one SQLite file that holds all state; its tables and views are public API."""
