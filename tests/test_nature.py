"""A person or a machine, by invented mails in the shapes that servers, shops and people really send.

Each table is one kind of mail in many languages and by many programs, with people's mail that has
the same words beside it: a rule that is too wide fails there.
"""

# ruff: noqa: RUF001  words of other languages

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_mail import HOP, US, mail, reason

from daemon.message.nature import GROUPS, _table, lift, nature, words
from daemon.message.parse import Message
from daemon.message.verdict import Us, judge

OURS = "<1@us.example>"

ABSENT = {
    "en": "Hi there,\n\nI'm out of the office until 4 January with limited access to email. In urgent cases please write to Tom.",
    "en, left": "Mary Poole no longer works for Poole Ltd. Please contact sales@poole.example instead.",
    "de": "Guten Tag,\n\nich bin vom 1. bis 12. Dezember nicht im Büro. In dringenden Fällen wenden Sie sich bitte an Frau Nagel.",
    "de, short": "Ich bin derzeit im Urlaub und ab Montag wieder im Büro. Ihre Mail wird nicht weitergeleitet.",
    "fr": "Bonjour,\n\nje suis en congés jusqu'au 12 décembre. En cas d'urgence, veuillez contacter Paul Roy.",
    "es": "Estoy de vacaciones hasta el 12 de diciembre. Durante mi ausencia pueden escribir a Luis.",
    "pt": "Estou de férias até dia 12. Em caso de urgência, por favor contacte o Rui.",
    "it": "Sono in ferie fino al 12 dicembre. Per urgenze si prega di contattare Luca.",
    "nl": "Ik ben met vakantie tot 12 december. Voor dringende zaken kunt u contact opnemen met Piet.",
    "sv": "Jag har semester till den 12 december. I brådskande ärenden, kontakta gärna Nils.",
    "da": "Jeg holder ferie til den 12. december. I hastende tilfælde kontakt venligst Bo.",
    "no": "Jeg har ferie til 12. desember. Haster det, ta kontakt med Ola.",
    "fi": "Olen lomalla 12.12. asti. Kiireellisissä asioissa ottakaa yhteyttä Matti Virtaseen.",
    "pl": "Jestem na urlopie do 12 grudnia. W pilnych sprawach proszę o kontakt z Janem.",
    "cs": "Do 12. prosince jsem na dovolené. V naléhavých případech kontaktujte prosím Jana.",
    "sk": "Do 12. decembra som na dovolenke. V naliehavých prípadoch kontaktujte prosím Jána.",
    "hu": "December 12-ig szabadságon vagyok. Sürgős esetben kérem forduljon Kovács Pálhoz.",
    "ro": "Sunt în concediu până pe 12 decembrie. Pentru urgențe vă rog să contactați pe Ion.",
    "hr": "Do 12. prosinca sam na godišnjem odmoru. U hitnim slučajevima molim obratite se Ivanu.",
    "sl": "Do 12. decembra sem na dopustu. V nujnih primerih se obrnite na Janeza.",
    "bg": "В момента съм в отпуск до 12 декември. При спешни случаи пишете на Иван.",
    "et": "Olen puhkusel kuni 12. detsember. Kiiretes küsimustes pöörduge palun Mardi poole.",
    "lv": "Esmu atvaļinājumā līdz 12. decembrim. Steidzamos gadījumos rakstiet Jānim.",
    "lt": "Atostogauju iki gruodžio 12 d. Skubiais atvejais prašome kreiptis į Joną.",
    "el": "Βρίσκομαι σε άδεια έως 12 Δεκεμβρίου. Για επείγοντα παρακαλώ επικοινωνήστε με τον Νίκο.",
    "tr": "12 Aralık'a kadar yıllık izindeyim. Acil durumlarda Mehmet Bey'e yazabilirsiniz.",
    "ru": "Нахожусь в отпуске до 12 декабря. По срочным вопросам обращайтесь к Ивану.",
    "uk": "Я у відпустці до 12 грудня. З термінових питань звертайтеся до Івана.",
    "ja": "12月12日まで休暇をいただいております。お急ぎの場合は佐藤までご連絡ください。",
    "zh": "我正在休假，12月12日回来。如有急事请联系王先生。",
    "ko": "12월 12일까지 휴가 중입니다. 급한 용무는 김 대리에게 연락 바랍니다.",
    "he": "אני בחופשה עד 12 בדצמבר. במקרה דחוף נא לפנות לדני.",
    "ar": "أنا في إجازة حتى 12 ديسمبر. للأمور العاجلة يرجى مراسلة أحمد.",
    "ca": "Estic de vacances fins al 12 de desembre. En cas d'urgència escriviu a en Pau.",
}


@pytest.mark.parametrize("text", ABSENT.values(), ids=ABSENT.keys())
def test_an_absence_note_without_any_header_is_nobodys(text: str) -> None:
    assert reason(mail(text, "Re: Angebot", In_Reply_To=OURS)) != "human"


HUMAN_ABSENT = {
    "next week": "Danke für das Angebot. Nächste Woche bin ich im Urlaub, danach melde ich mich.",
    "was away": "Sorry for the late reply, I was on holiday. We would like to order two of them.",
    "colleague": "My colleague Tom is away this week, so I answer for him: yes, we take ten.",
    "fr": "Merci pour votre offre. Je pars en vacances vendredi, pouvez-vous m'appeler avant ?",
    "es": "Gracias. Estaré fuera la semana que viene, ¿podemos hablar el lunes?",
    "closed": "We close for Christmas on the 20th. Can you deliver before that?",
    "it": "Grazie, la prossima settimana sono in ferie. Può inviarmi il preventivo prima?",
    "pl": "Dziękuję za ofertę. Od poniedziałku mam urlop, czy możemy porozmawiać jutro?",
}


@pytest.mark.parametrize("text", HUMAN_ABSENT.values(), ids=HUMAN_ABSENT.keys())
def test_a_person_may_speak_of_holidays(text: str) -> None:
    assert reason(mail(text, "Re: Angebot", In_Reply_To=OURS)) == "human"


ACKNOWLEDGED = {
    "en": ("Re: Angebot [#48213]", "Thank you for contacting Acme Support. Your request has been received and a ticket has been created. We will get back to you within one working day."),
    "en, no-reply": ("Your message to Acme", "Thank you for your message. This is an automated confirmation, please do not reply to this email."),
    "de": ("Ihre Anfrage bei der Stadt Musterstadt", "Vielen Dank für Ihre Anfrage. Ihre Ticketnummer lautet 2026-4711. Wir werden Ihr Anliegen schnellstmöglich bearbeiten."),
    "de, program": ("Ihre E-Mail", "Ihre E-Mail ist bei uns eingegangen. Diese Nachricht wurde automatisch generiert."),
    "fr": ("Accusé de réception", "Nous avons bien reçu votre demande et vous répondrons dans les meilleurs délais. Ceci est un message automatique, merci de ne pas répondre."),
    "es": ("Solicitud recibida", "Hemos recibido su consulta. Un agente le responderá a la mayor brevedad. Número de ticket: 4711."),
    "pt": ("Recebemos a sua mensagem", "Recebemos a sua mensagem e responderemos o mais breve possível. Número do ticket 4711."),
    "it": ("Richiesta ricevuta", "La sua richiesta è stata presa in carico con numero di ticket 4711. Messaggio automatico, si prega di non rispondere."),
    "nl": ("Ontvangstbevestiging", "Wij hebben uw bericht ontvangen. Uw ticketnummer is 4711. Wij reageren binnen twee werkdagen."),
    "sv": ("Ärende mottaget 4711", "Vi har tagit emot ditt ärende. Ditt ärendenummer är 4711. Detta är ett automatiskt svar."),
    "da": ("Kvittering for din henvendelse", "Vi har modtaget din henvendelse. Dit sagsnummer er 4711. Denne mail er sendt automatisk."),
    "no": ("Henvendelse mottatt", "Vi har mottatt din henvendelse, saksnummer 4711. Dette er et automatisk svar."),
    "fi": ("Yhteydenotto vastaanotettu", "Viestisi on vastaanotettu, tikettinumero 4711. Tämä on automaattinen viesti, älä vastaa tähän."),
    "pl": ("Potwierdzenie otrzymania zgłoszenia", "Państwa zgłoszenie zostało zarejestrowane, numer zgłoszenia 4711. Wiadomość wygenerowana automatycznie."),
    "cs": ("Potvrzení přijetí", "Váš požadavek byl přijat pod číslem 4711. Tato zpráva byla vygenerována automaticky, neodpovídejte na ni."),
    "hu": ("Visszaigazolás", "Megkaptuk levelét, ügyszám: 4711. Ez egy automatikus üzenet, kérjük, ne válaszoljon rá."),
    "ro": ("Confirmare de primire", "Am primit solicitarea dumneavoastră, numărul tichetului 4711. Acesta este un mesaj automat."),
    "el": ("Επιβεβαίωση λήψης", "Λάβαμε το μήνυμά σας, αριθμός αιτήματος 4711. Αυτό είναι ένα αυτόματο μήνυμα."),
    "tr": ("Talebiniz alındı", "Talebiniz alınmıştır, talep numaranız 4711. Bu otomatik bir mesajdır, lütfen yanıtlamayınız."),
    "ru": ("Ваше обращение зарегистрировано", "Ваше обращение получено, номер заявки 4711. Это письмо сформировано автоматически."),
    "uk": ("Ваше звернення прийнято", "Ми отримали ваше звернення, номер звернення 4711. Це автоматичне повідомлення."),
    "ja": ("お問い合わせを受け付けました", "お問い合わせありがとうございます。受付番号は4711です。本メールは自動送信です。返信しないでください。"),
    "zh": ("已收到您的来信", "我们已收到您的邮件，工单号4711，将尽快回复您。此邮件由系统自动发送，请勿回复。"),
    "ko": ("문의가 접수되었습니다", "문의가 접수되었습니다. 접수번호 4711. 본 메일은 발신 전용입니다."),
}  # fmt: skip


@pytest.mark.parametrize(("subject", "text"), ACKNOWLEDGED.values(), ids=ACKNOWLEDGED.keys())
def test_an_acknowledgement_is_nobodys(subject: str, text: str) -> None:
    message = mail(text, subject, "Acme <kontakt@acme.example>", In_Reply_To=OURS)
    assert reason(message) != "human"


HUMAN_THANKS = {
    "de": "Vielen Dank für Ihre Nachricht. Wir nehmen das Angebot an und melden uns wegen des Termins.",
    "de, will answer": "Danke für Ihre E-Mail, ich prüfe das mit der Technik und melde mich.",
    "en": "Thanks for reaching out! We have received your samples and like them. What do 100 cost?",
    "fr": "Merci pour votre message, je regarde cela et reviens vers vous demain.",
    "ticket": "Our ticket system says the pump is broken again. When can you send a technician?",
    "it": "La ringrazio per la risposta. Abbiamo ricevuto il campione, è perfetto. Quanto costa?",
    "received": "Wir haben Ihre Anfrage erhalten und bieten Ihnen zwei Stück für 400 € an. Gruß Ada Berg",
}


@pytest.mark.parametrize("text", HUMAN_THANKS.values(), ids=HUMAN_THANKS.keys())
def test_a_person_may_thank_and_confirm(text: str) -> None:
    assert reason(mail(text, "AW: Angebot", In_Reply_To=OURS)) == "human"


NOTICES = {
    "parcel fr": ("Votre colis est en cours de livraison", "Bonjour, votre colis n° 6A123 sera livré aujourd'hui. Suivre mon colis : https://suivi.example/6A123", "Expressline <info@expressline.example>"),
    "order es": ("Confirmación de pedido 4711", "Gracias por su pedido. Le avisaremos cuando haya sido enviado.", "Tienda Sol <tienda@sol.example>"),
    "order it": ("Il tuo ordine #4711 è stato spedito", "Il tuo ordine è in consegna. Numero di tracking: 1Z99.", "Bottega <ordini@bottega.example>"),
    "order nl": ("Bestelbevestiging 4711", "Bedankt voor je bestelling! Je ontvangt bericht zodra je pakket onderweg is.", "Winkel <info@winkel.example>"),
    "order pl": ("Potwierdzenie zamówienia nr 4711", "Dziękujemy za zamówienie. Twoja paczka zostanie wysłana jutro.", "Sklep <sklep@sklep.example>"),
    "order cs": ("Potvrzení objednávky č. 4711", "Děkujeme za vaši objednávku. Zásilka byla odeslána.", "Obchod <info@obchod.example>"),
    "order sv": ("Orderbekräftelse 4711", "Tack för din beställning! Ditt paket har skickats.", "Butiken <butik@butiken.example>"),
    "order da": ("Ordrebekræftelse 4711", "Tak for din ordre. Din pakke er afsendt.", "Butik <kontakt@butik.example>"),
    "order fi": ("Tilausvahvistus 4711", "Kiitos tilauksestasi! Pakettisi on matkalla.", "Kauppa <info@kauppa.example>"),
    "order hu": ("Rendelés visszaigazolás", "Köszönjük rendelését! Csomagját holnap kézbesítjük.", "Bolt <info@bolt.example>"),
    "order ja": ("【ご注文確認】4711", "ご注文ありがとうございます。発送いたしましたらご連絡します。", "ショップ <shop@shop.example>"),
    "code": ("Your verification code", "Your code is 123456. If you did not request this, ignore this email.", "Acme <hello@acme.example>"),
    "code de": ("Ihr Anmeldecode", "Ihr Bestätigungscode lautet 123456. Falls Sie diese Anmeldung nicht angefordert haben, ändern Sie Ihr Passwort.", "Konto <konto@dienst.example>"),
    "bank": ("Ihr Kontoauszug liegt bereit", "In Ihrem elektronischen Postfach liegt eine neue Nachricht für Sie. Bitte melden Sie sich an.", "Sparbank Nord <postfach@sparbank-nord.example>"),
    "bank fr": ("Votre relevé de compte est disponible", "Un nouveau message vous attend dans votre espace client. Connectez-vous.", "Banque du Lac <contact@banquedulac.example>"),
    "invoice": ("Your invoice 2026-114 is available", "Download your invoice from your account. Payment of 12.00 is due on 1 December.", "Hostly <billing@hostly.example>"),
    "trial": ("Your trial ends in 3 days", "Upgrade now to keep your data.\n\nManage your notification settings", "Team Planner <team@planner.example>"),
    "tender": ("Neue Ausschreibungen zu Ihrem Suchprofil", "4 neue Treffer für Ihr Profil.", "Vergabeplattform <service@vergabe.example>"),
    "scan": ("Scan from Reception", "Scanned from a multifunction device", "Reception <scan@berg.example>"),
    "backup": ("Backup completed on NAS1", "Backup completed successfully.", "NAS1 <nas@berg.example>"),
    "dmarc": ("Report Domain: us.example Submitter: x.example Report-ID: 1", "This is an aggregate report.", "DMARC <dmarcreport@x.example>"),
    "appointment": ("Terminerinnerung", "Ihr Termin am 3.12. um 10:00 Uhr. Diese E-Mail wurde automatisch erstellt.", "Praxis <termine@praxis.example>"),
    "order ru": ("Заказ № 4711 принят", "Спасибо за заказ! Отследить посылку можно в личном кабинете.", "Магазин <zakaz@magazin.example>"),
    "order tr": ("Siparişiniz kargoya verildi", "Siparişiniz için teşekkür ederiz. Kargonuz yola çıktı, takip numarası 4711.", "Mağaza <siparis@magaza.example>"),
    "order pt": ("Confirmação de encomenda", "Obrigado pela sua compra! A sua encomenda está a caminho.", "Loja <loja@loja.example>"),
    "order zh": ("您的订单已发货", "感谢您的订购，快递单号 4711。", "商城 <mall@mall.example>"),
}  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "sender"), NOTICES.values(), ids=NOTICES.keys())
def test_a_notice_is_nobodys(subject: str, text: str, sender: str) -> None:
    assert reason(mail(text, subject, sender)) != "human"


HUMAN_ORDERS = {
    "our order": (
        "Our order 8841",
        "Hello,\n\ntwo of the pumps have not arrived yet. Could you check?\n\nAda",
    ),
    "your invoice": (
        "Ihre Rechnung 4711",
        "Guten Tag,\n\nin Ihrer Rechnung fehlt unsere Bestellnummer. Bitte korrigieren.\n\nA. Berg",
    ),
    "your offer": (
        "Ihr Angebot vom 3.11.",
        "Hallo, wir bestellen die zwei Pumpen. Wann liefern Sie?",
    ),
    "order by mail": (
        "Bestellung",
        "Guten Tag, hiermit bestellen wir 3 Stück DX-40. Bitte um Auftragsbestätigung.",
    ),
    "payment": ("Payment", "Hi, we paid your invoice yesterday. Please send the parts.\n\nAda"),
    "delivery": ("Lieferung", "Die Sendung kam beschädigt an. Was sollen wir tun?"),
    "fr": ("Commande", "Bonjour, merci de confirmer notre commande de 3 pompes. Cordialement, Ada"),
    "es": ("Pedido", "Buenos días, adjunto pedido de 4 bombas. ¿Cuándo pueden enviarlas?"),
    "code": ("Error code", "The pump shows error code 4711. What does it mean?"),
    "webinar": ("Webinar", "Hi, could you give a webinar for our staff on dosing? Ada"),
    "newsletter": ("Your newsletter", "I read your newsletter about the DX-40. What does it cost?"),
    "account": (
        "Your account details",
        "Please send me your bank details for the transfer. Ada Berg",
    ),
}


@pytest.mark.parametrize(("subject", "text"), HUMAN_ORDERS.values(), ids=HUMAN_ORDERS.keys())
@pytest.mark.parametrize("local", ["a.berg", "info", "office"])
def test_a_person_may_write_about_orders(subject: str, text: str, local: str) -> None:
    assert reason(mail(text, subject, f"Ada Berg <{local}@berg.example>")) == "human"


NEWSLETTERS = {
    "en": (
        "October news from Acme",
        "New products this month. View in browser. To unsubscribe click here.",
    ),
    "de": (
        "Neues aus Musterstadt",
        "Liebe Leserinnen und Leser, ... Sie erhalten diese E-Mail, weil Sie sich angemeldet haben. Abmelden",
    ),
    "fr": ("Nos nouveautés", "Découvrez nos offres. Voir la version en ligne. Se désabonner"),
    "es": (
        "Novedades de otoño",
        "Ver en el navegador. Si no desea recibir más correos, puede darse de baja.",
    ),
    "it": ("Le novità di novembre", "Visualizza nel browser. Per cancellarsi: disiscriviti"),
    "pt": ("Promoção de outono", "Ver no navegador. Cancelar inscrição"),
    "nl": ("Nieuwsbrief november", "Bekijk online. Uitschrijven"),
    "sv": ("Nyhetsbrev", "Visa i webbläsaren. Avregistrera"),
    "da": ("Nyhedsbrev", "Se i browser. Afmeld"),
    "no": ("Nyhetsbrev", "Vis i nettleser. Meld deg av"),
    "fi": ("Uutiskirje", "Näytä selaimessa. Peruuta tilaus"),
    "pl": ("Promocja tygodnia", "Wyświetl w przeglądarce. Wypisz się"),
    "cs": ("Novinky", "Zobrazit v prohlížeči. Odhlásit odběr"),
    "sk": ("Novinky", "Zobraziť v prehliadači. Odhlásiť sa"),
    "hu": ("Hírlevél", "Megtekintés böngészőben. Leiratkozás"),
    "ro": ("Noutăți", "Vizualizează în browser. Dezabonare"),
    "bg": ("Бюлетин", "Вижте в браузър. Отпишете се"),
    "hr": ("Newsletter", "Otvori u pregledniku. Odjavite se"),
    "sl": ("E-novice", "Odpri v brskalniku. Odjavite se"),
    "el": ("Ενημερωτικό δελτίο", "Δείτε online. Κατάργηση εγγραφής"),
    "tr": ("Kampanya", "Tarayıcıda görüntüle. Abonelikten çık"),
    "ru": ("Дайджест недели", "Открыть в браузере. Отписаться"),
    "uk": ("Дайджест", "Переглянути у браузері. Відписатися"),
    "et": ("Uudiskiri", "Vaata brauseris. Loobu uudiskirjast"),
    "lv": ("Jaunumi", "Skatīt pārlūkā. Atteikties no jaunumiem"),
    "lt": ("Naujienlaiškis", "Peržiūrėti naršyklėje. Atsisakyti prenumeratos"),
    "ja": ("メールマガジン 11月号", "ブラウザで表示。配信停止はこちら"),
    "zh": ("十一月电子报", "在浏览器中查看。退订"),
    "ko": ("11월 뉴스레터", "브라우저에서 보기. 수신거부"),
    "he": ("ניוזלטר נובמבר", "לצפייה בדפדפן. להסרה מרשימת התפוצה"),
    "ar": ("النشرة الإخبارية", "عرض في المتصفح. إلغاء الاشتراك"),
    "vi": ("Bản tin tháng 11", "Xem trên trình duyệt. Hủy đăng ký"),
    "ca": (
        "Butlletí de tardor",
        "Veure en línia. Donar-se de baixa. Reps aquest correu perquè ets soci.",
    ),
}


@pytest.mark.parametrize(("subject", "text"), NEWSLETTERS.values(), ids=NEWSLETTERS.keys())
def test_a_newsletter_without_list_headers_is_nobodys(subject: str, text: str) -> None:
    assert reason(mail(text, subject, "Acme <post@acme.example>")) != "human"


RELAYED = {
    "SendGrid": {"Return_Path": "<bounces+12-3-sales=us.example@em1.berg.example>", "X_Feedback_ID": "12:SG"},
    "Mailgun": {"Return_Path": "<bounce+aa.bb-sales=us.example@mg.berg.example>", "X_Mailgun_Sid": "x"},
    "SES": {"Return_Path": "<0102-3-000000@eu-west-1.amazonses.com>", "Feedback_ID": "::1.eu-west-1.x:AmazonSES"},
    "Postmark": {"Return_Path": "<pm_bounces@pm-bounces.berg.example>", "Feedback_ID": "s1:s2:a3:postmark"},
    "SparkPost": {"Return_Path": "<msprvs1=20=bounces-1@berg.example>"},
    "Brevo": {"Return_Path": "<bounces-12-sales=us.example@d.sender-sib.com>", "Feedback_ID": "1.2.3.4:1_-1:1:Sendinblue"},
    "Odoo": {"Return_Path": "<bounce+7-sale.order-9@berg.example>", "X_Odoo_Objects": "sale.order-9"},
    "Salesforce": {"Return_Path": "<a.berg=berg.example__0-x@y.bnc.salesforce.com>", "X_SFDC_EmailCategory": "apiSingleMail"},
    "SRS": {"Return_Path": "<SRS0=x=CV=berg.example=a.berg@forward.example>"},
    "BATV": {"Return_Path": "<prvs=0714a3c2f1=a.berg@berg.example>"},
    "suppress": {"X_Auto_Response_Suppress": "DR, RN, NRN, OOF, AutoReply"},
    "redirect": {"X_MS_Exchange_Inbox_Rules_Loop": "info@us.example", "Return_Path": "<>"},
    "proton": {"Feedback_ID": "101:user:proton"},
    "HTTP API": {"Received": f"{HOP}; Mon, 23 Nov 2026 10:00:00 +0100\r\nReceived: from MTIz (unknown) by geopod-ismtpd-9 (SG) with HTTP id x"},
}  # fmt: skip


@pytest.mark.parametrize("fields", RELAYED.values(), ids=RELAYED.keys())
def test_a_relay_makes_nobody_a_machine(fields: dict[str, str]) -> None:
    text = "Hallo, was kostet eine Pumpe mit Fußschalter?\n\nAda Berg"
    assert reason(mail(text, "Anfrage", **fields)) == "human"


def spam(*fields: str, below: str = "", **changes: str) -> Message:
    own = "\r\n".join((f"{HOP}; Mon, 23 Nov 2026 10:00:00 +0100", *fields))
    return mail(
        "Dear friend, please answer.",
        Received=own,
        **changes | ({"X_Extra": below} if below else {}),
    )


OUR_VERDICTS = {
    "SpamAssassin": "X-Spam-Flag: YES",
    "status": "X-Spam-Status: Yes, score=9.1 required=5.0",
    "Rspamd": "X-Spamd-Result: default: True [18.20 / 15.00]",
    "action": "X-Rspamd-Action: add header",
    "milter": "X-Spam: Yes",
    "level": "X-Spam-Level: *******",
    "Exim": "X-Spam_action: rewrite subject",
    "GMX": "X-UI-Filterresults: junk:10;V03:K0:x",
    "Microsoft": "X-Forefront-Antispam-Report: CIP:1.2.3.4;SCL:5;SFV:SPM;CAT:SPM;DIR:INB;",
    "Microsoft phish": "X-Forefront-Antispam-Report: CIP:1.2.3.4;SCL:8;CAT:HPHISH;DIR:INB;",
    "Microsoft bulk": "X-Microsoft-Antispam: BCL:8;",
    "DMARC": "Authentication-Results: mx.us.example; dmarc=fail header.from=berg.example",
    "DMARC, no id": "Authentication-Results: spf=fail smtp.mailfrom=x.example; dmarc=fail action=quarantine",
    "compauth": "Authentication-Results: spf=none; dmarc=none; compauth=fail reason=601",
    "OVH": "X-VR-SPAMSTATE: SPAM",
    "SpamExperts": "X-SpamExperts-Class: spam",
    "Barracuda": "X-Barracuda-Spam-Status: Yes, SCORE=9",
}


@pytest.mark.parametrize("field", OUR_VERDICTS.values(), ids=OUR_VERDICTS.keys())
def test_what_our_server_says_is_believed(field: str) -> None:
    assert reason(spam(field)).startswith(("server-", "dmarc-fail"))


THEIR_VERDICTS = {
    "their filter's host": "X-Spam-Flag: YES\r\nX-Spam-Checker-Version: SpamAssassin 4.0 on mx.there.example",
    "below their hop": "Received: from pc by mail.there.example with ESMTPSA\r\nX-Spam-Flag: YES",
    "their tenant": "X-Forefront-Antispam-Report: CIP:255.255.255.255;SCL:6;CAT:SPM;DIR:OUT;",
    "their server": "Received: from pc by mail.there.example with ESMTPSA\r\nAuthentication-Results: mx.us.example; dmarc=fail",
    "another id": "Authentication-Results: mx.there.example; dmarc=fail header.from=berg.example",
    "no spam": "X-Spam-Flag: NO\r\nX-Spam-Status: No, score=4.9 required=5.0\r\nX-Spam-Level: ****",
    "small domain": "Authentication-Results: spf=none; dkim=none; dmarc=none; compauth=fail reason=001",
    "trusted": "X-Forefront-Antispam-Report: SCL:-1;SFV:SKN;CAT:NONE;DIR:INB;",
}


@pytest.mark.parametrize("field", THEIR_VERDICTS.values(), ids=THEIR_VERDICTS.keys())
def test_what_other_servers_say_is_not(field: str) -> None:
    assert reason(spam(field)) == "human"


REVIEWS = {
    "de": "Hallo! Danke für Ihren Besuch. Bewerten Sie uns und gewinnen Sie ein Essen.",
    "es": "Hola, gracias por confiar en Berg. ¿Nos dejas una reseña?",
    "fi": "Hei! Kävit meillä 8.10. Anna palautetta ja voita lahjakortti.",
    "it": "Ciao! Grazie per averci scelto: lasciaci una recensione.",
    "nl": "Hallo, bedankt voor uw bezoek. Laat een review achter.",
    "pl": "Dzień dobry! Dziękujemy za wizytę. Zostaw opinię.",
}


@pytest.mark.parametrize("text", REVIEWS.values(), ids=REVIEWS.keys())
def test_who_only_wants_a_review_is_nobody(text: str) -> None:
    assert reason(mail(text, "Berg", "Berg <info@berg.example>")) != "human"


TO_MANY = {
    "members, es": "Estimado asociado:\n\nLe convocamos a la asamblea general el 20 de noviembre.",
    "customers, it": "Gentili clienti,\n\ni nostri uffici resteranno chiusi dal 24 dicembre.",
    "suppliers, en": "Dear all,\n\nattached is our renewed certificate for your records.",
}


@pytest.mark.parametrize("text", TO_MANY.values(), ids=TO_MANY.keys())
def test_a_firms_letter_to_hidden_recipients_is_nobodys(text: str) -> None:
    sender = "Berg Supplier Management <quality@berg-ag.example>"

    assert reason(mail(text, "Info", sender, To="undisclosed-recipients:;")) != "human"
    assert reason(mail("Hello, I need 4 pumps.", "Pumps", sender, To="Hidden: ;")) == "human"
    assert reason(mail("Hello, I have moved.", To="undisclosed-recipients:;")) == "human"


def test_recipients_are_hidden_only_where_none_is_named() -> None:
    hidden = "undisclosed-recipients:;"
    fields = ({"To": hidden}, {"To": hidden, "Cc": "bob@us.example"}, {"To": "Us: bob@us.example;"})

    assert ["to-nobody" in mail("Hello", **one).signals for one in fields] == [True, False, False]

    # Who hides all recipients by Bcc often writes to himself.
    ada = "Ada Lovelace <ada@lovelace.example>"
    to_self = [
        mail("Hello", "Subject", ada, To=to)
        for to in (ada, "ADA@lovelace.example", f"{ada}, b@b.example", "a.ada@lovelace.example")
    ]
    assert ["to-nobody" in one.signals for one in to_self] == [True, True, False, False]


@pytest.mark.parametrize(
    "greeting",
    [
        "Dear business partners",
        "Vážení obchodní partneři",
        "Bästa samarbetspartners",
        "Szanowni Kontrahenci",
        "Gentili fornitori",
        "Уважаемые партнеры",
    ],
)
def test_one_letter_for_all_customers_is_nobodys_though_a_person_signs_it(greeting: str) -> None:
    ada = "Ada Lovelace <ada@lovelace.example>"
    text = f"{greeting},\n\nxxx yyy zzz 1. 6. 2026.\n\nAda Lovelace"
    outlook = {"X_Mailer": "Microsoft Outlook 16.0"}

    assert reason(mail(text, "2026", ada, To="undisclosed-recipients:;", **outlook)) == "to-hidden"
    assert reason(mail(text, "2026", ada, To=ada, **outlook)) == "to-hidden"
    assert reason(mail(text, "2026", ada, **outlook)) == "human"
    asks = text.replace("2026.\n", "2026. Can you send us your price?\n")
    assert reason(mail(asks, "2026", ada, To=ada, **outlook)) == "human"


ADDRESSES = {
    ("Papeterie du Nord", "papeterie@papeterie-nord.example"): "human",
    ("Ada via Etsy", "convo-88123@convos.etsy.com"): "human",
    ("Ada tramite Subito", "conversazione-9f8e7d@mail.subito.it"): "human",
    ("Ada via DocuSign", "dse_na3@docusign.net"): "vendor",
    ("Ada Berg via Adobe Acrobat Sign", "adobesign@adobesign.com"): "vendor",
    ("Tally", "hello@tally.so"): "vendor",
    ("Calendly Team", "support@calendly.com"): "vendor",
    ("Ada Berg", "ada@calendly.com"): "human",
    ("Berg Bau", "info@berg.onmicrosoft.com"): "human",
    ("Vahti", "hakuvahti@berg.example"): "no-reply-address",
    ("Ada Berg", "ada.berg@berg.example"): "human",
    ("Ada Berg", "ab@berg.example"): "human",
    ("Hannes Roth", "hr@roth.example"): "human",
    ("Igor Tanner", "it@tanner.example"): "human",
    ("Wiebe Bot", "w.bot@lab.example"): "human",
    ("Berg Bau", "info@berg.example"): "human",
    ("", "contact@atelier.example"): "human",
    ("Ada Berg", "ada.berg1985@mail.example"): "human",
    ("John Smith", "john.smith@ups.com"): "human",
    ("Berg", "no-reply@berg.example"): "no-reply-address",
    ("UPS", "mcinfo@ups.com"): "vendor",
    ("Amazon.fr", "confirmation-commande@amazon.fr"): "vendor",
    ("Kopierer", "scanner@berg.example"): "no-reply-address",
}


@pytest.mark.parametrize(("author", "expected"), ADDRESSES.items(), ids=str)
def test_an_address_says_what_it_is(author: tuple[str, str], expected: str) -> None:
    name, address = author
    assert reason(mail("Guten Tag, was kostet das?", sender=f'"{name}" <{address}>')) == expected


def test_an_address_that_changes_with_every_mail_needs_no_more_than_a_word() -> None:
    for token in ("8f3a1", "b5059a", "0f81be22"):
        sender = f"Werkzeugwelt <news-{token}@mail.werkzeugwelt.example>"
        assert reason(mail("Nur heute 20 % auf alles. Abmelden", "Aktion", sender)) != "human"


def test_a_note_that_hands_an_absence_on_is_judged_by_its_own_words() -> None:
    text = "Danke, wir nehmen zwei Stück.\n\n> Ich bin derzeit nicht im Büro.\n> In dringenden Fällen ..."
    assert reason(mail(text, "AW: Angebot", In_Reply_To=OURS)) == "human"


def test_when_role_addresses_count_is_configured() -> None:
    message = mail("Guten Tag, was kostet das?", sender="Berg <info@berg.example>")
    verdicts = {
        roles: judge(message, in_sent=False, us=Us(domains=US.domains, roles=roles)).verdict
        for roles in ("person", "after_reply", "never")
    }
    assert verdicts == {
        "person": ("contact", "human"),
        "after_reply": ("evidence", "role-address"),
        "never": ("evidence", "role-never"),
    }


def test_every_signal_is_weighed_in_a_known_group_and_said_in_words() -> None:
    for signal, entries in _table().items():
        for entry in entries:
            assert entry.group in GROUPS
            assert entry.lift in {"never", "theirs", "any", "either"}
            assert entry.weight
        assert words(signal) != signal
        assert lift(signal) in {"never", "theirs", "any", "either"}


def test_no_single_weak_sign_decides() -> None:
    author = mail("x").from_
    assert author is not None
    weak = [name for name, entries in _table().items() if all(e.weight < 100 for e in entries)]
    assert len(weak) > 40
    for signal in weak:
        assert nature((signal,), author).reason is None, signal


HOSTILE_PIECES = [
    "(", "((a)", "[", "{{", "{{a", "{% ", "*|A", "%%a", "<<first", "[first ", "#[", "[ticket #", "Ticket #", "[a ", "***SPAM",
    "Re :", "re: ", "?", "https://", "<a ", "<", "> ", "-----", "abmelden ", "ich bin bis ", "on behalf ", "by ", "by a.b ", "from x by ",
    "dmarc=", ";dmarc=fail", "; dmarc = pass header.from=", "compauth=fail ", "CAT:", ";SCL:9", "=", "a=b.", "bounce", "+bnc", "prvs=",
    "-owner@", "owner-", "@", "@a.prod.outlook.com", "A0B1", "1a", "a.", "x-", "mail.", "team ", "\u00e9", "\u4e2d", "\u0e01", "\ufeff",
]  # fmt: skip
FIELDS = [
    "Subject", "From", "Return-Path", "Received", "Authentication-Results", "X-Forefront-Antispam-Report", "X-Microsoft-Antispam",
    "X-Spam-Flag", "X-Spam-Checker-Version", "X-Mailer", "User-Agent", "List-Id", "Sender", "Feedback-ID", "Message-ID", "Precedence",
    "Auto-Submitted", "X-Auto-Response-Suppress", "X-MS-Exchange-Inbox-Rules-Loop",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE_PIECES)
def test_hostile_words_are_weighed_within_bounds(piece: str) -> None:
    text = (piece * 50_000)[:50_000]
    for kind in ("plain", "html"):
        message = mail(text, text[:9_000], Content_Type=f"text/{kind}; charset=utf-8")
        assert judge(message, in_sent=False, us=US).verdict.kind in {"contact", "evidence"}
    for field in FIELDS:
        message = mail("hi", **{field.replace("-", "_"): text[:20_000].replace("\n", " ")})
        judge(message, in_sent=False, us=US)
        assert len(message.signals) < 64
        assert all(len(mark) < 300 for mark in message.signals)


@pytest.mark.timeout(120)
@given(
    st.dictionaries(st.sampled_from(FIELDS[3:]), st.text(max_size=80), max_size=6),
    st.text(max_size=300),
    st.text(max_size=80),
)
def test_any_mail_has_a_nature(fields: dict[str, str], text: str, subject: str) -> None:
    flat = {name.replace("-", "_"): " ".join(value.split()) for name, value in fields.items()}
    message = mail(text.replace("\r", " "), " ".join(subject.split()) or "x", **flat)
    verdict = judge(message, in_sent=False, us=US).verdict
    assert list(message.signals) == sorted(set(message.signals))
    assert verdict.kind in {"contact", "evidence", "ignored"}
    assert words(verdict.reason) or verdict.reason
