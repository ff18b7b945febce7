"""Our FETCH reader against imapclient's parser: the same items from the same bytes, and never a crash."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from correspondence import generate
from dovecot import ARRIVED, Post
from hostile import DEFECTS, HEAVY
from hypothesis import example, given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from daemon.mailbox import fetch
from daemon.mailbox.connection import Response
from daemon.mailbox.fetch_response import (
    _USUAL,
    _USUAL_RESTS,
    BROKEN,
    internal_date,
    number,
    read_fetch,
)


def by_imapclient(response: Response) -> dict[bytes, Any]:
    """The same items as imapclient reads them, in our shapes: numbers as bytes, lists for tuples."""
    texts = [response[0].replace(b"* ", b"", 1).replace(b" FETCH", b"", 1), *response[2::2]]
    pieces: list[Any] = [
        (b"%s{%d}" % (text, len(literal)), literal)
        for text, literal in zip(texts, response[1::2], strict=False)
    ]
    parsed = parse_fetch_response([*pieces, texts[-1]], normalise_times=False, uid_is_key=False)
    (items,) = parsed.values()
    return {_key(key): _value(value) for key, value in items.items() if key != b"SEQ"}


def _key(key: bytes) -> bytes:
    if not key.startswith(b"BODY["):
        return key
    section = key[5 : key.rindex(b"]")]
    return b"[HEADER]" if section.startswith(b"HEADER") else b"[%s]" % section


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, tuple | list):
        # imapclient gathers the parts of a multipart into a list of their own.
        if value and isinstance(value[0], list):
            value = [*value[0], *value[1:]]
        return [_value(one) for one in value]
    return value


def ours(response: Response) -> dict[bytes, Any]:
    items: dict[bytes, Any] = read_fetch(response) or {}
    if b"INTERNALDATE" in items:
        items[b"INTERNALDATE"] = internal_date(items[b"INTERNALDATE"])
    return items


def recorded(post: Post, mails: list[bytes]) -> Iterator[Response]:
    """Every FETCH response that Dovecot gives while we fetch these mails."""
    post.server.deliver_many(post.user, "INBOX", ((raw, ARRIVED) for raw in mails))
    responses: list[Response] = []
    with post.mailbox() as mailbox:
        mailbox.examine("INBOX")
        listen = mailbox._session.wire._response

        def overhear(keep: int) -> Response:
            responses.append(listen(keep))
            return responses[-1]

        mailbox._session.wire._response = overhear  # type: ignore[method-assign]
        list(mailbox.fetch(mailbox.uids()))
    return (one for one in responses if b" FETCH (" in one[0])


@pytest.mark.parametrize("early_for", [0, 1_000_000], ids=["facts", "facts and a first piece"])
def test_everything_that_dovecot_says_is_read_as_imapclient_reads_it(
    dovecot: Post, early_for: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "EARLY_FOR", early_for)
    mails = [mail.raw for mail in generate(11, 400, now=datetime(2026, 11, 24, tzinfo=UTC)).mails]
    mails += [raw for name, raw in DEFECTS.items() if name not in HEAVY]
    count = usual = 0
    for response in recorded(dovecot, mails):
        assert ours(response) == by_imapclient(response)
        count += 1
        usual += response[2::2] in _USUAL_RESTS and _USUAL.search(response[0]) is not None

    assert count > len(mails)
    assert usual > len(mails) / 2  # both ways of reading were held against imapclient's


atoms = st.from_regex(rb"[A-Za-z0-9.+/-]{1,8}", fullmatch=True).filter(
    lambda atom: atom.upper() != b"NIL"
)
strings = st.binary(max_size=12).map(lambda text: text.replace(b"\r", b"").replace(b"\n", b""))
trees = st.recursive(
    st.one_of(
        st.none(),
        atoms.map(lambda atom: ("atom", atom)),
        strings.map(lambda text: ("string", text)),
    ),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=25,
)


def spoken(tree: Any, literals: bool) -> Response:
    """A value as a server may write it, strings quoted or as literals."""
    if tree is None:
        return [b"NIL"]
    if isinstance(tree, tuple):
        kind, text = tree
        if kind == "atom":
            return [text]
        if literals:
            return [b"", text, b""]
        return [b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"']
    parts: Response = [b"("]
    for index, one in enumerate(tree):
        first, *rest = spoken(one, literals)
        parts[-1] += (b" " if index else b"") + first
        parts += rest
    parts[-1] += b")"
    return parts


def plain(tree: Any) -> Any:
    if tree is None or isinstance(tree, tuple):
        return tree and tree[1]
    return [plain(one) for one in tree]


@given(tree=st.lists(trees, max_size=5), literals=st.booleans(), last=st.booleans())
@example(tree=[[("string", b'a"b')]], literals=False, last=True)
@example(tree=[[]], literals=False, last=True)
@example(tree=[[[], [("string", b"")]]], literals=False, last=True)
def test_any_value_is_read_back(tree: list[Any], literals: bool, last: bool) -> None:
    first, *rest = spoken(tree, literals)
    response = [b"* 1 FETCH (UID 7 BODYSTRUCTURE " + first, *rest]
    response[-1] += b")" if last else b" RFC822.SIZE 12)"
    items = read_fetch(response)

    assert items is not None
    assert items.pop(b"UID") == b"7"
    assert items.pop(b"BODYSTRUCTURE") == plain(tree)
    assert items == ({} if last else {b"RFC822.SIZE": b"12"})


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=5))
@example([b"((((", b"", b")"])
@example([b'BODY[] "'])
@example([b"BODY[HEADER.FIELDS ({4}"])
@example([b"UID"])
@example([b")"])
@example([b"\\"])
def test_any_noise_is_survived(noise: list[bytes]) -> None:
    for start in (
        b"* 1 FETCH (",
        b"* 1 FETCH (UID 1 BODYSTRUCTURE ",
        b"* 1 FETCH (BODYSTRUCTURE (",
        b"",
    ):
        items = read_fetch([start + noise[0], *noise[1:]])

        assert (items is None) == (not start)
        assert BROKEN not in [value for value in (items or {}).values() if value is BROKEN]


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 EXISTS",
        b"* 1 EXPUNGE",
        b"* OK FETCH (",
        b"* VANISHED 1",
        b"* SEARCH 1",
        b"* FETCH (UID 1)",
        b"* 1 FETCH",
        b"",
    ],
)
def test_other_responses_are_not_fetches(line: bytes) -> None:
    assert read_fetch([line]) is None


def test_what_was_read_before_the_trouble_is_kept() -> None:
    assert read_fetch([b'* 1 FETCH (UID 7 RFC822.SIZE 12 BODYSTRUCTURE ("text" (']) == {
        b"UID": b"7",
        b"RFC822.SIZE": b"12",
    }


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (b"BODY[1.2]<0>", b"[1.2]"),
        (b"body[]", b"[]"),
        (b"BODY[TEXT]", b"[TEXT]"),
        (b'BODY[HEADER.FIELDS ("FROM" "TO")]', b"[HEADER]"),
        (b"BODY[HEADER.FIELDS (From To)]<0>", b"[HEADER]"),
        (b"BODY[HEADER]", b"[HEADER]"),
        (b"rfc822.size", b"RFC822.SIZE"),
        (b"X-GM-THRID", b"X-GM-THRID"),
    ],
)
def test_items_have_one_name_however_servers_spell_them(key: bytes, name: bytes) -> None:
    assert read_fetch([b"* 1 FETCH (" + key + b" 5 UID 1)"]) == {name: b"5", b"UID": b"1"}


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (b"02-Mar-2026 09:00:00 +0000", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (b" 2-mar-2026 09:00:00 +0130", datetime(2026, 3, 2, 7, 30, tzinfo=UTC)),
        (b"31-Dec-1999 23:30:00 -0800", datetime(2000, 1, 1, 7, 30, tzinfo=UTC)),
        (b"01-Jan-0000 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +2300", None),
        (b"01-Jan-0001 00:00:00 +0000", None),
        (b"01-Jan-1970 00:00:00 +0000", None),
        (b"31-Dec-1989 23:30:00 -0800", datetime(1990, 1, 1, 7, 30, tzinfo=UTC)),
        (b"31-Dec-9999 23:59:59 +0000", None),
        (b"19-Jan-2038 03:14:08 +0000", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        (b"30-Feb-2026 00:00:00 +0000", None),
        (b"02-Mrz-2026 09:00:00 +0000", None),
        (b"02-Mar-2026 09:00:00 +9999", None),
        (b"02-Mar-2026 09:00:61 +0000", None),
        (b"yesterday", None),
        (b"", None),
        (None, None),
    ],
)
def test_internal_dates(text: bytes | None, date: datetime | None) -> None:
    assert internal_date(text) == date


def test_numbers_are_numbers_that_a_ledger_holds() -> None:
    assert [number(text) for text in (b"12", b"0", b"", b"-1", b"1x", None, b"9" * 19)] == [
        12,
        0,
        *[None] * 5,
    ]
