"""A DNS server on loopback that answers from a table; everything else doesn't exist (RFC 1035)."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

Table = Mapping[tuple[str, str], list[str]]


@contextmanager
def name_server(table: Table, *, silent: bool = False) -> Iterator[dns.resolver.Resolver]:
    """A resolver that asks it; `silent`: it never answers."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(0.05)
    left = threading.Event()

    def serve() -> None:
        while not left.is_set():
            try:
                octets, whence = listener.recvfrom(4096)
            except TimeoutError:
                continue
            if not silent:
                listener.sendto(_answer(octets, table), whence)

    thread = threading.Thread(target=serve)
    thread.start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], listener.getsockname()[1]
    try:
        yield resolver
    finally:
        left.set()
        thread.join()
        listener.close()


def _answer(octets: bytes, table: Table) -> bytes:
    query = dns.message.from_wire(octets)
    (question,) = query.question
    kind = dns.rdatatype.to_text(question.rdtype)
    records = table.get((question.name.to_text(omit_final_dot=True), kind))
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    if records is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    else:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
    return response.to_wire()
