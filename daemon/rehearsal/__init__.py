"""The whole job as it would go, without a write: a scratch ledger and a copy of the CRM.

    remote (list the real CRM) → scratch (copy the ledger) → stage (seed a sandbox) → forecast

What the ordinary intake and sync do there is what they would do for real, because it is the same
code on the same state. Promises: the real CRM is only listed, the mailbox only read, the real
ledger only copied. Doesn't know what people do meanwhile.
"""
