"""A file over another file that imaplib has read from, which may have read ahead already."""

import io
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BufferedSource(Protocol):
    """What imaplib reads from."""

    def read1(self, size: int = ..., /) -> bytes:
        """At most `size` bytes, those that are there; empty at the end."""

    def close(self) -> None:
        """Let go of the socket."""


class BufferedFile(io.RawIOBase):
    """What comes from `source`; a subclass may make something else of it."""

    def __init__(self, source: BufferedSource) -> None:
        self._source = source

    def readable(self) -> bool:
        """As every file for reading says."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill some of `buffer`; 0 at the end."""
        with memoryview(buffer) as room:
            piece = self.piece(len(room))
            room[: len(piece)] = piece
        return len(piece)

    def piece(self, most: int) -> bytes:
        """The next bytes, at most so many; empty at the end."""
        return self._source.read1(most)

    def close(self) -> None:
        """Close the source, too: until then its socket stays open."""
        if not self.closed:
            super().close()
            self._source.close()
