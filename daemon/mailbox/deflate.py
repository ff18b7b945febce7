"""COMPRESS=DEFLATE (RFC 4978): a line on which both sides speak compressed from now on.

Promises: what comes out is handed on in bounded pieces, however well it was packed, so that a bomb
meets the same limits on lines, literals and replies as everything else; a stream that is broken, or
from which nothing comes, is an OSError, as a broken line is. Reading stays imaplib's part: it is
given a file that unpacks what its own file reads. It doesn't negotiate; `imap` does.
"""

import io
import sys
import zlib
from collections.abc import Callable

from daemon.mailbox.buffered_file import BufferedFile, BufferedSource

# Python 3.14 keeps imaplib's read-ahead in a private list instead of in a file.
POSSIBLE = sys.version_info < (3, 14)

_RAW = -15  # raw deflate with the largest window (RFC 4978, 3)
_PIECE = 1 << 16  # bytes that one step reads or unpacks at most
_MOST_FOR_NOTHING = 1 << 16  # packed bytes in a row from which nothing comes
# Commands are short: a small window and little memory pack them as well.
_WINDOW, _MEMORY = -12, 5


def packer() -> Callable[[bytes], bytes]:
    """A function that packs one command after the other, each whole at once."""
    stream = zlib.compressobj(wbits=_WINDOW, memLevel=_MEMORY)
    return lambda line: stream.compress(line) + stream.flush(zlib.Z_SYNC_FLUSH)


def unpacked(source: BufferedSource) -> io.BufferedReader:
    """A file of what `source` brings packed; closing it closes `source`."""
    return io.BufferedReader(_Unpacked(source))


class _Unpacked(BufferedFile):
    """The bytes of a deflate stream, as they come."""

    def __init__(self, source: BufferedSource) -> None:
        super().__init__(source)
        self._stream = zlib.decompressobj(_RAW)
        self._packed = b""
        self._is_full = False  # the last piece was cut: the stream holds more of it

    def piece(self, most: int) -> bytes:
        """The next unpacked bytes; empty at the end of the line or of the stream."""
        most = min(most, _PIECE)
        wasted = 0
        while not self._stream.eof:
            if not self._packed and not self._is_full:
                self._packed = self._source.read1(_PIECE)
                if not self._packed:
                    return b""
            wasted += len(self._packed)
            try:
                piece = self._stream.decompress(self._packed, most)
            except zlib.error as error:
                raise OSError(f"the server's compression is broken: {error}") from error
            self._packed = self._stream.unconsumed_tail
            self._is_full = len(piece) == most
            if piece:
                return piece
            if wasted > _MOST_FOR_NOTHING:
                raise OSError("the server sends compressed nothing without end")
        return b""
