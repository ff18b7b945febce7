"""Coverage-guided fuzzing with atheris: `python tests/fuzz/run.py [TARGET] [SECONDS]`.

Targets: parse (mail → message → verdict → note), invite, body, imap (replies of a server). Without
a target each runs for SECONDS (60). A crash is written to a file `crash-…` and ends with status 1.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

with atheris.instrument_imports(include=["daemon"]):
    from daemon.errors import Unreadable
    from daemon.mailbox.fetch_response import internal_date, number, read_fetch
    from daemon.mailbox.folders import listed, statuses
    from daemon.mailbox.structure import plan, read_structure
    from daemon.message.body import snippet
    from daemon.message.invite import CalendarPart
    from daemon.message.itip import invites
    from daemon.message.parse import parse
    from daemon.message.verdict import Us, judge
    from daemon.rules.marks import is_of, mark_of, marked

US = Us(addresses=frozenset({"sales@ours.example"}), domains=frozenset({"ours.example"}))


def fuzz_parse(data: bytes) -> None:
    """Read or refused, bounded, printable; judged either way; an activity with our mark."""
    try:
        message = parse(data, size=len(data))
    except Unreadable:
        return
    assert len(message.subject) <= 998
    assert not message.subject or message.subject.isprintable()
    assert len(message.snippet) <= 500
    assert len(message.to) <= 1000
    for in_sent in (False, True):
        judgement = judge(message, in_sent=in_sent, us=US)
        assert judgement.verdict.kind in {"contact", "evidence", "ignored"}
    assert is_of(mark_of(marked(message.snippet, message.key)), message.key)


def fuzz_invite(data: bytes) -> None:
    """Invitations never raise."""
    for one in invites([CalendarPart(data)]):
        assert one.uid
        assert one.sequence >= 0


def fuzz_body(data: bytes) -> None:
    """Text and HTML end up short and without control characters."""
    text = data.decode("utf-8", "replace")
    for found in (snippet(text, None, 200), snippet(None, text, 200), snippet(text, text, 7)):
        assert len(found) <= 200
        assert "\x1b" not in found


def fuzz_imap(data: bytes) -> None:
    """Lines of a server with literals between them, split at zero bytes."""
    response = data.split(b"\x00")
    items = read_fetch(response)
    if items is not None:
        number(items.get(b"UID"))
        internal_date(items.get(b"INTERNALDATE"))
        part = read_structure(items.get(b"BODYSTRUCTURE"))
        if part is not None:
            plan(part)
    listed([response])
    statuses([response])


TARGETS = {
    "parse": fuzz_parse,
    "invite": fuzz_invite,
    "body": fuzz_body,
    "imap": fuzz_imap,
}


def seeds(target: str, into: Path) -> None:
    """The mails of the corpus, or what of them fits the target."""
    for file in sorted((HERE.parent / "messages").glob("*.eml")):
        raw = file.read_bytes()
        if target == "invite":
            begin = raw.find(b"BEGIN:VCALENDAR")
            raw = raw[begin:] if begin >= 0 else b""
        if target == "imap":
            raw = b'* 1 FETCH (UID 1 RFC822.SIZE 9 INTERNALDATE "02-Mar-2026 09:00:00 +0000" BODY[HEADER] \x00'
            raw += file.read_bytes()[:300].replace(b"\x00", b"") + b"\x00"
            raw += b' BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 4 1))'
        if raw:
            (into / file.stem).write_bytes(raw)


def main() -> int:
    """Run one target here, or each in a process of its own."""
    if len(sys.argv) > 1 and sys.argv[1] in TARGETS:
        target, options = sys.argv[1], sys.argv[2:]
        atheris.Setup([sys.argv[0], *options], TARGETS[target])
        atheris.Fuzz()
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    for target in TARGETS:
        with tempfile.TemporaryDirectory() as corpus:
            seeds(target, Path(corpus))
            command = [
                sys.executable,
                __file__,
                target,
                f"-max_total_time={seconds}",
                "-timeout=10",
            ]
            found = subprocess.run([*command, "-max_len=20000", corpus], check=False)
            if found.returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
