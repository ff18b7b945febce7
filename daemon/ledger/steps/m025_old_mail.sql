-- Consent is asked for whatever old mail newly makes, not only where it was read again.
UPDATE OR REPLACE conditions SET part = 'old mail' WHERE part = 'read again';
