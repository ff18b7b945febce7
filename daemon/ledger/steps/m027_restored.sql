-- A folder that was restored is noticed by what its server counts, where UIDNEXT doesn't show it.
ALTER TABLE folders ADD COLUMN messages INTEGER;
UPDATE folders SET highestmodseq = NULL;
