"""A hundred answers as mail programs write them, with the words that are the sender's own.

Written for these tests in the shapes that the programs are known to send: which line introduces
a quotation, which labels stand above it, what a phone adds, in eighteen languages. Nothing here
is shared with `daemon`; who changes the reader can't move the goal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

# ruff: noqa: RUF001  words of other languages


@dataclass(frozen=True, slots=True)
class Answer:
    """One mail: its text as a program wrote it, plain or HTML, and what its sender wrote."""

    name: str
    plain: str | None
    html: str | None
    own: str


@dataclass(frozen=True, slots=True)
class Language:
    """What programs write in one language: introductions with a date and a name, labels, words."""

    own: str
    second: str
    quoted: str  # two lines
    gmail: str
    apple: str
    thunderbird: str
    labels: tuple[str, str, str, str]  # from, sent, to, subject
    date: str
    original: str  # between dashes
    phone: str


LANGUAGES = {
    "en": Language(
        "Thanks, that works for us.\nPlease send the contract.", "Tuesday is better.", "We can deliver in May.\nWould that suit you?",
        "On Mon, Oct 5, 2026 at 10:12 AM Jane Roe <jane@seller.example> wrote:",
        "On Oct 5, 2026, at 10:12 AM, Jane Roe <jane@seller.example> wrote:",
        "On 05/10/2026 10:12, Jane Roe wrote:",
        ("From", "Sent", "To", "Subject"), "Monday, October 5, 2026 10:12 AM", "Original Message", "Sent from my iPhone",
    ),
    "de": Language(
        "Vielen Dank, das passt uns gut.\nBitte schicken Sie den Vertrag.", "Dienstag wäre besser.", "Wir können im Mai liefern.\nWäre Ihnen das recht?",
        "Am Mo., 5. Okt. 2026 um 10:12 Uhr schrieb Jane Roe <jane@seller.example>:",
        "Am 05.10.2026 um 10:12 schrieb Jane Roe <jane@seller.example>:",
        "Am 05.10.26 um 10:12 schrieb Jane Roe:",
        ("Von", "Gesendet", "An", "Betreff"), "Montag, 5. Oktober 2026 10:12", "Ursprüngliche Nachricht", "Von meinem iPhone gesendet",
    ),
    "fr": Language(
        "Merci, cela nous convient.\nVeuillez envoyer le contrat.", "Mardi serait mieux.", "Nous pouvons livrer en mai.\nEst-ce que cela vous convient ?",
        "Le lun. 5 oct. 2026 à 10:12, Jane Roe <jane@seller.example> a écrit :",
        "Le 5 oct. 2026 à 10:12, Jane Roe <jane@seller.example> a écrit :",
        "Le 05/10/2026 à 10:12, Jane Roe a écrit :",
        ("De", "Envoyé", "À", "Objet"), "lundi 5 octobre 2026 10:12", "Message d'origine", "Envoyé de mon iPhone",
    ),
    "es": Language(
        "Gracias, nos viene bien.\nEnvíen el contrato, por favor.", "Mejor el martes.", "Podemos entregar en mayo.\n¿Les conviene?",
        "El lun, 5 oct 2026 a las 10:12, Jane Roe (<jane@seller.example>) escribió:",
        "El 5 oct 2026, a las 10:12, Jane Roe <jane@seller.example> escribió:",
        "El 05/10/2026 a las 10:12, Jane Roe escribió:",
        ("De", "Enviado el", "Para", "Asunto"), "lunes, 5 de octubre de 2026 10:12", "Mensaje original", "Enviado desde mi iPhone",
    ),
    "it": Language(
        "Grazie, per noi va bene.\nMandate pure il contratto.", "Meglio martedì.", "Possiamo consegnare a maggio.\nVi va bene?",
        "Il giorno lun 5 ott 2026 alle ore 10:12 Jane Roe <jane@seller.example> ha scritto:",
        "Il giorno 5 ott 2026, alle ore 10:12, Jane Roe <jane@seller.example> ha scritto:",
        "Il 05/10/2026 10:12, Jane Roe ha scritto:",
        ("Da", "Inviato", "A", "Oggetto"), "lunedì 5 ottobre 2026 10:12", "Messaggio originale", "Inviato da iPhone",
    ),
    "pt": Language(
        "Obrigado, para nós está bem.\nPodem enviar o contrato.", "Terça é melhor.", "Podemos entregar em maio.\nEstá bem assim?",
        "Em seg., 5 de out. de 2026 às 10:12, Jane Roe <jane@seller.example> escreveu:",
        "Em 5 de out. de 2026, à(s) 10:12, Jane Roe <jane@seller.example> escreveu:",
        "Em 05/10/2026 10:12, Jane Roe escreveu:",
        ("De", "Enviada em", "Para", "Assunto"), "segunda-feira, 5 de outubro de 2026 10:12", "Mensagem original", "Enviado do meu iPhone",
    ),
    "nl": Language(
        "Dank u, dat is prima.\nStuur het contract maar.", "Dinsdag is beter.", "Wij kunnen in mei leveren.\nKomt dat uit?",
        "Op ma 5 okt 2026 om 10:12 schreef Jane Roe <jane@seller.example>:",
        "Op 5 okt 2026, om 10:12 heeft Jane Roe <jane@seller.example> het volgende geschreven:",
        "Op 05-10-2026 om 10:12 schreef Jane Roe:",
        ("Van", "Verzonden", "Aan", "Onderwerp"), "maandag 5 oktober 2026 10:12", "Oorspronkelijk bericht", "Verstuurd vanaf mijn iPhone",
    ),
    "sv": Language(
        "Tack, det passar oss.\nSkicka gärna avtalet.", "Tisdag är bättre.", "Vi kan leverera i maj.\nPassar det?",
        "Den mån 5 okt. 2026 kl 10:12 skrev Jane Roe <jane@seller.example>:",
        "5 okt. 2026 kl. 10:12 skrev Jane Roe <jane@seller.example>:",
        "Den 2026-10-05 kl. 10:12, skrev Jane Roe:",
        ("Från", "Skickat", "Till", "Ämne"), "den 5 oktober 2026 10:12", "Ursprungligt meddelande", "Skickat från min iPhone",
    ),
    "da": Language(
        "Tak, det passer fint.\nSend bare kontrakten.", "Tirsdag er bedre.", "Vi kan levere i maj.\nPasser det?",
        "Den man. 5. okt. 2026 kl. 10.12 skrev Jane Roe <jane@seller.example>:",
        "Den 5. okt. 2026 kl. 10.12 skrev Jane Roe <jane@seller.example>:",
        "Den 05.10.2026 kl. 10.12 skrev Jane Roe:",
        ("Fra", "Sendt", "Til", "Emne"), "5. oktober 2026 10:12", "Oprindelig meddelelse", "Sendt fra min iPhone",
    ),
    "fi": Language(
        "Kiitos, se sopii meille.\nLähettäkää sopimus.", "Tiistai on parempi.", "Voimme toimittaa toukokuussa.\nSopiiko se?",
        "ma 5. lokak. 2026 klo 10.12 Jane Roe (jane@seller.example) kirjoitti:",
        "Jane Roe <jane@seller.example> kirjoitti 5.10.2026 kello 10.12:",
        "Jane Roe kirjoitti 5.10.2026 klo 10.12:",
        ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"), "maanantai 5. lokakuuta 2026 10.12", "Alkuperäinen viesti", "Lähetetty iPhonesta",
    ),
    "pl": Language(
        "Dziękujemy, to nam odpowiada.\nProszę przesłać umowę.", "Lepiej we wtorek.", "Możemy dostarczyć w maju.\nCzy to pasuje?",
        "pon., 5 paź 2026 o 10:12 Jane Roe <jane@seller.example> napisał(a):",
        "Wiadomość napisana przez Jane Roe <jane@seller.example> w dniu 5 paź 2026, o godz. 10:12:",
        "W dniu 05.10.2026 o 10:12, Jane Roe pisze:",
        ("Od", "Wysłano", "Do", "Temat"), "poniedziałek, 5 października 2026 10:12", "Wiadomość oryginalna", "Wysłane z iPhone'a",
    ),
    "cs": Language(
        "Děkujeme, to nám vyhovuje.\nPošlete prosím smlouvu.", "Úterý je lepší.", "Můžeme dodat v květnu.\nVyhovuje vám to?",
        "po 5. 10. 2026 v 10:12 odesílatel Jane Roe <jane@seller.example> napsal:",
        "5. 10. 2026 v 10:12, Jane Roe <jane@seller.example>:",
        "Dne 05. 10. 26 v 10:12 Jane Roe napsal(a):",
        ("Od", "Odesláno", "Komu", "Předmět"), "pondělí 5. října 2026 10:12", "Původní zpráva", "Odesláno z iPhonu",
    ),
    "ru": Language(
        "Спасибо, нам подходит.\nПришлите, пожалуйста, договор.", "Лучше во вторник.", "Мы можем поставить в мае.\nВам подходит?",
        "пн, 5 окт. 2026 г. в 10:12, Jane Roe <jane@seller.example>:",
        "5 окт. 2026 г., в 10:12, Jane Roe <jane@seller.example> написал(а):",
        "05.10.2026 10:12, Jane Roe пишет:",
        ("От", "Отправлено", "Кому", "Тема"), "5 октября 2026 г. 10:12", "Исходное сообщение", "Отправлено с iPhone",
    ),
    "tr": Language(
        "Teşekkürler, bize uyar.\nSözleşmeyi gönderin lütfen.", "Salı daha iyi.", "Mayısta teslim edebiliriz.\nUygun mu?",
        "Jane Roe <jane@seller.example>, 5 Eki 2026 Pzt, 10:12 tarihinde şunu yazdı:",
        "Jane Roe <jane@seller.example> şunları yazdı (5 Eki 2026 10:12):",
        "5.10.2026 10:12 tarihinde Jane Roe yazdı:",
        ("Kimden", "Gönderildi", "Kime", "Konu"), "5 Ekim 2026 Pazartesi 10:12", "Orijinal İleti", "iPhone'umdan gönderildi",
    ),
    "hu": Language(
        "Köszönjük, nekünk megfelel.\nKérem, küldjék a szerződést.", "A kedd jobb.", "Májusban tudunk szállítani.\nMegfelel?",
        "Jane Roe <jane@seller.example> ezt írta (időpont: 2026. okt. 5., H, 10:12):",
        "2026. okt. 5. dátummal, 10:12 időpontban Jane Roe <jane@seller.example> írta:",
        "2026. 10. 05. 10:12 keltezéssel, Jane Roe írta:",
        ("Feladó", "Elküldve", "Címzett", "Tárgy"), "2026. október 5., hétfő 10:12", "Eredeti üzenet", "Az iPhone-omról küldve",
    ),
    "ja": Language(
        "ありがとうございます。問題ありません。\n契約書をお送りください。", "火曜日の方がいいです。", "五月に納品できます。\nいかがでしょうか。",
        "2026年10月5日(月) 10:12 Jane Roe <jane@seller.example>:",
        "2026/10/05 10:12、Jane Roe <jane@seller.example>のメール:",
        "On 2026/10/05 10:12, Jane Roe wrote:",
        ("差出人", "送信日時", "宛先", "件名"), "2026年10月5日月曜日 10:12", "元のメッセージ", "iPhoneから送信",
    ),
    "zh": Language(
        "谢谢，我们没有问题。\n请把合同发过来。", "星期二更好。", "我们可以在五月交货。\n您看可以吗？",
        "Jane Roe <jane@seller.example> 于2026年10月5日周一 10:12写道：",
        "在 2026年10月5日，10:12，Jane Roe <jane@seller.example> 写道：",
        "在 2026/10/5 10:12, Jane Roe 写道:",
        ("发件人", "发送时间", "收件人", "主题"), "2026年10月5日 10:12", "原始邮件", "发自我的iPhone",
    ),
    "ko": Language(
        "감사합니다. 저희는 괜찮습니다.\n계약서를 보내 주세요.", "화요일이 더 좋습니다.", "5월에 납품할 수 있습니다.\n괜찮으신가요?",
        "2026년 10월 5일 (월) 오전 10:12, Jane Roe <jane@seller.example>님이 작성:",
        "2026. 10. 5. 오전 10:12, Jane Roe <jane@seller.example> 작성:",
        "2026-10-05 오전 10:12에 Jane Roe 이(가) 쓴 글:",
        ("보낸 사람", "보낸 날짜", "받는 사람", "제목"), "2026년 10월 5일 월요일 오전 10:12", "원본 메시지", "나의 iPhone에서 보냄",
    ),
}  # fmt: skip

Parts = tuple[str | None, str | None, str]


def marked(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


def paragraphs(text: str) -> str:
    return "".join(f"<div>{escape(line)}</div>" for line in text.split("\n"))


def gmail(one: Language) -> Parts:
    return f"{one.own}\n\n{one.gmail}\n\n{marked(one.quoted)}\n>\n", None, one.own


def gmail_wrapped(one: Language) -> Parts:
    """Gmail wraps its introduction at the address."""
    introduction = one.gmail.replace(" <jane", "\n<jane").replace(" (<jane", "\n(<jane")
    return f"{one.own}\n\n{introduction}\n\n{marked(one.quoted)}\n", None, one.own


def gmail_html(one: Language) -> Parts:
    html = (
        f'<div dir="ltr">{paragraphs(one.own)}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">{escape(one.gmail)}<br></div><blockquote class="gmail_quote" '
        f'style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)">{paragraphs(one.quoted)}</blockquote></div>'
    )
    return None, html, one.own


def gmail_inline_html(one: Language) -> Parts:
    first, last = one.quoted.split("\n")
    html = (
        f'<div dir="ltr"><div class="gmail_quote"><div class="gmail_attr">{escape(one.gmail)}</div>'
        f'<blockquote class="gmail_quote"><div>{escape(first)}</div></blockquote>{paragraphs(one.own)}'
        f'<blockquote class="gmail_quote"><div>{escape(last)}</div></blockquote><div>{escape(one.second)}</div></div></div>'
    )
    return None, html, f"{one.own}\n{one.second}"


def apple(one: Language) -> Parts:
    return f"{one.own}\n\n> {one.apple}\n>\n{marked(one.quoted)}\n", None, one.own


def apple_html(one: Language) -> Parts:
    html = (
        f'<html><body>{paragraphs(one.own)}<br><div><blockquote type="cite"><div>{escape(one.apple)}</div><br>'
        f"<div>{paragraphs(one.quoted)}</div></blockquote></div></body></html>"
    )
    return None, html, one.own


def iphone(one: Language) -> Parts:
    return f"{one.own}\n\n{one.phone}\n\n> {one.apple}\n>\n{marked(one.quoted)}\n", None, one.own


def iphone_inline(one: Language) -> Parts:
    plain = f"{one.phone}\n\n> {one.apple}\n>\n{marked(one.quoted)}\n\n{one.own}\n"
    return plain, None, one.own


def outlook(one: Language) -> Parts:
    """Classic Outlook in plain text."""
    return f"{one.own}\n\n{_original(one)}\n{_block(one)}\n\n{one.quoted}\n", None, one.own


def outlook_new(one: Language) -> Parts:
    """Outlook for the web, in plain text: underscores."""
    return f"{one.own}\n\n{'_' * 32}\n{_block(one)}\n\n{one.quoted}\n", None, one.own


def outlook_bare(one: Language) -> Parts:
    """New Outlook: nothing but the header block."""
    return f"{one.own}\n\n{_block(one)}\n\n{one.quoted}\n", None, one.own


def outlook_html(one: Language) -> Parts:
    fields = "<br>".join(f"<b>{escape(k)}:</b> {escape(v)}" for k, v in _fields(one))
    html = (
        f'<div class="WordSection1">{_word(one.own)}<p class="MsoNormal"><o:p>&nbsp;</o:p></p>'
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
        f'<p class="MsoNormal">{fields}<o:p></o:p></p></div>{_word(one.quoted)}</div>'
    )
    return None, html, one.own


def outlook_web_html(one: Language) -> Parts:
    fields = "<br>".join(f"<b>{escape(k)}:</b> {escape(v)}" for k, v in _fields(one))
    html = (
        f'<div class="elementToProof">{paragraphs(one.own)}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%">'
        f'<div id="divRplyFwdMsg" dir="ltr"><font face="Calibri">{fields}</font></div>{paragraphs(one.quoted)}'
    )
    return None, html, one.own


def outlook_phone_html(one: Language) -> Parts:
    fields = "<br>".join(f"<b>{escape(k)}:</b> {escape(v)}" for k, v in _fields(one))
    html = (
        f'{paragraphs(one.own)}<div id="ms-outlook-mobile-signature"><div>Outlook für iOS</div></div>'
        f'<hr><div id="divRplyFwdMsg">{fields}</div>{paragraphs(one.quoted)}'
    )
    return None, html, one.own


def thunderbird(one: Language) -> Parts:
    """Thunderbird answers below the quotation."""
    return f"{one.thunderbird}\n{marked(one.quoted)}\n\n{one.own}\n", None, one.own


def thunderbird_signature(one: Language) -> Parts:
    plain = f"{one.thunderbird}\n{marked(one.quoted)}\n\n{one.own}\n\n-- \nAda Moser\nMoser AG\n+41 44 555 01 02\n"
    return plain, None, one.own


def thunderbird_inline(one: Language) -> Parts:
    first, last = one.quoted.split("\n")
    plain = f"{one.thunderbird}\n> {first}\n\n{one.own}\n\n> {last}\n\n{one.second}\n"
    return plain, None, f"{one.own}\n\n{one.second}"


def thunderbird_html(one: Language) -> Parts:
    html = (
        f'<html><body><p>{escape(one.own).replace(chr(10), "<br>")}</p><div class="moz-cite-prefix">{escape(one.thunderbird)}<br></div>'
        f'<blockquote type="cite" cite="mid:1@x">{paragraphs(one.quoted)}</blockquote><pre class="moz-signature" cols="72">-- \nAda</pre></body></html>'
    )
    return None, html, one.own


def yahoo_html(one: Language) -> Parts:
    html = (
        f'<div class="ydp1yahoo-style-wrap">{paragraphs(one.own)}</div><div id="yahoo_quoted_1234567890" class="yahoo_quoted"><div>'
        f"<div>{escape(one.gmail)}</div><div><br></div><div>{paragraphs(one.quoted)}</div></div></div>"
    )
    return None, html, one.own


def proton(one: Language) -> Parts:
    """Proton has no other language here than English."""
    plain = f"{one.own}\n\nSent with Proton Mail secure email.\n\nOn Monday, October 5th, 2026 at 10:12 AM, Jane Roe <jane@seller.example> wrote:\n\n{marked(one.quoted)}\n"
    return plain, None, one.own


def zoho_html(one: Language) -> Parts:
    html = (
        f'<div style="font-family: Verdana">{paragraphs(one.own)}<br></div><div class="zmail_extra_hr" style="border-top: 1px solid"></div>'
        f'<div class="zmail_extra" data-zbluepencil-ignore="true"><div>---- On Mon, 05 Oct 2026 10:12:00 +0200 <b>Jane Roe &lt;jane@seller.example&gt;</b> wrote ---</div>'
        f"<blockquote>{paragraphs(one.quoted)}</blockquote></div>"
    )
    return None, html, one.own


def webde_html(one: Language) -> Parts:
    fields = "".join(f"<div><b>{escape(k)}:</b> {escape(v)}</div>" for k, v in _fields(one))
    html = (
        f'<html><body><div style="font-family: Verdana;font-size: 12.0px;">{paragraphs(one.own)}'
        f'<div name="quote" style="margin:10px 5px 5px 10px; border-left:2px solid #C3D9E5;"><div>{fields}</div>{paragraphs(one.quoted)}</div></div></body></html>'
    )
    return None, html, one.own


def roundcube_html(one: Language) -> Parts:
    html = (
        f'<p>{escape(one.own).replace(chr(10), "<br>")}</p><p id="reply-intro">{escape(one.thunderbird)}</p>'
        f'<blockquote type="cite" style="padding: 0 0.4em; border-left: #1010ff 2px solid">{paragraphs(one.quoted)}</blockquote>'
    )
    return None, html, one.own


def samsung(one: Language) -> Parts:
    labels = _fields(one)
    block = "\n".join(f"{k}: {v}" for k, v in (labels[0], labels[1], labels[2], labels[3]))
    return (
        f"{one.own}\n\n-------- {one.original} --------\n{block}\n\n{one.quoted}\n",
        None,
        one.own,
    )


def notes(one: Language) -> Parts:
    labels = _fields(one)
    block = "\n".join(f"{k}:        {v}" for k, v in labels)
    return f"{one.own}\n\n\n\n{block}\n\n\n\n{one.quoted}\n", None, one.own


def qq_html(one: Language) -> Parts:
    fields = "".join(f"<div><b>{escape(k)}:</b>&nbsp;{escape(v)};</div>" for k, v in _fields(one))
    html = (
        f'{paragraphs(one.own)}<div><includetail><div>&nbsp;</div><div style="font-size: 12px">------------------&nbsp;{escape(one.original)}&nbsp;------------------</div>'
        f'<div style="background:#efefef;padding:8px;">{fields}</div>{paragraphs(one.quoted)}</includetail></div>'
    )
    return None, html, one.own


def yandex_html(one: Language) -> Parts:
    html = f"{paragraphs(one.own)}<div> </div><div>{escape(one.thunderbird)}</div><blockquote>{paragraphs(one.quoted)}</blockquote>"
    return None, html, one.own


def forwarded(one: Language) -> Parts:
    """Handed on by the customer, with words of his own above."""
    block = _block(one)
    return (
        f"{one.own}\n\n---------- Forwarded message ---------\n{block}\n\n{one.quoted}\n",
        None,
        one.own,
    )


def _fields(one: Language) -> list[tuple[str, str]]:
    sender, sent, to, subject = one.labels
    return [
        (sender, "Jane Roe <jane@seller.example>"),
        (sent, one.date),
        (to, "Ada Moser"),
        (subject, "Offer 4711"),
    ]


def _block(one: Language) -> str:
    return "\n".join(f"{label}: {value}" for label, value in _fields(one))


def _original(one: Language) -> str:
    return f"-----{one.original}-----"


def _word(text: str) -> str:
    return "".join(
        f'<p class="MsoNormal">{escape(line)}<o:p></o:p></p>' for line in text.split("\n")
    )


Program = Callable[[Language], Parts]
# Each program in the languages in which it is the one that people use, or the hardest.
TABLE: list[tuple[Program, str]] = [
    (gmail, "en de fr es it pt nl"), (gmail_wrapped, "sv da fi pl cs ru tr hu"), (gmail_html, "ja zh ko ru"), (gmail_inline_html, "en de"),
    (apple, "en fr es nl sv"), (apple_html, "de it pl ja"), (iphone, "en de fr es it pt nl sv da fi pl cs ru tr hu ja zh ko"), (iphone_inline, "de en"),
    (outlook, "en de fr es it nl"), (outlook_new, "sv da fi pl"), (outlook_bare, "en de pt cs hu ru tr zh ko"), (outlook_html, "de fr ja"),
    (outlook_web_html, "en es"), (outlook_phone_html, "nl"), (thunderbird, "en de fr pl cs"), (thunderbird_signature, "it es"),
    (thunderbird_inline, "de nl ru"), (thunderbird_html, "sv hu"), (yahoo_html, "en fr"), (proton, "de"), (zoho_html, "en"), (webde_html, "de"),
    (roundcube_html, "cs"), (samsung, "en ko"), (notes, "de"), (qq_html, "zh"), (yandex_html, "ru"), (forwarded, "en da"),
]  # fmt: skip


def answers() -> Iterator[Answer]:
    """The table: each program in its languages."""
    for program, languages in TABLE:
        for name in languages.split():
            plain, html, own = program(LANGUAGES[name])
            yield Answer(f"{program.__name__}-{name}", plain, html, own)
