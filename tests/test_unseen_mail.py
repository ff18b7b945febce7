"""Mail that no list of words has seen: judged by who seems to send it and by what it lacks."""

import pytest
from one_mail import mail, reason

from daemon.message.data import read
from daemon.message.letter import is_signed
from daemon.message.localparts import is_sending_host, names_a_person, names_the_domain
from daemon.message.nature import lift
from daemon.message.text_signals import HEAD_LIMIT, speaks_of, text_signals

OURS = "<1@us.example>"

NOTICES = {
    "no, receipt": ("Betalo <kvittering@betalo.example>", "Betaling", "Du har betalt 249,00 kr til Kontorvaror."),
    "it, document": ("NuvolaDoc <documenti@nuvoladoc.example>", "Nuovo", "Un collega ha caricato qualcosa. Accedi per vederlo."),
    "de, domain": ("Domainkiste <domains@domainkiste.example>", "us.example", "Die Domain us.example wird in 30 Tagen verlängert. Sie müssen nichts tun."),
    "nl, report": ("Zonnemonitor <rapport@zonnepanelen.example>", "September", "Opbrengst: 412 kWh."),
    "en, monitor": ("Uptime Watch <monitor@uptimewatch.example>", "DOWN", "The monitor us.example does not respond since 10:12."),
    "fr, plan": ("EquipeApp <planning@equipeapp.example>", "Semaine 46", "Léon a modifié le planning."),
    "sv, invoice": ("Fabriksteam AB <ekonomi@fabriksteam.example>", "88123", "Bifogat finner du dokument 88123."),
    "pl, account": ("Telefonik <konto@telefonik.example>", "Nowość", "Na koncie pojawił się nowy dokument."),
    "a password": ("Boekapp <support@boekapp.example>", "Gewijzigd", "Je wachtwoord is gewijzigd. Was jij dit niet?"),
    "shared by somebody": ("Bram (via Filesnord) <shares@filesnord.example>", "Map", "Bram heeft een map met je gedeeld."),
    "a recall": ("Jung, Christa <c.jung@jung.example>", "Rückruf: Preis", 'Jung, Christa möchte die Nachricht "Preis" zurückrufen.'),
    "TLS report": ("smtp-tls-reporting@mx.example", "Report Domain: us.example Submitter: mx.example Report-ID: <1>", "An aggregate report."),
    "a full mailbox": ("Noah Bakker <noah@bakker.example>", "Mailbox vol: Offerte", "De mailbox van noah@bakker.example is vol. Uw bericht is niet bezorgd."),
    "delivered": ("Pia Ash <p.ash@ash.example>", "Delivered: Offer", "Your message was delivered to the following recipients: Pia Ash"),
    "known senders only": ("Vincent Prat <vincent@prat.example>", "Re: Devis", "Je n'accepte que les courriels d'expéditeurs connus. Cliquez ici pour que votre message me soit remis."),
    "a greeting without a comma": ("Mads Holm <ordre@slangehuset.example>", "Din ordre er afsendt", "Hej Elin\n\nDin ordre er netop afsendt. Track & trace: 00570712345.\n\nVenlig hilsen\nSlangehuset"),
    "a desk, of what is yours": ("Elbolaget <info@elbolaget.example>", "Ditt avtal", "Ditt avtal förlängs den 1 oktober."),
    "founder, fr": ("Julie de Planora <julie@planora.example>", "Bienvenue", "Bonjour,\n\nJe suis Julie. Vous recevez cet e-mail parce que vous avez créé un compte. Une question ? Répondez à ce message.\n\nJulie"),
    "survey, no": ("Kundepuls <undersokelse@kundepuls.example>", "Hei", "Hei! Vi vil gjerne høre hva du synes. Undersøkelsen tar 2 minutter."),
    "survey, hu": ("Vevopont <velemeny@vevopont.example>", "Köszönjük", "Kedves Ada! Véleménye fontos számunkra. A kérdőív kitöltése 2 percet vesz igénybe."),
    "a new address": ("Ralf Oster <oster@oster.example>", "AW: Angebot", "Diese E-Mail-Adresse wird nicht mehr verwendet. Bitte nutzen Sie künftig r.oster@neu.example."),
    "a server's words": ("E-postsystemet <epost@gard.example>", "Ditt meddelande", "Adressen kalle@gard.example finns inte. 550 5.1.1"),
    "named by no list": ("Targi Młyn Expo <rejestracja@expo.example>", "Twój bilet", "W załączniku znajduje się bilet z kodem QR."),
    "a firm's own word": ("Buchladen am Eck <buchladen@buchladen-eck.example>", "Abholung", "Ihr Buch liegt zur Abholung bereit."),
    "a brand's case": ("Marta z Drukarni <marta@drukarnia.example>", "Nowości", "Wejdź na stronę. Otrzymujesz tę wiadomość, bo masz konto."),
    "a founder by title": ("Tom, CEO of Ledgerly <tom@ledgerly.example>", "Quick hello", "I'm Tom, and I started Ledgerly.\n\nTom\n\nNo longer interested? Click here."),
    "an invitation": ("Nora Flynn <nora.flynn@agri.example>", "Free webinar", "Hi Ada,\n\njoin us on 14 May. Save your seat.\n\nNora Flynn\n\nUnsubscribe"),
    "a signed newsletter": ("Anna Keller <anna.k@akademie.example>", "Leitfaden", "Hallo,\n\nhier ist Ihr Leitfaden.\n\nHerzliche Grüße\nAnna Keller\n\nSie erhalten diese E-Mail, weil Sie sich eingetragen haben. Austragen"),
}  # fmt: skip


@pytest.mark.parametrize(("sender", "subject", "text"), NOTICES.values(), ids=NOTICES.keys())
def test_a_notice_in_words_that_nobody_listed(sender: str, subject: str, text: str) -> None:
    assert reason(mail(text, subject, sender)) != "human"


PEOPLE = {
    "a desk that asks": ("Imkerij Zoem <info@zoem.example>", "Was", "Goedendag,\n\nkan de pers ook voor bijenwas?"),
    "a desk that wants": ("Varga Kft <iroda@varga.example>", "Ajánlat", "Jó napot!\n\nAjánlatot kérünk 60 m2 lapra."),
    "a desk that signs": ("Club du Lac <contact@clubdulac.example>", "Paiement", "Bonjour, nous avons payé ce matin.\n\nCordialement\nLe trésorier, Paul Sauvage"),
    "signed in the line": ("Kvarteret <post@kvarteret.example>", "Hei", "Hei! Pengene er overført. Mvh Siri"),
    "in a line, without a closing": ("Bogbinder <papir@bogbinder.example>", "Papir", "Hej Jana. Vi tager 25 ark til."),
    "a firm and a mail program": ("Hofladen <info@hofladen.example>", "Kasse", "Die Waage steht wieder. Alles gut."),
    "a single given name": ("Jette <j77@web.example>", "Muster", "Die Muster sind angekommen."),
    "a desk that greets": ("Maison Plume <contact@plume.example>", "Facture", "Madame, la facture de mars a été payée deux fois par erreur."),
    "a name that no list has": ("Skarphéðinn Ólafs <skarphedinn@ullarnes.example>", "Reikningur", "Reikningur 118 var greiddur í gær."),
    "about an invoice": ("Parwinder Gill <parwinder@gill-atta.example>", "Your invoice", "Your invoice has the wrong number, correct is attached."),
    "about a colleague": ("Heike Brandes <brandes@brandes.example>", "AW: Angebot", "Mein Chef ist bis Montag im Urlaub, danach entscheiden wir. Können Sie das Angebot so lange halten?"),
    "a nickname": ("Ludovic Maurin <ludo@moulin.example>", "Carton", "Le carton est arrivé."),
    "without accents": ("Fabryka <biuro@fabryka.example>", "Pytanie", "Dzien dobry, prosimy o oferte na dwie pompy."),
    "an initial": ("Ada Berg <info@berg.example>", "Rechnung", "Guten Tag, da fehlt die Bestellnummer.\n\nA. Berg"),
}  # fmt: skip


@pytest.mark.parametrize(("sender", "subject", "text"), PEOPLE.values(), ids=PEOPLE.keys())
def test_a_person_leaves_a_trace(sender: str, subject: str, text: str) -> None:
    fields = {"User_Agent": "Mozilla Thunderbird"} if "Waage" in text else {}
    assert reason(mail(text, subject, sender, **fields)) == "human"


# In languages without a list of wishes, or without a wish: only the sender is a firm's.
TERSE = {
    "vi": ("info@nuocmam.example", "cần mua 100 túi lọc"),
    "ka, a name that no list has": ("Zviad <zviadi77@rtveli.example>", "20 ფირფიტა მინდა"),
    "kk, a name at a desk": ("Айбек <office@kymyz.example>", "20 дана сүзгі керек"),
    "ta, named like the firm": ("Thamizh Tex <office@thamizhtex.example>", "சாயப்பட்டறைக்கு வடிகட்டி"),
    "is, named like the firm": ("Hunanga <info@hunanga.example>", "vantar 20 síur fyrir hunang"),
    "sw, a complaint": ("Kuku Farm <info@kukufarm.example>", "pampu yenu imefika salama asante"),
    "de, bookkeeping": ("Buchhaltung <buchhaltung@kaeserei.example>", "wir sind umgezogen, neue Anschrift: Dorfstr. 4"),
    "pl": ("kontakt@lutnia.example", "czy wysyłacie pojedyncze sztuki"),
    "da, a fault": ("Slagteri Holm <mail@slagteriholm.example>", "den ene pumpe lækker stadig"),
    "en, a list": ("orders@nortons.example", "after 200 K100 pads, same as last year"),
}  # fmt: skip


@pytest.mark.parametrize(("sender", "text"), TERSE.values(), ids=TERSE.keys())
def test_a_small_firm_writes_tersely(sender: str, text: str) -> None:
    assert reason(mail(text, "filter", sender)) == "human"


@pytest.mark.parametrize(
    ("sender", "text"),
    [
        ("Panadería Soler <info@panaderiasoler.example>", "vale, adelante con los 20"),
        ("Tea House <office@teahouse.example>", "კარგია"),
        ("Support <support@valves.example>", "The seat is PTFE. We ship from Rotterdam."),
        ("Frantoio Salento <info@frantoiosalento.example>", "va bene, procedete"),
    ],
)
def test_a_firm_answers_in_one_line(sender: str, text: str) -> None:
    by_helpdesk = reason(mail(text, "Re: Offer", sender, In_Reply_To=OURS))
    assert by_helpdesk == "human" or lift(by_helpdesk) == "either"  # an answer to us counts
    typed = mail(text, "Re: Offer", sender, In_Reply_To=OURS, X_Mailer="iPhone Mail (22G86)")
    assert reason(typed) == "human"


# What a firm's desk writes, and what its programs send, in the same few words
ONE_LINE = {
    "de": ("Aufzugwartung <info@aufzug.example>", "Wartung", "Die Wartung ist am 12. Oktober."),
    "pt": ("Quinta Verde <geral@quinta.example>", "Rolhas", "Faltam duas caixas."),
    "en": ("Tank Sense <hello@tanksense.example>", "Tank 4", "Tank 4 is at 18 %."),
    "nl, no name of the domain": ("Het Stroomnet <info@netwerk.example>", "Storing", "De storing is opgelost."),
}  # fmt: skip
PROGRAMS = {
    "Outlook": {"X_Mailer": "Microsoft Outlook 16.0"},
    "Gmail": {"Message_ID": "<CAKbZ8+f_2QnWbZ8PpQ0yq1V6c5xk9w@mail.gmail.com>"},
    "Exchange": {"Message_ID": "<AM9PR05MB7236F8A1285822@AM9PR05MB7236.EURPRD05.PROD.OUTLOOK.COM>"},
    "Orange": {"Message_ID": "<450800047.345.1631083814685.JavaMail.www@wwinf1e33>"},
    "GMX": {"X_UI_Sender_Class": "01bb95c1-4bf8-414a-932a-4f6e2808ef9c"},
}


@pytest.mark.parametrize("fields", PROGRAMS.values(), ids=PROGRAMS.keys())
@pytest.mark.parametrize(("sender", "subject", "text"), ONE_LINE.values(), ids=ONE_LINE.keys())
def test_one_line_of_a_firm_is_a_persons_by_the_program_that_sent_it(
    sender: str, subject: str, text: str, fields: dict[str, str]
) -> None:
    assert reason(mail(text, subject, sender, **fields)) == "human"
    assert lift(reason(mail(text, subject, sender))) == "either"


LIBRARIES = {
    "Jakarta Mail": "<519513506.39.1788000000000@app-7>",
    "Python": "<178800000000.11257.1885028792844739162@web.example>",
    "Rails": "<57b6fbfeaa155_bd87a865@web-7f9c.mail>",
    "PHPMailer": "<GeoZDMENcKHVmDGAkJiG8XnBE3NnYJoQ9WmXeHH2@shop.example>",
    "Exim": "<E1sX0042-000000002bc-3Ab@web12.example>",
    "Postfix": "<20261007112233.4ABCDEF012@mail.example>",
}


@pytest.mark.parametrize("made", LIBRARIES.values(), ids=LIBRARIES.keys())
def test_a_library_is_known_by_its_message_ids(made: str) -> None:
    signals = mail("Tank 4 is at 18 %.", Message_ID=made).signals
    assert {"program", "no-client"} <= set(signals)


def test_each_form_of_message_ids_has_a_signal_and_a_source() -> None:
    lines = [line.split(" | ") for line in read("message_ids.txt")]
    assert {signal for signal, *_ in lines} == {"typed", "client", "program"}
    assert all(len(line) == 3 and line[2].strip() for line in lines)


def test_a_program_that_answers_nothing_by_itself_writes_no_absence_notes() -> None:
    text = "Bin bis 9. November im Urlaub, danach lese ich das Angebot"
    typed = mail(text, "AW: Angebot", In_Reply_To=OURS, X_Mailer="iPhone Mail (22G86)")
    assert reason(typed) == "human"
    assert reason(mail(text, "AW: Angebot", In_Reply_To=OURS)) == "says-absent"


def test_what_an_address_is_made_of() -> None:
    assert is_sending_host("noreply-transfer.example")
    assert not is_sending_host("transfer.example")
    assert names_a_person("zviadi77", "Zviad")
    assert names_a_person("bjorn", "Bjørn Moe")
    assert names_the_domain("Verktøy", "verktoy.example")


def test_a_correspondence_shows_a_person_behind_what_lacks_one() -> None:
    assert {lift(one) for one in ("impersonal", "impersonal-desk", "impersonal-letter")} == {
        "either"
    }


ANSWERS = {
    "has left, first person": ("Gwyn Hale <g.hale@hale.example>", "I have now left Hale Ropes. Please direct enquiries to info@hale.example."),
    "off, in another word": ("Gül Kaya <g.kaya@kaya.example>", "19 Ekim'e kadar izinliyim."),
    "a case by its number": ("Chimeneas Sur <info@chimeneas.example>", "Su solicitud ha sido registrada con el número 7781."),
    "left, by name": ("Ilona Pries <i.pries@pries.example>", "Frau Ilona Pries ist seit dem 1. Juli nicht mehr für uns tätig."),
    "telegraphic": ("Kit Fern <kit@fern.example>", "On leave, back 9 Nov. Urgent? Ring the yard."),
    "fi, until": ("Tea Aalto <t.aalto@paperi.example>", "Poissa toimistolta 18.5. saakka."),
    "ja, until": ("Mori Yoko <y.mori@kami.example>", "5月18日まで不在にしております。"),
    "part-time": ("Carol Wynne <carol@hop.example>", "Thank you. Please note that I work Monday to Wednesday and will reply when I am next in the office."),
    "retired": ("Bert Hollis <bert@forge.example>", "After 31 years I have retired. For orders please write to orders@forge.example."),
    "cs, left": ("Petr Novotny <petr@mlyn.example>", "Dobrý den, pan Novotny již v naší společnosti nepracuje. Obraťte se prosím na info@mlyn.example."),
    "it, a firm closed for holidays": ("Vetreria Alba <ufficio@vetreria-alba.example>", "Chiusura estiva: i nostri uffici riapriranno il 31 agosto."),
    "acknowledged, by a machine's address": ("Robot <autoresponder@grupovidal.example>", "Hemos recibido su mensaje. Gracias."),
    "acknowledged, a desk": ("Mangimi Valpo <supporto@mangimi.example>", "Gentile cliente, la Sua richiesta è stata presa in carico. Numero ticket: 771204."),
    "acknowledged, in its own words": ("Barn Cider <hello@barncider.example>", "Howdy! Your note landed in our barn."),
}  # fmt: skip


@pytest.mark.parametrize(("sender", "text"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_automatic_answer_in_its_own_words(sender: str, text: str) -> None:
    assert reason(mail(text, "Re: Angebot", sender, In_Reply_To=OURS)) != "human"


def test_an_agent_at_a_helpdesk_is_a_person() -> None:
    sender = "Boutique <achats@boutique.example>"
    desk = {"X_Mailer": "Zendesk Mailer", "Auto_Submitted": "auto-generated", "In_Reply_To": OURS}
    text = "Bonjour, nous prenons le modèle 17. Pouvez-vous livrer avant Noël ?\n\nInès"
    acknowledged = "Nous avons bien reçu votre demande. Avez-vous d'autres questions ?"
    assert reason(mail(text, "Re: Devis", sender, **desk)) == "human"
    assert reason(mail(acknowledged, "Re: Devis", sender, **desk)) != "human"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail eines Menschen.\n\nGibt es das auch in blau?\n\nLotte", "human"),
        ("Die neuen Farben sind da.\n\nLotte", "list-unsubscribe"),
        ("Die neuen Farben sind da. Keine Mails mehr? Hier klicken.\n\nLotte", "list-unsubscribe"),
    ],
)
def test_a_list_field_needs_a_question_beside_the_signature(text: str, expected: str) -> None:
    fields = {"List_Unsubscribe": "<https://relay.example/u>"}
    assert reason(mail(text, "Farben", "Lotte Daem <lotte@daem.example>", **fields)) == expected


SPOKEN_OF = {
    "Frau Pries ist nicht mehr da.": True,
    "Pries, Ilona would like to recall the message.": True,
    "Mein Name ist Ilona Pries und ich suche eine Pumpe.": False,
    "Hier ist Ilona Pries von Pries Kalk.": False,
    "Danke.\n\nIlona Pries\nEinkauf": False,
}


@pytest.mark.parametrize(("text", "spoken_of"), SPOKEN_OF.items())
def test_a_text_speaks_of_its_sender_or_introduces_itself(text: str, *, spoken_of: bool) -> None:
    assert speaks_of(text, "Ilona Pries") is spoken_of


HOSTILE = ["a" * 60_000, "a " * 30_000, "? " * 30_000, "until " * 10_000, "Mvh " * 15_000]
HOSTILE += [
    "," * 60_000,
    "mit freundlichen " * 4_000,
    "Ada, " * 12_000,
    "\n\n" * 30_000,
    "é" * 60_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:6].strip() or "lines" for text in HOSTILE])
def test_hostile_text_is_read_in_bounds(text: str) -> None:
    assert len(set(text_signals(text[:HEAD_LIMIT], text))) < 50
    assert is_signed(text, "Ada Berg", "berg.example") in {True, False}
    assert speaks_of(text, "Ada Berg") is False
