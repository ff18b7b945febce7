"""A big mailbox for benchmarks: the generated company's mail at the sizes that real mail has.

Most mails are a few kilobytes, a quarter has an inline image, and one in twelve has attachments
that carry most of the bytes. Received mail has the trace and signature headers of the way. Attached
bytes are base64 of noise, so nothing here compresses better than real mail does. The facts of each
mail stay true: only weight is added. Written straight into a Maildir, as fast as the disk takes it:

    python bench/corpus.py DIRECTORY [COUNT [MEAN_BYTES]]
"""

import base64
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from daemon.sandbox.company import Mail

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from correspondence import generate

__all__ = ["bench_corpus", "generate", "write_maildir"]

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
POOL_BYTES = 8 << 20
INLINE_SHARE, ATTACHED_SHARE = 0.25, 0.08
MEDIAN_INLINE, LARGEST = 40_000, 12_000_000
WHOLE = (b"multipart/report", b"multipart/signed", b"multipart/encrypted", b"pkcs7-mime")


def bench_corpus(count: int, mean_bytes: int = 64_000, *, seed: int = 1) -> Iterator[Mail]:
    """`count` mails of about `mean_bytes` on average, one at a time; same arguments, same bytes."""
    rng = random.Random(seed)
    pool = base64.encodebytes(rng.randbytes(POOL_BYTES)).replace(b"\n", b"\r\n")
    mails = generate(seed, count, now=NOW).mails
    bare = sum(len(mail.raw) for mail in mails) / len(mails) + 3_000
    left = mean_bytes - bare - INLINE_SHARE * MEDIAN_INLINE * 1.2
    scale = max(20_000.0, left / ATTACHED_SHARE) / 1.76  # the mean of lognormal(0, 1.1), cut
    weights: dict[int, bytes] = {}
    for mail in mails:
        known = weights.get(mail.facts.id)
        raw = _weighed(rng, mail.raw, pool, scale) if known is None else known
        if mail.facts.message_id is None:
            weights[mail.facts.id] = raw  # without an id the size is part of what it is
        yield replace(mail, raw=raw)


def write_maildir(root: Path, mails: Iterable[Mail]) -> tuple[int, int]:
    """Put the mails into a Maildir++ with their arrival as modification time: (mails, bytes)."""
    made: set[Path] = set()
    total = number = 0
    for number, mail in enumerate(mails, 1):
        folder = root if mail.folder == "INBOX" else root / f".{mail.folder.replace('/', '.')}"
        if folder not in made:
            for part in ("cur", "new", "tmp"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        arrived = int(mail.internal_date.timestamp())
        size = len(mail.raw)
        path = folder / "cur" / f"{arrived}.M{number}P1.bench,S={size},W={size}:2,S"
        path.write_bytes(mail.raw)
        os.utime(path, (arrived, arrived))
        total += size
    return number, total


def _weighed(rng: random.Random, raw: bytes, pool: bytes, scale: float) -> bytes:
    """The mail with trace headers, and by chance with an inline image or attachments."""
    top, _, entity = raw.partition(b"\r\nMIME-Version: 1.0\r\n")
    if top.startswith(b"Return-Path"):
        top += b"\r\n" + _trace(rng, pool)
    kind = entity[:200]
    dice = rng.random()
    if dice > INLINE_SHARE + ATTACHED_SHARE or any(name in kind for name in WHOLE):
        return top + b"\r\nMIME-Version: 1.0\r\n" + entity
    if dice > ATTACHED_SHARE:
        size = int(MEDIAN_INLINE * rng.lognormvariate(0, 0.6))
        parts = [_attached(rng, pool, "image/png", "image001.png", size)]
    else:
        whole = min(scale * rng.lognormvariate(0, 1.1), LARGEST)
        files = rng.choice((1, 1, 1, 2, 3))
        parts = [
            _attached(rng, pool, "application/pdf", f"drawing-{n}.pdf", int(whole / files))
            for n in range(files)
        ]
    boundary = f"=_bench{rng.getrandbits(64):016x}".encode()
    opening = b'Content-Type: multipart/mixed;\r\n boundary="' + boundary + b'"\r\n\r\n'
    delimiter = b"\r\n--" + boundary + b"\r\n"
    body = delimiter.join([b"", entity, *parts]) + b"\r\n--" + boundary + b"--\r\n"
    return top + b"\r\nMIME-Version: 1.0\r\n" + opening + body


def _attached(rng: random.Random, pool: bytes, kind: str, name: str, size: int) -> bytes:
    """A file of about `size` encoded bytes, a stretch of the pool that begins with a line."""
    lines = size // 78
    start = rng.randrange(max(1, len(pool) // 78 - lines)) * 78
    stretch = pool[start : start + lines * 78]
    head = (
        f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode() + stretch


def _trace(rng: random.Random, pool: bytes) -> bytes:
    """What three more servers and two signatures put on top of a mail today: about 3 kB."""
    stamp = b"Mon, 02 Mar 2026 09:00:00 +0000 (UTC)"
    hops = [
        b"Received: from relay%d.example (relay%d.example [192.0.2.%d])\r\n\tby mx%d.example "
        b"(Postfix) with ESMTPS id %010X\r\n\t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384);"
        b"\r\n\t%s" % (n, n, rng.randrange(1, 250), n, rng.getrandbits(40), stamp)
        for n in range(3)
    ]
    for name in (b"DKIM-Signature", b"ARC-Message-Signature", b"ARC-Seal"):
        start = rng.randrange(len(pool) // 78 - 10) * 78
        seal = pool[start : start + 8 * 78].rstrip(b"\r\n").replace(b"\r\n", b"\r\n\t ")
        hops.append(
            name + b": v=1; a=rsa-sha256; c=relaxed/relaxed; d=relay.example; s=s1;\r\n\tb=" + seal
        )
    return b"\r\n".join(hops)


def main(arguments: list[str]) -> None:
    root = Path(arguments[0])
    count = int(arguments[1]) if len(arguments) > 1 else 20_000
    mean = int(arguments[2]) if len(arguments) > 2 else 64_000
    started = time.monotonic()
    number, total = write_maildir(root, bench_corpus(count, mean))
    seconds = time.monotonic() - started
    print(
        f"{number} mails, {total / 1e6:.0f} MB, {total / number / 1e3:.1f} kB each, {seconds:.1f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
