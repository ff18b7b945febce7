"""Who really wrote: forms, portals, forwards and groups in the shapes and languages that they have.

Each case is a whole mail through `parse` and `judge`. The people, firms and services are invented;
the labels are those of mail programs and form plugins.
"""

# ruff: noqa: RUF001  tables of labels in many languages

from dataclasses import replace
from typing import Any

import pytest

from daemon.message.names import clean_name
from daemon.message.parse import parse
from daemon.message.us import Source, Sources, Us
from daemon.message.verdict import Judgement, judge

US = Us(domains=frozenset({"pumps.example"}))
SITE = "Pumps <wordpress@pumps.example>"
COLLEAGUE = "Jonas Wehr <jonas@pumps.example>"


def mail(sender: str, subject: str, text: str, *, reply_to: str = "", html: bool = False) -> bytes:
    lines = [
        f"From: {sender}",
        *([f"Reply-To: {reply_to}"] if reply_to else []),
        "To: sales@pumps.example",
        f"Subject: {subject}",
        "Date: Mon, 12 Oct 2026 10:00:00 +0200",
        "Message-ID: <1@mail.example>",
        "MIME-Version: 1.0",
        f"Content-Type: text/{'html' if html else 'plain'}; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        text,
    ]
    return "\n".join(lines).replace("\n", "\r\n").encode()


def judged(raw: bytes, us: Us = US) -> Judgement:
    return judge(parse(raw, size=len(raw)), in_sent=False, us=us)


def who(judgement: Judgement) -> tuple[str, str] | None:
    """Address and name of the one person who wrote, None for nobody."""
    if judgement.verdict.kind == "ignored":
        return None
    (party,) = judgement.parties
    return party.address, clean_name(party.name)


# By language or layout: the text of the form's mail, the visitor's address and name.
FORMS = [
    (
        "it",
        "Nome e cognome: Luca Bianchi\nIndirizzo e-mail: luca@bianchi-vini.it\nTelefono: 06 5550 1234\nAzienda: Bianchi Vini S.r.l.\nMessaggio: Vorrei un preventivo",
        "luca@bianchi-vini.it",
        "Luca Bianchi",
    ),
    (
        "nl",
        "Naam: Jan de Boer\nE-mailadres: jan@deboer.nl\nTelefoonnummer: 020 555 0123\nBericht: graag offerte",
        "jan@deboer.nl",
        "Jan de Boer",
    ),
    (
        "sv",
        "Förnamn: Elin\nEfternamn: Sjöberg\nE-postadress: elin@sjobergs.se\nMeddelande: Offert tack",
        "elin@sjobergs.se",
        "Elin Sjöberg",
    ),
    ("da", "Navn: Mads Kjær\nE-mail: mads@kjaer.dk\nBesked: Pris?", "mads@kjaer.dk", "Mads Kjær"),
    ("no", "Navn: Kari Moe\nE-post: kari@moe.no\nMelding: Pris?", "kari@moe.no", "Kari Moe"),
    (
        "fi",
        "Nimi: Aino Laine\nSähköposti: aino@laine.fi\nViesti: Tarjous?",
        "aino@laine.fi",
        "Aino Laine",
    ),
    (
        "pl",
        "Imię i nazwisko: Jan Nowak\nAdres e-mail: jan@nowak.pl\nTreść wiadomości: Proszę o ofertę",
        "jan@nowak.pl",
        "Jan Nowak",
    ),
    (
        "cs",
        "Jméno a příjmení: Petr Dvořák\nE-mail: petr@dvorak.cz\nZpráva: Poptávka",
        "petr@dvorak.cz",
        "Petr Dvořák",
    ),
    (
        "sk",
        "Meno a priezvisko: Peter Novák\nE-mail: peter@novak.sk\nSpráva: Dopyt",
        "peter@novak.sk",
        "Peter Novák",
    ),
    (
        "hu",
        "Név: Kovács Anna\nE-mail cím: anna@kovacs.hu\nÜzenet: Árajánlat",
        "anna@kovacs.hu",
        "Kovács Anna",
    ),
    (
        "ro",
        "Nume: Ion Popescu\nAdresă de e-mail: ion@popescu.ro\nMesaj: Ofertă",
        "ion@popescu.ro",
        "Ion Popescu",
    ),
    (
        "hr",
        "Ime i prezime: Ana Horvat\nE-mail adresa: ana@horvat.hr\nPoruka: Ponuda",
        "ana@horvat.hr",
        "Ana Horvat",
    ),
    (
        "sl",
        "Ime in priimek: Nina Kos\nE-poštni naslov: nina@kos.si\nSporočilo: ponudba",
        "nina@kos.si",
        "Nina Kos",
    ),
    (
        "el",
        "Ονοματεπώνυμο: Γιώργος Παππάς\nEmail: g@pappas.gr\nΜήνυμα: Τιμή",
        "g@pappas.gr",
        "Γιώργος Παππάς",
    ),
    (
        "tr",
        "Ad Soyad: Ayşe Yılmaz\nE-posta: ayse@yilmaz.com.tr\nMesaj: Teklif",
        "ayse@yilmaz.com.tr",
        "Ayşe Yılmaz",
    ),
    (
        "ru",
        "Имя: Иван Петров\nЭлектронная почта: ivan@petrov.ru\nТелефон: +7 495 555-01-23\nСообщение: Цена",
        "ivan@petrov.ru",
        "Иван Петров",
    ),
    (
        "uk",
        "Ім'я: Олена Коваль\nЕлектронна пошта: olena@koval.ua\nПовідомлення: Ціна",
        "olena@koval.ua",
        "Олена Коваль",
    ),
    (
        "lt",
        "Vardas, pavardė: Jonas Jonaitis\nEl. paštas: jonas@jonaitis.lt\nŽinutė: Kaina",
        "jonas@jonaitis.lt",
        "Jonas Jonaitis",
    ),
    (
        "lv",
        "Vārds, uzvārds: Anna Liepa\nE-pasts: anna@liepa.lv\nZiņa: Cena",
        "anna@liepa.lv",
        "Anna Liepa",
    ),
    ("et", "Nimi: Mari Tamm\nE-post: mari@tamm.ee\nSõnum: Hind", "mari@tamm.ee", "Mari Tamm"),
    (
        "ja",
        "お名前：山田 太郎\nメールアドレス：taro@yamada.co.jp\nお問い合わせ内容：見積",
        "taro@yamada.co.jp",
        "山田 太郎",
    ),
    ("zh", "姓名：王伟\n邮箱：wei@wang.cn\n电话：021-5555 0123\n留言：报价", "wei@wang.cn", "王伟"),
    ("ko", "이름: 김민수\n이메일: minsu@kim.co.kr\n문의내용: 견적", "minsu@kim.co.kr", "김민수"),
    ("he", "שם: דוד כהן\nאימייל: david@cohen.co.il\nהודעה: מחיר", "david@cohen.co.il", "דוד כהן"),
    (
        "ar",
        "الاسم: أحمد علي\nالبريد الإلكتروني: ahmed@ali.ae\nالرسالة: سعر",
        "ahmed@ali.ae",
        "أحمد علي",
    ),
    (
        "pt",
        "Nome: João Silva\nTelemóvel: 912 555 012\nE-mail: joao@silva.pt\nMensagem: Orçamento",
        "joao@silva.pt",
        "João Silva",
    ),
    (
        "es",
        "Nombre: Ana\nApellidos: García López\nCorreo electrónico: ana@garcia.es\nMensaje: Presupuesto",
        "ana@garcia.es",
        "Ana García López",
    ),
    (
        "fr",
        "Nom : Dupont\nPrénom : Marie\nAdresse e-mail : marie@dupont.fr\nSociété : Dupont SA\nVotre message : Devis",
        "marie@dupont.fr",
        "Marie Dupont",
    ),
    (
        "bg",
        "Име: Иван Иванов\nИмейл: ivan@ivanov.bg\nСъобщение: Цена",
        "ivan@ivanov.bg",
        "Иван Иванов",
    ),
    (
        "is",
        "Nafn: Jón Jónsson\nNetfang: jon@jonsson.is\nSkilaboð: Verð",
        "jon@jonsson.is",
        "Jón Jónsson",
    ),
    (
        "vi",
        "Họ và tên: Nguyễn Văn An\nEmail: an@nguyen.vn\nNội dung: báo giá",
        "an@nguyen.vn",
        "Nguyễn Văn An",
    ),
    ("th", "ชื่อ: สมชาย ใจดี\nอีเมล: som@jaidee.co.th\nข้อความ: ราคา", "som@jaidee.co.th", "สมชาย ใจดี"),
    (
        "id",
        "Nama lengkap: Budi Santoso\nAlamat email: budi@santoso.id\nPesan: Harga",
        "budi@santoso.id",
        "Budi Santoso",
    ),
    (
        "nl-ownline",
        "Uw naam\nPiet Smit\n\nUw e-mailadres\npiet@smit.nl\n\nUw vraag\nPrijs?",
        "piet@smit.nl",
        "Piet Smit",
    ),
    (
        "gl-dash",
        "- Name: Bob Stone\n- Email: bob@stone.com\n- Message: hi",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "md",
        "**Name:** Bob Stone\n**Email:** bob@stone.com\n**Message:** hi",
        "bob@stone.com",
        "Bob Stone",
    ),
    ("eq", "name = Bob Stone\nemail = bob@stone.com\nmessage = hi", "bob@stone.com", "Bob Stone"),
    (
        "pipe",
        "| Name | Bob Stone |\n| Email | bob@stone.com |\n| Message | hi |",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "json-ish",
        '"name": "Bob Stone",\n"email": "bob@stone.com",\n"message": "hi"',
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "numbered",
        "1. Your name: Bob Stone\n2. Your email: bob@stone.com\n3. Question: hi",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "arrow",
        "Name -> Bob Stone\nEmail -> bob@stone.com\nMessage -> hi",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "brackets",
        "[Name] Bob Stone\n[Email] bob@stone.com\n[Message] hi",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "drupal",
        "Bob Stone (bob@stone.com) sent a message using the contact form at https://pumpwerk.example/contact.\n\nPrice please",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "joomla",
        "This is an enquiry email via https://pumpwerk.example/ from:\nBob Stone <bob@stone.com>\n\nPrice please",
        "bob@stone.com",
        "Bob Stone",
    ),
    (
        "shop",
        "Neue Nachricht über das Kontaktformular\n\nAnrede: Frau\nVorname: Ute\nName: Kern\nE-Mail: ute@kern.de\nKommentar: Frage",
        "ute@kern.de",
        "Ute Kern",
    ),
    (
        "lt",
        "Jūsų vardas: Rasa Kern\nJūsų el. paštas: rasa@kern.lt\nTelefono numeris: +370 5 555 0123\nŽinutė: kaina?",
        "rasa@kern.lt",
        "Rasa Kern",
    ),
    (
        "a label in no list",
        "Name: Ute Kern\nWie wir Sie finden: ute@kern.de\nNachricht: Frage",
        "ute@kern.de",
        "Ute Kern",
    ),
    (
        "an address without a label",
        "Name: Ute Kern\n\nute@kern.de\n\nNachricht: Frage",
        "ute@kern.de",
        "Ute Kern",
    ),
]


@pytest.mark.parametrize(
    ("text", "address", "name"), [one[1:] for one in FORMS], ids=[one[0] for one in FORMS]
)
def test_a_form_of_our_site_is_its_visitors(text: str, address: str, name: str) -> None:
    found = judged(mail(SITE, "Neue Nachricht", text))

    assert who(found) == (address, name)
    assert found.verdict.kind == "contact"
    assert found.way in {"form", "text"}


CELLS = "<table><tr><td>Naam</td><td>Jan Smit</td></tr><tr><td>E-mail</td><td><a href='mailto:jan@smit.example'>jan@smit.example</a></td></tr><tr><td>Telefoon</td><td>020 555 0111</td></tr></table>"
LAYOUTS = [
    CELLS,
    CELLS.replace("<td>Naam</td>", "<th>Naam:</th>"),
    "<dl><dt>Name</dt><dd>Jan Smit</dd><dt>Email</dt><dd>jan@smit.example</dd></dl>",
    "<p><strong>Name</strong><br>Jan Smit</p><p><strong>Email</strong><br>jan@smit.example</p>",
    "<p><b>Name:</b>&nbsp;Jan Smit<br/><b>Email:</b>&nbsp;jan@smit.example</p>",
]


@pytest.mark.parametrize("markup", LAYOUTS)
def test_the_cells_of_a_table_are_labels_and_values(markup: str) -> None:
    assert who(judged(mail(SITE, "Formulier", markup, html=True))) == (
        "jan@smit.example",
        "Jan Smit",
    )


BOB = ("bob@stone.example", "Bob Stone")
SERVICES = [
    ("labels", "Forms <notify@formwizard.example>", "New entry #31", "Full name: Bob Stone\nEmail address: bob@stone.example\nComments: hi", "", "form"),
    ("reply-to and words", "Portal <portal@trades.example>", "Anfrage über Branchenportal", "Sie haben eine neue Anfrage.\n\nBitte Angebot", "Bob Stone <bob@stone.example>", "reply-to"),
    ("a customer", "no-reply@trades.example", "Neue Kundenanfrage", "Kunde: Bob Stone\nE-Mail: bob@stone.example\nAnliegen: Angebot", "", "form"),
    ("via", '"Bob Stone via Machines" <request-7f3a9@machines.example>', "Inquiry about your machine", "still available?", "bob@stone.example", "reply-to"),
    ("a booking", "Book <no-reply@superbook.example>", "New booking: Demo", "A new booking was made.\n\nWho:\nBob Stone\nbob@stone.example\n\nWhen:\nMonday", "", "text"),
    ("a chat", "Talk <noreply@livetalk.example>", "Chat transcript", "Visitor name: Bob Stone\nVisitor email: bob@stone.example\n\n[10:01] price?", "", "form"),
    ("a sentence", "Portal <info@trades.example>", "Bob Stone sent you a message", "Bob Stone (bob@stone.example) sent you a message:\n\nprice?", "", "text"),
    ("a space only", "Jot <noreply@jotform.com>", "Re: Kontakt - Bob Stone", "Name Bob Stone\nEmail bob@stone.example\nNachricht Bitte Angebot", "bob@stone.example", "form"),
    ("Reply-To of a known service", "Jot <noreply@jotform.com>", "Kontakt", "Bitte Angebot", "Bob Stone <bob@stone.example>", "reply-to"),
    ("field names", "Ads <noreply@ads.example>", "New lead", "full_name: Bob Stone\nemail: bob@stone.example\ncity: Berlin", "", "form"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sender", "subject", "text", "reply_to", "way"),
    [one[1:] for one in SERVICES],
    ids=[one[0] for one in SERVICES],
)
def test_a_service_hands_on_its_visitor(
    sender: str, subject: str, text: str, reply_to: str, way: str
) -> None:
    found = judged(mail(sender, subject, text, reply_to=reply_to))

    assert (who(found), found.way, found.verdict.kind) == (BOB, way, "contact")


# Local part, subject and label of a helpdesk's notice to its agents, by language
AGENTS = {
    "cs": ("podpora", "Nový tiket vytvořen", "Žadatel"),
    "da": ("hjaelp", "Ny sag oprettet", "Anmoder"),
    "de": ("support", "Neues Ticket erstellt", "Antragsteller"),
    "en": ("support", "New ticket created", "Requester"),
    "es": ("soporte", "Nuevo ticket creado", "Solicitante"),
    "fi": ("tuki", "Uusi tiketti luotu", "Pyytäjä"),
    "fr": ("aide", "Nouveau ticket créé", "Demandeur"),
    "hu": ("tamogatas", "Új jegy létrehozva", "Kérelmező"),
    "it": ("supporto", "Nuovo ticket creato", "Richiedente"),
    "nl": ("ondersteuning", "Nieuw ticket aangemaakt", "Aanvrager"),
    "pl": ("wsparcie", "Nowy tiket utworzony", "Zgłaszający"),
    "pt": ("suporte", "Novo ticket criado", "Solicitante"),
    "ru": ("podderzhka", "Новый тикет создан", "Заявитель"),
    "sv": ("kundtjanst", "Nytt ärende skapat", "Beställare"),
    "tr": ("destek", "Yeni destek talebi", "Talep Eden"),
}


@pytest.mark.parametrize(("local", "subject", "label"), AGENTS.values(), ids=AGENTS)
def test_a_desks_notice_to_its_agents_hands_on_who_asked(
    local: str, subject: str, label: str
) -> None:
    text = f"{label}: Bob Stone <bob@stone.example>\n\nThe roller is worn. Price?"
    found = judged(mail(f"Pumps <{local}@pumps.freshdesk.com>", f"[#3301] {subject}", text))

    assert (who(found), found.verdict.kind) == (BOB, "contact")


def test_a_portals_address_of_one_conversation_is_the_person() -> None:
    sender = '"Bob Stone (via Bricabrac)" <a8f3c991@reply.bricabrac.example>'
    found = judged(mail(sender, "Your ad", "Still available?"))

    assert (who(found), found.way) == (("a8f3c991@reply.bricabrac.example", "Bob Stone"), "relay")


NOBODYS = [
    ("a copy, by Reply-To", "Hotel <info@hotel.example>", "Copy of: Casino", "This is a copy of the following message you sent to Hotel\n\nName: Win\nEmail: sales@pumps.example\nMessage: click", "sales@pumps.example"),
    ("a copy, by its field", "School <wordpress@school.example>", 'School "WIN"', "From: WIN <sales@pumps.example>\nSubject: WIN\n\nMessage Body:\nclick\n\n--\nThis e-mail was sent from a contact form on School", "office@school.example"),
    ("a notice of our site", SITE, "[Site] Plugins updated", "Some plugins were updated. Questions? support@plugins.example", ""),
    ("among colleagues", COLLEAGUE, "Meeting", "Please come.\n\nJonas\nPrinter: print@shop.example", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sender", "subject", "text", "reply_to"),
    [one[1:] for one in NOBODYS],
    ids=[one[0] for one in NOBODYS],
)
def test_some_mail_is_nobodys(sender: str, subject: str, text: str, reply_to: str) -> None:
    assert who(judged(mail(sender, subject, text, reply_to=reply_to))) is None


PERSONS = [
    ("a signature with another address", "how much?\n\nBob Stone\nE-Mail: b.stone@mail.example\nTel: +44 20 7946 0123", ""),
    ("answers go elsewhere", "how much?", "Bob Stone <bob.stone@mail.example>"),
    ("an outsider forwards", "see below\n\nFrom: Eve Hill <eve@hill.example>\nSent: Monday\nTo: Bob Stone <bob@stone.example>\nSubject: Pump\n\n3 pumps", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reply_to"), [one[1:] for one in PERSONS], ids=[one[0] for one in PERSONS]
)
def test_a_person_is_the_author_of_his_own_mail(text: str, reply_to: str) -> None:
    found = judged(mail("Bob Stone <bob@stone.example>", "FW: Pump", text, reply_to=reply_to))

    assert (who(found), found.way) == (BOB, "from")


# The subject's prefix and the labels of Outlook's forwarded header, by language.
OUTLOOK = {
    "de": ("WG", "Von", "Gesendet", "An", "Betreff"),
    "fr": ("TR", "De", "Envoyé", "À", "Objet"),
    "es": ("RV", "De", "Enviado el", "Para", "Asunto"),
    "it": ("I", "Da", "Inviato", "A", "Oggetto"),
    "pt": ("ENC", "De", "Enviada em", "Para", "Assunto"),
    "nl": ("FW", "Van", "Verzonden", "Aan", "Onderwerp"),
    "sv": ("VB", "Från", "Skickat", "Till", "Ämne"),
    "da": ("VS", "Fra", "Sendt", "Til", "Emne"),
    "nb": ("VS", "Fra", "Sendt", "Til", "Emne"),
    "fi": ("VL", "Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "pl": ("PD", "Od", "Wysłano", "Do", "Temat"),
    "cs": ("FW", "Od", "Odesláno", "Komu", "Předmět"),
    "sk": ("FW", "Od", "Odoslané", "Komu", "Predmet"),
    "hu": ("FW", "Feladó", "Elküldve", "Címzett", "Tárgy"),
    "ro": ("FW", "De la", "Trimis", "Către", "Subiect"),
    "bg": ("FW", "От", "Изпратено", "До", "Относно"),
    "hr": ("FW", "Šalje", "Poslano", "Prima", "Predmet"),
    "sl": ("FW", "Od", "Poslano", "Za", "Zadeva"),
    "sr": ("FW", "Od", "Poslato", "Za", "Naslov"),
    "el": ("FW", "Από", "Στάλθηκε", "Προς", "Θέμα"),
    "tr": ("İLT", "Kimden", "Gönderildi", "Kime", "Konu"),
    "ru": ("FW", "От", "Отправлено", "Кому", "Тема"),
    "uk": ("FW", "Від", "Надіслано", "Кому", "Тема"),
    "lt": ("FW", "Nuo", "Išsiųsta", "Kam", "Tema"),
    "lv": ("FW", "No", "Nosūtīts", "Kam", "Temats"),
    "et": ("FW", "Saatja", "Saadetud", "Adressaat", "Teema"),
    "ja": ("FW", "差出人", "送信日時", "宛先", "件名"),
    "zh": ("转发", "发件人", "发送时间", "收件人", "主题"),
    "zhtw": ("轉寄", "寄件者", "寄件日期", "收件者", "主旨"),
    "ko": ("FW", "보낸 사람", "보낸 날짜", "받는 사람", "제목"),
    "he": ("FW", "מאת", "נשלח", "אל", "נושא"),
    "ar": ("FW", "من", "تم الإرسال", "إلى", "الموضوع"),
    "vi": ("FW", "Từ", "Đã gửi", "Đến", "Chủ đề"),
    "th": ("FW", "จาก", "ส่ง", "ถึง", "เรื่อง"),
    "ca": ("FW", "De", "Enviat el", "Per a", "Assumpte"),
    "is": ("FW", "Frá", "Sent", "Til", "Efni"),
}


@pytest.mark.parametrize("language", OUTLOOK)
@pytest.mark.parametrize("style", ["outlook", "web", "html", "apple", "gmail"])
def test_a_colleagues_forward_is_the_originals_authors(language: str, style: str) -> None:
    prefix, sender, date, to, subject = OUTLOOK[language]
    bob = "Bob Stone <bob@stone.example>"
    text = {
        "outlook": f"fyi\n\n{sender}: {bob}\n{date}: 5. 10. 2026\n{to}: Jonas\n{subject}: Pump\n\nPrice?",
        "web": f"fyi\n{'_' * 32}\n{sender} : {bob}\n{date} : 5. 10. 2026\n{to} : Jonas\n{subject} : Pump\n\nPrice?",
        "html": f"<p>fyi</p><hr><p><b>{sender}:</b> Bob Stone &lt;bob@stone.example&gt;<br><b>{date}:</b> 5. 10. 2026<br><b>{to}:</b> Jonas<br><b>{subject}:</b> Pump</p><p>Price?</p>",
        "apple": f"> {sender}: {bob}\n> {subject}: Pump\n> {date}: 5. Oct 2026\n> {to}: jonas@pumps.example\n> \n> Price?",
        "gmail": f"---------- Forwarded message ---------\n{sender}: {bob}\nDate: Mon, 5 Oct 2026\nSubject: Pump\nTo: <jonas@pumps.example>\n\n\nPrice?",
    }[style]
    raw = mail(
        COLLEAGUE,
        f"{'Fwd' if style in {'apple', 'gmail'} else prefix}: Pump",
        text,
        html=style == "html",
    )

    found = judged(raw)

    assert (who(found), found.way) == (BOB, "forward")
    assert parse(raw, size=1).snippet == "Price?"


BLOCK = "From: Bob Stone <bob@stone.example>\nDate: Mon, 05 Oct 2026 09:14:00 +0200\nTo: <jonas@pumps.example>\nSubject: Pump\n"
PROGRAMS = [
    ("proton", "Fw: Pump", f"------- Forwarded Message -------\n{BLOCK}\n> Hello"),
    ("zoho", "Fwd: Pump", f"============ Forwarded message ============\n{BLOCK}============ Forwarded message ============\n\nHello"),
    ("notes", "Fw: Pump", f"----- Forwarded by Jonas Wehr/Pumps on 05.10.2026 09:20 -----\n\n{BLOCK}\nHello"),
    ("thunderbird", "Fwd: Pump", "-------- Messaggio Inoltrato --------\nOggetto: \tPump\nData: \tMon, 5 Oct 2026 15:51:30 +0200\nMittente: \tBob Stone <bob@stone.example>\nA: \tjonas@pumps.example\n\n\nHello"),
    ("qq", "转发: Pump", '------------------ 原始邮件 ------------------\n发件人: "Bob Stone" <bob@stone.example>;\n发送时间: 2026年10月5日\n收件人: "jonas"<jonas@pumps.example>;\n主题: Pump\n\nHello'),
    ("yahoo", "Fw: Pump", '  ----- Forwarded Message ----- From: Bob Stone <bob@stone.example>To: "jonas@pumps.example" <jonas@pumps.example>Sent: Monday, October 5, 2026, 09:14:00 AM GMT+2Subject: Pump\nHello'),
    ("outlook for mac", "FW: Pump", 'On 05/10/2026, 09:14, "Bob Stone" <bob@stone.example> wrote:\n\n    Hello'),
    ("a subject of its own", "Anfrage Stone", f"bitte\n\n-----Ursprüngliche Nachricht-----\n{BLOCK.replace('<bob', '[mailto:bob').replace('example>', 'example]', 1)}\nHello"),
    ("forwarded twice", "WG: WG: Pump", f"bitte\n\nVon: Ute Kern <ute@pumps.example>\nGesendet: Montag\nAn: Jonas\nBetreff: WG: Pump\n\nfyi\n\n{BLOCK}\nHello"),
    ("with a ticket", "[Ticket#1234] Fwd: Pump", f"{BLOCK}\nHello"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "text"), [one[1:] for one in PROGRAMS], ids=[one[0] for one in PROGRAMS]
)
def test_every_program_forwards_in_its_own_way(subject: str, text: str) -> None:
    found = judged(mail(COLLEAGUE, subject, text))

    assert (who(found), found.way) == (BOB, "forward")


def test_what_a_colleague_quotes_in_an_answer_was_handed_on_before() -> None:
    assert who(judged(mail(COLLEAGUE, "AW: Pump", f"done\n\n{BLOCK}\nHello"))) is None


def test_the_configuration_has_the_last_word_on_a_relay() -> None:
    raw = mail(
        "Leads <leads@relay.example>", "Hello", "x", reply_to="Bob Stone <bob@stone.example>"
    )

    def with_relay(author: str) -> Judgement:
        relays = (Source("*@relay.example", author),)  # type: ignore[arg-type]  # each of the places
        return judged(raw, replace(US, sources=Sources(relays=relays)))

    assert who(with_relay("reply-to")) == BOB
    assert who(with_relay("from")) == ("leads@relay.example", "Leads")
    assert who(with_relay("nobody")) is None


@pytest.mark.parametrize("off", ["forms", "forwards"])
def test_a_kind_of_source_can_be_switched_off(off: str) -> None:
    raw = mail(SITE, "Form", "Name: Bob Stone\nEmail: bob@stone.example\nMessage: hi")
    if off == "forwards":
        raw = mail(COLLEAGUE, "Fwd: Pump", f"{BLOCK}\nHello")
    switched: dict[str, Any] = {off: False, "forms": False}
    without = replace(US, sources=replace(US.sources, **switched))

    assert who(judged(raw)) == BOB
    assert who(judged(raw, without)) is None


NAMES = [
    ("Lovelace, Ada", "Ada Lovelace"),
    ("Lovelace, Ada (Engines Ltd)", "Ada Lovelace"),
    ("LOVELACE, Ada [EXT]", "Ada Lovelace"),
    ("Stein, Dr. Jan", "Dr. Jan Stein"),
    ("ada lovelace", "Ada Lovelace"),
    ("McDONALD Fiona", "Fiona McDonald"),
    ("VAN DER BERG Piet", "Piet van der Berg"),
    ("ADA GmbH", "ADA GmbH"),
    ("Ada Lovelace via Trello", "Ada Lovelace"),
    ("Ada über Anzeigen", "Ada"),
    ("'Ada Lovelace'", "Ada Lovelace"),
    ("Ada Lovelace | Engines", "Ada Lovelace"),
    ("Ada Lovelace - Engines", "Ada Lovelace"),
    ("Ada Lovelace (on behalf of Engines)", "Ada Lovelace"),
    ("Anne-Marie O'Neill", "Anne-Marie O'Neill"),
    ("Engines, Inc.", "Engines, Inc."),
    ("LOVELACE Ada", "Ada Lovelace"),
    ("IBM Deutschland GmbH", "IBM Deutschland GmbH"),
    ("ADA LOVELACE", "Ada Lovelace"),
    ("Lovelace, PhD", "Lovelace, PhD"),
    ("山田 太郎", "山田 太郎"),
    ("(Ada)", "Ada"),
    ("Prof. Dr. Stein, Jan", "Prof. Dr. Jan Stein"),
    ("\U0001f33f Ada\u200d Lovelace \u2764\ufe0f", "Ada Lovelace"),
    (
        "\u0646\u0631\u06af\u0633 \u0645\u06cc\u200c\u062e",
        "\u0646\u0631\u06af\u0633 \u0645\u06cc\u200c\u062e",
    ),
    ("\U0001f33f", "\U0001f33f"),
    ("Ada Lovelace <mailto:ada@engines.example>", "Ada Lovelace"),
]


@pytest.mark.parametrize(("name", "clean"), NAMES)
def test_a_name_is_written_as_people_write_it(name: str, clean: str) -> None:
    assert clean_name(name) == clean


SWITCHED = {
    "forms": mail(SITE, "Enquiry", "Name: Ada\nE-mail: ada@acme.example\nMessage: Hello"),
    "forms, by Reply-To": mail(SITE, "Enquiry", "Hello", reply_to="Ada <ada@acme.example>"),
    "forwards": mail(
        COLLEAGUE,
        "Fwd: Offer",
        "---------- Forwarded message ---------\nFrom: Ada <ada@acme.example>\n"
        "Date: Mon, 12 Oct 2026 at 09:00\nSubject: Offer\nTo: <jonas@pumps.example>\n\nHello",
    ),
    "groups": mail(
        "'Ada' via Sales <sales@pumps.example>", "Hello", "Hello", reply_to="ada@acme.example"
    ).replace(b"\r\nTo:", b"\r\nX-Original-Sender: ada@acme.example\r\nTo:", 1),
    "groups, by List-Id": mail(
        "Sales <sales@pumps.example>", "Hello", "Hello", reply_to="ada@acme.example"
    ).replace(b"\r\nTo:", b"\r\nList-Id: <sales.pumps.example>\r\nTo:", 1),
}


@pytest.mark.parametrize("kind", SWITCHED)
def test_a_kind_that_is_switched_off_is_found_by_no_other_way(kind: str) -> None:
    judgement = judged(SWITCHED[kind])
    assert [party.address for party in judgement.parties] == ["ada@acme.example"]
    name = kind.partition(",")[0]
    for other in ("forms", "forwards", "groups"):
        switched: dict[str, Any] = {other: False}
        sources = replace(Sources(), **switched)
        parties = judged(SWITCHED[kind], replace(US, sources=sources)).parties
        assert bool(parties) == (other != name)


MEMBER = "X-Original-From: Ada Lovelace <ada@{0}>\nX-Original-Sender: ada@{0}\nPrecedence: list"


@pytest.mark.parametrize(
    ("group", "original", "wrote"),
    [
        ("purchasing@acme.example", "acme.example", ("ada@acme.example", "Ada Lovelace")),
        # Whom a stranger puts there: of another domain, or of one that anybody can write from
        ("purchasing@acme.example", "other.example", ("purchasing@acme.example", "Ada Lovelace")),
        ("stranger@gmail.com", "gmail.com", ("stranger@gmail.com", "Ada Lovelace")),
    ],
)
def test_a_companys_group_hands_on_its_own_people(
    group: str, original: str, wrote: tuple[str, str]
) -> None:
    sender = f"\"'Ada Lovelace' via Purchasing\" <{group}>"
    text = "Hello,\n\ncould you quote for two pumps?\n\nAda"
    raw = mail(sender, "Pumps", text).replace(
        b"\r\nMIME", b"\r\n" + MEMBER.format(original).replace("\n", "\r\n").encode() + b"\r\nMIME"
    )
    assert who(judged(raw)) == wrote
    off = replace(US, sources=Sources(groups=False))
    assert who(judged(raw, off)) == (group, "Ada Lovelace")


def test_a_person_who_writes_via_his_company_is_one() -> None:
    raw = mail("Ada Lovelace via Acme <ada@acme.example>", "Pumps", "Do you sell pumps?")
    assert who(judged(raw)) == ("ada@acme.example", "Ada Lovelace")
    assert judged(raw).verdict.kind == "contact"


@pytest.mark.parametrize(
    ("who_", "mail_of"),
    [
        ("Genodigde", "E-mail van genodigde"),
        ("Zaproszony", "E-mail zaproszonego"),
        ("Invitado", "Correo del invitado"),
        ("Kutsuttu", "Sähköposti"),
    ],
)
def test_a_booking_page_hands_on_its_guest_in_its_language(who_: str, mail_of: str) -> None:
    text = f"Jonas Wehr,\n\n{who_}:\nAda Lovelace\n\n{mail_of}:\nada@lovelace.example\n\n10:00"
    raw = mail("Calendly <notifications@calendly.com>", "Demo: Ada Lovelace", text)
    assert who(judged(raw)) == ("ada@lovelace.example", "Ada Lovelace")
