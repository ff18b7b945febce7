"""The IMAP edge: folders and messages in, read-only; knows nothing of the ledger or Pipedrive."""
