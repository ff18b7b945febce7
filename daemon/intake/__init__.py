"""FLOW mailbox → message → ledger: what is new in each folder, read once, counted once."""
