"""The bytes of one connection: read within bounds of time and size, compressed if both sides agree.

Every answer has a deadline and a number of bytes, however slowly or generously the server sends
it. In the middle of it a server may be silent for a while; what it sends earns it more time at the
slowest rate that we accept, so a literal that comes byte by byte ends as soon as silence does.
While it waits, `alive` is called about once a second: waiting for a server isn't hanging.
Compression is DEFLATE (RFC 4978), unpacked in bounded pieces, so that the same bounds hold for it.
"""

import contextlib
import io
import socket
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Told how many seconds the present answer has taken so far, and how many bytes of it have come.
Alive = Callable[[float, int], object]

_BUFFER = 1 << 18  # bytes of one read: where other threads compute, each read waits for them
_SLICE = 1.0  # seconds of waiting between two signs of life
SLOWEST = 2000  # bytes a second; a message of 64 kB may take half a minute more than silence
_RAW_DEFLATE = -15  # with the largest window (RFC 4978, 3)
_PIECE = 1 << 16  # bytes that one step reads or unpacks at most
_MOST_FOR_NOTHING = 1 << 16  # compressed bytes in a row from which nothing comes
# Commands are short: a small window and little memory compress them as well.
_WINDOW, _MEMORY = -12, 5


class Stream:
    """A buffered line to a server; what fails raises OSError, silence TimeoutError."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        silence: float,
        alive: Alive = lambda *_: None,
    ) -> None:
        """`silence` is how many seconds a server may say nothing in the middle of an answer."""
        self.socket = sock
        self._silence = silence
        self._receiver = _Receiver(sock, silence, alive)
        self._file = io.BufferedReader(self._receiver, _BUFFER)
        self._compressor: zlib._Compress | None = None
        self._handed_over = False

    @property
    def compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._compressor is not None

    def expect(self, *, seconds: float, size: int) -> None:
        """Begin an answer that must end within so many seconds and bytes."""
        self._receiver.began = time.monotonic()
        self._receiver.deadline = self._receiver.began + seconds
        self._receiver.left = self._receiver.most = size
        self.progress()

    def progress(self) -> None:
        """Something whole has come: the server may be silent as long as ever again."""
        self._receiver.patience = self._silence

    def readline(self, limit: int) -> bytes:
        """The next line with its end, at most `limit` bytes of it; empty at the end."""
        return self._file.readline(limit)

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer at the end."""
        if size > self._receiver.left + _BUFFER:
            raise OSError(f"the server announces {size} bytes")
        return self._file.read(size)

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self.socket.settimeout(self._silence)
        if self._compressor is not None:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def compress(self) -> None:
        """Both sides compress from now on; what was read ahead is compressed already."""
        self._receiver.unpack_after(self._read_ahead())
        self._compressor = zlib.compressobj(wbits=_WINDOW, memLevel=_MEMORY)

    def hand_over(self) -> bytes:
        """What was read ahead; the socket, from now on non-blocking, belongs to the caller."""
        if self.compressed:
            raise RuntimeError("a compressed line can't be handed over")
        ahead = self._read_ahead()
        self.socket.settimeout(0)
        self._handed_over = True
        return ahead

    def interrupt(self) -> None:
        """Have a read fail within a second; the one call that another thread may make."""
        self._receiver.interrupted = True
        if self._handed_over:
            with contextlib.suppress(OSError):  # gone already
                self.socket.shutdown(socket.SHUT_RDWR)

    def _read_ahead(self) -> bytes:
        self._receiver.paused = True
        ahead = self._file.read(len(self._file.peek()))
        self._receiver.paused = False
        return ahead


class _Receiver(io.RawIOBase):
    """What comes from the socket, unpacked if it is compressed."""

    def __init__(self, sock: socket.socket, silence: float, alive: Alive) -> None:
        self.began = self.deadline = self._beaten = time.monotonic()
        self.left = self.most = 0  # bytes of this answer
        self.patience = silence  # seconds that we still wait for bytes
        self.interrupted = False
        self.paused = False  # behave as if nothing were there
        self._socket = sock
        self._silence = silence
        self._alive = alive
        self._inflate: zlib._Decompress | None = None
        self._packed = b""
        self._is_full = False  # the last piece was cut: there is more of it

    def readable(self) -> bool:
        """As every file for reading says."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        """Fill some of `buffer`; 0 at the end."""
        if self.paused:
            return None
        with memoryview(buffer) as room:
            if self._inflate is None:
                size = self._receive(room)
            else:
                piece = self._unpacked(self._inflate, min(len(room), _PIECE))
                size = len(piece)
                room[:size] = piece
        self.left -= size
        if self.left < 0:
            raise OSError("the server talks without end")
        return size

    def unpack_after(self, packed: bytes) -> None:
        """Unpack what comes, after these bytes that have come already."""
        self._inflate, self._packed = zlib.decompressobj(_RAW_DEFLATE), packed

    def _receive(self, room: "WriteableBuffer") -> int:
        while True:
            now = time.monotonic()
            if now - self._beaten >= _SLICE:
                self._beaten = now
                self._alive(now - self.began, self.most - self.left)
            if self.interrupted:
                raise OSError("interrupted")
            if now >= self.deadline:
                raise TimeoutError("the answer doesn't end")
            if self.patience <= 0:
                raise TimeoutError("no answer in time")
            wait = min(self.deadline - now, self.patience, _SLICE)
            self._socket.settimeout(wait)
            try:
                size = self._socket.recv_into(room)
            except TimeoutError:
                self.patience -= wait
                continue
            # Only time spent waiting counts, not how long this process had no turn.
            self.patience -= min(time.monotonic() - now, wait)
            self.patience = min(self._silence, self.patience + size / SLOWEST)
            return size

    def _unpacked(self, inflate: "zlib._Decompress", most: int) -> bytes:
        """The next unpacked bytes; empty at the end of the line or of the compressed data."""
        wasted = 0
        while not inflate.eof:
            if not self._packed and not self._is_full:
                packed = bytearray(_PIECE)
                self._packed = bytes(packed[: self._receive(packed)])
                if not self._packed:
                    return b""
            wasted += len(self._packed)
            try:
                piece = inflate.decompress(self._packed, most)
            except zlib.error as error:
                raise OSError(f"the server's compression is broken: {error}") from error
            self._packed = inflate.unconsumed_tail
            self._is_full = len(piece) == most
            if piece:
                return piece
            if wasted > _MOST_FOR_NOTHING:
                raise OSError("the server sends compressed nothing without end")
        return b""
