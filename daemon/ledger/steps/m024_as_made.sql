-- Which persons are ours although this ledger may not know it.
ALTER TABLE crm_persons ADD COLUMN as_made INTEGER NOT NULL DEFAULT 0;
