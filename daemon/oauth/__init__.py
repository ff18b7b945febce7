"""OAuth 2 for mailboxes: tokens that stay fresh, and the two ways in which a person grants them.

    provider (where and what to ask) ─▶ grant (device or loopback flow, once) ─▶ tokens (refreshed)

An edge of its own: it knows neither IMAP nor the ledger; the mailbox is given a function that
returns an access token.
"""
