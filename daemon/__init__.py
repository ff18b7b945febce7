"""mail2deal turns a sales mailbox into a clean Pipedrive pipeline, each record exactly once.

The flow, which the layout of this package follows:

    IMAP server → mailbox → message → intake → LEDGER → sync → pipedrive → records in Pipedrive

The words, one per thing, everywhere (code, columns, logs, README):

    mailbox   one IMAP account of ours
    folder    one IMAP folder of a mailbox, with the role `inbox` or `sent`
    message   one distinct mail, by message key, however many folders it was seen in
    sighting  (folder, uidvalidity, uid): one place where a message was seen
    sender    one outside e-mail address and its state
    verdict   what one message may do: contact, evidence or ignored, with a reason
    class     what a sender is: ignore, lead or person_with_deal, with a reason
    record    one Pipedrive object that we own or adopted, by a stable key
    change    one create, update or convert that makes a record agree with the ledger
    journal   the changes on their way: planned, sending, done, waiting, parked
"""

__version__ = "0.1.0"
