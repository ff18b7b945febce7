"""A slow line on loopback: a proxy with a round trip and a rate, as lines to providers are.

Each direction has half of the round trip as delay; the one from the server also has the rate, in
bytes a second, with no burst. Opening a connection costs a round trip, as TCP does. Both directions
of all connections are counted. Like a router, it holds no more than a small queue: a sender that
is faster has to wait.

    python bench/line.py PORT_OF_THE_SERVER [ROUND_TRIP_SECONDS [BYTES_A_SECOND [each]]]

prints its own port, and, when its standard input ends, the bytes that went up and down.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen

ROUND_TRIP = 0.04
RATE = 5_000_000.0
CHUNK = 16_384
QUEUE = 32  # chunks on the way in one direction: twice what rate times delay can hold


@dataclass(slots=True)
class Line:
    """The line's properties and its counters."""

    server: int
    round_trip: float
    rate: float
    up: int = 0
    down: int = 0
    count: int = 0  # of connections
    each: bool = False  # whether each connection has the rate for itself
    # When the last byte of what is on the way down has left the sender, by connection or for all.
    free: dict[int, float] = field(default_factory=dict)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to the server and back, until either side closes."""
        await asyncio.sleep(self.round_trip)
        self.count += 1
        own = self.count if self.each else 0
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server)
        await asyncio.gather(
            self._carry(reader, far_writer, None), self._carry(far_reader, writer, own)
        )

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, down: int | None
    ) -> None:
        """Carry one direction; `down`: whose rate it has, None for the way up, which has none."""
        loop = asyncio.get_running_loop()
        way: deque[tuple[float, bytes]] = deque()
        room = asyncio.Semaphore(QUEUE)
        arrived = asyncio.Event()

        async def deliver() -> None:
            while True:
                while not way:
                    arrived.clear()
                    await arrived.wait()
                due, data = way.popleft()
                await asyncio.sleep(max(0.0, due - loop.time()))
                room.release()
                if not data:
                    break
                writer.write(data)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await room.acquire()
                now = loop.time()
                if down is not None:
                    self.down += len(data)
                    now = max(self.free.get(down, 0.0), now) + len(data) / self.rate
                    self.free[down] = now
                else:
                    self.up += len(data)
                way.append((now + self.round_trip / 2, data))
                arrived.set()
        way.append((loop.time() + self.round_trip / 2, b""))
        arrived.set()
        with suppress(ConnectionError):
            await delivery
        writer.close()


@dataclass(slots=True)
class Running:
    """A line that runs in a process of its own; the counters are there once it has ended."""

    port: int
    up: int = 0
    down: int = 0


@contextmanager
def slow_line(
    server: int, round_trip: float = ROUND_TRIP, rate: float = RATE, *, each: bool = False
) -> Iterator[Running]:
    """A line to a port of this machine for as long as the block runs.

    `each`: every connection has the rate for itself.
    """
    command = [sys.executable, str(Path(__file__)), str(server), str(round_trip), str(rate)]
    command += ["each"] if each else []
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        running = Running(int(process.stdout.readline()))
        try:
            yield running
        finally:
            counted, _ = process.communicate("")
            running.up, running.down = map(int, counted.split())


async def main(arguments: list[str]) -> None:
    line = Line(
        int(arguments[0]),
        float(arguments[1]) if len(arguments) > 1 else ROUND_TRIP,
        float(arguments[2]) if len(arguments) > 2 else RATE,
        each=arguments[3:] == ["each"],
    )
    proxy = await asyncio.start_server(line.connect, "127.0.0.1", 0)
    print(proxy.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(line.up, line.down, flush=True)
    os._exit(0)  # whoever is still connected is cut off, without a word


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
