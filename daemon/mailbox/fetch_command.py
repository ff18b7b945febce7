"""One UID FETCH: which items of which messages, as the line that is sent."""

from dataclasses import dataclass
from typing import Literal

from daemon.mailbox.cursor import uid_set
from daemon.mailbox.fetch_response import Items
from daemon.mailbox.structure import Want
from daemon.message.fields import WANTED

LONGEST = 3_980  # bytes of a command behind its tag: Microsoft 365 ends at 4,096
EARLY = 4 << 10  # bytes of part 1 that come unseen: all the text of most messages
WHOLE = Want("", 64 << 10)  # of a message whose structure can't be relied on

_HEADER = b"BODY.PEEK[HEADER.FIELDS (" + " ".join(WANTED).encode() + b")]"


@dataclass(frozen=True, slots=True)
class FetchCommand:
    """One command: these items of these messages."""

    kind: Literal["facts", "parts", "whole"]
    uids: tuple[int, ...]
    wants: tuple[Want, ...] = ()
    early: bool = False

    def line(self, thread_item: bytes | None, *, partial: bool) -> bytes:
        """The command; without `partial`, pieces come whole."""

        def piece(section: str, limit: int) -> bytes:
            end = b"<0.%d>" % limit if partial else b""
            return b"BODY.PEEK[%s]%s" % (section.encode(), end)

        if self.kind == "parts":
            asked = [piece(*want) for want in self.wants]
        else:
            asked = [b"INTERNALDATE", b"RFC822.SIZE"]
            if self.kind == "whole":
                asked.append(piece(*WHOLE))
            else:
                asked += [thread_item] if thread_item else []
                early = [piece("1", EARLY)] if self.early and partial else []
                # BODYSTRUCTURE last: where it can't be read, the rest has been.
                asked += [_HEADER, *early, b"BODYSTRUCTURE"]
        return b"UID FETCH %s (UID %s)" % (uid_set(self.uids).encode(), b" ".join(asked))

    def complete(self, items: Items) -> bool:
        """Whether everything that is needed is there; OK alone doesn't say so."""
        if self.kind == "parts":
            return all(b"[%s]" % one.section.encode() in items for one in self.wants)
        return (b"[HEADER]" if self.kind == "facts" else b"[]") in items

    @staticmethod
    def room() -> int:
        """Bytes that a command leaves for UIDs and commas, whatever else it asks for."""
        most = FetchCommand("facts", (), early=True).line(b"X-GM-THRID", partial=True)
        return LONGEST - len(most)

    @property
    def has_pieces(self) -> bool:
        """Whether it asks for the beginning of something."""
        return self.early or self.kind != "facts"
