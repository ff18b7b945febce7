"""What the sender wrote, without the mails below it and without the signature.

quotequail knows the lines with which mail programs introduce a quotation; it is asked only about
lines that can be one, cut to a length at which its patterns stay fast. Beside it: `>` lines, header
blocks of Outlook, `-- ` and the greetings of phones.
"""

import re

import quotequail

# ruff: noqa: RUF001  words of other languages

_WRAPPED = 3  # lines over which an introduction may be wrapped
_LINE_LIMIT = 240  # characters of a line that are compared: the patterns are cubic
_HEADER_LINES = 6  # lines of a header block in which its second field must come

# Every pattern of quotequail ends with one of these.
_INTRODUCTION_ENDS = (":", ">", "-", "_", "：")
# Introductions that quotequail doesn't know; they count with a digit, which a date has.
_WROTE = (
    *("wrote:", "writes:", "schrieb:", "schrieb folgendes:", "a écrit:", "a écrit :", "a écrit :"),
    *("escribió:", "escreveu:", "ha scritto:", "schreef:", "schreef het volgende:", "skrev:"),
    *("skrev følgende:", "kirjoitti:", "pisze:", "napisał:", "napisał(a):", "napisała:"),
    *("napsal:", "napsal(a):", "napísal(a):", "ezt írta:", "írta:", "a scris:", "yazdı:"),
    *("napisao je:", "je napisal/a:", "написал:", "написала:", "пишет:", "написав:", "έγραψε:"),
    *("写道:", "写道：", "寫道:", "寫道：", "のメール:", "さんは書きました:", "님이 작성:", "כתב:"),
)
# Gmail in languages that put no verb at the end, with the address or the date before the colon.
_ADDRESS_AT_END = re.compile(r"<[^<>@ ]+@[^<>@ ]+>\)?:|ezt írta \([^()]*\):")
# First and further fields of the header blocks that Outlook and others put above a quotation.
_FROM = re.compile(
    r"[*_]{0,2}(?:From|Von|De|Da|Van|Från|Fra|Od|Feladó|De la|Gönderen|Kimden|От|От кого|Від|Από"
    r"|Lähettäjä|差出人|发件人|寄件者|보낸 사람|מאת)[*_]{0,2} ?[:：]"
)
_SENT = re.compile(
    r"[*_]{0,2}(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado(?: el| em)?|Fecha|Inviato|Data|Verzonden"
    r"|Skickat|Sendt|Dato|Wysłano|Odesláno|Odoslané|Elküldve|Dátum|Trimis|Gönderildi|Tarih|Отправлено"
    r"|Дата|Надіслано|Στάλθηκε|Lähetetty|Päivämäärä|送信日時|日時|发送时间|傳送時間|보낸 날짜|נשלח)"
    r"[*_]{0,2} ?[:：]"
)
_SIGNATURES = (
    *(
        "Sent from my ",
        "Sent from Mail for ",
        "Sent from Outlook",
        "Sent from Yahoo",
        "Get Outlook",
    ),
    *("Sent via ", "Von meinem iP", "Gesendet von ", "Gesendet mit ", "Von meinem Samsung"),
    *("Envoyé de mon ", "Envoyé depuis ", "Enviado desde mi ", "Enviado do meu ", "Inviato da "),
    *("Verzonden vanaf ", "Verstuurd vanaf ", "Skickat från ", "Sendt fra ", "Lähetetty "),
    *("Wysłane z ", "Odesláno z ", "Отправлено с ", "Отправлено из ", "iPhoneから送信", "发自我的"),
    "-----BEGIN PGP SIGNATURE-----",
)


def own_words(lines: list[str], enough: int) -> str:
    """Folded lines as a text without quotations, their introductions and signatures.

    Stops where it has `enough` characters, so it may leave out the rest.
    """
    kept: list[str] = []
    at = _after_pgp_header(lines)
    while at < len(lines) and enough >= 0:
        line = lines[at]
        if line.startswith(">"):
            at += 1
        elif line == "--" or line.startswith(_SIGNATURES) or _begins_header_block(lines, at):
            break
        elif span := _introduction(lines, at):
            if not _is_quoted(lines, at + span):
                break  # quoted without marks, so up to the end
            at += span
        else:
            kept.append(line)
            enough -= len(line)
            at += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _introduction(lines: list[str], at: int) -> int:
    """How many lines from here introduce a quotation ("On ... wrote:"), 0 if they don't."""
    for span in range(1, _WRAPPED + 1):
        wrapped = lines[at : at + span]
        if len(wrapped) < span or not wrapped[-1]:
            return 0
        if not wrapped[-1].endswith(_INTRODUCTION_ENDS):
            continue
        whole = " ".join(wrapped)
        if len(whole) > _LINE_LIMIT:
            return 0
        # The line before an introduction isn't a part of it: the shortest that fits is the one.
        shorter = " ".join(wrapped[1:])
        if _is_known(whole):
            return 0 if _is_known(shorter) else span
        if _is_alike(whole):
            return 0 if _is_known(shorter) or _is_alike(shorter) else span
    return 0


def _is_known(line: str) -> bool:
    """Whether quotequail says that a quotation begins with this line."""
    return len(quotequail.quote(line, quote_intro_line=True)) > 1


def _is_alike(line: str) -> bool:
    """Whether a quotation begins with this line in ways that quotequail doesn't know."""
    if not any(char.isdigit() for char in line):
        return False
    return line.endswith(_WROTE) or _ADDRESS_AT_END.search(line) is not None


def _is_quoted(lines: list[str], at: int) -> bool:
    """Whether the next line with something on it is marked as quoted."""
    return next((line for line in lines[at:] if line), "").startswith(">")


def _begins_header_block(lines: list[str], at: int) -> bool:
    if not _FROM.match(lines[at]):
        return False
    return any(_SENT.match(line) for line in lines[at + 1 : at + _HEADER_LINES])


def _after_pgp_header(lines: list[str]) -> int:
    """Where the text begins: after the armor header of a signed one (RFC 9580 section 7)."""
    if lines[:1] != ["-----BEGIN PGP SIGNED MESSAGE-----"] or "" not in lines:
        return 0
    return lines.index("")
