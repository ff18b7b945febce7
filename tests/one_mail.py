"""One mail of a few lines, read as it would be from the mailbox, and what is made of it."""

from daemon.message.parse import Message, parse
from daemon.message.verdict import Us, judge

US = Us(domains=frozenset({"us.example"}))
HOP = "from mail.there.example (mail.there.example [192.0.2.1]) by mx.us.example (Postfix) with ESMTPS"


def mail(
    text: str,
    subject: str = "Angebot",
    sender: str = "Ada Berg <a.berg@berg.example>",
    **fields: str,
) -> Message:
    """A mail from outside; fields by name, with _ for -; an empty one is left out."""
    header = {
        "Return-Path": "<a.berg@berg.example>",
        "Received": f"{HOP}; Mon, 23 Nov 2026 10:00:00 +0100",
        "From": sender,
        "To": "sales@us.example",
        "Subject": subject,
        "Date": "Mon, 23 Nov 2026 10:00:00 +0100",
        "Message-ID": "<x1@berg.example>",
        "Content-Type": "text/plain; charset=utf-8",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in header.items() if value]
    raw = "\r\n".join([*lines, "", *text.split("\n"), ""]).encode("utf-8", "replace")
    return parse(raw, size=len(raw))


def reason(message: Message) -> str:
    """The verdict's reason, "human" for a contact."""
    verdict = judge(message, in_sent=False, us=US).verdict
    return verdict.reason if verdict.kind == "evidence" else "human"
