"""Local parts that no single person answers to: machines, and roles like info@.

Data, and the two questions that are asked of it. The domain is never looked at.
"""

import re
from functools import lru_cache


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


# Spellings of "don't reply", separators taken out, anywhere between separators: they are said so
# that a person doesn't write back.
_NO_REPLY = _words(
    "noreply noreplies donotreply dontreply notreply nreply noresponse noreplay unattended",
    "unmonitored keineantwort nichtantworten bittenichtantworten antwortenichtmoeglich",
    "nepasrepondre nerepondezpas sansreponse noresponder norespondas noresponda naoresponda",
    "naoresponder nonrispondere nonrispondete nietbeantwoorden geenantwoord nietantwoorden",
    "svaraej svarej svarikke ikkesvar besvaresikke eivastata nieodpowiadaj neodpovidat",
    "neodpovidejte neodpovedat nevalaszolj noraspunde yanitlamayin cevaplamayin neotvechat",
    "mailerdaemon",
)
# Machines, at the beginning or the end of a local part only: anna.notify.weber is a person.
_AT_ENDS = _words(
    "notification notifications notify notifier autoreply autoresponder automailer automated",
    "autoconfirm automatic newsletter newsletters bounce bounces mailing mailings alert alerts",
)
# Machines as the whole local part.
_WHOLE = _words(
    "postmaster mailer mailman listserv majordomo daemon maildaemon root cron nobody system robot",
    "bot reply replies news digest update updates reminder reminders invite invites invitation",
    "invitations welcome announcement announcements announce promo promotions offers deals alarm",
    "monitoring nagios zabbix jira confluence gitlab github calendarnotification",
    "dmarc dmarcreports dmarcreport tlsreport",
    "benachrichtigung benachrichtigungen mitteilung mitteilungen rundschreiben infomail",
    "notificacion notificaciones notificacao notificacoes notifica notifiche avvisi avisos",
    "meldingen nieuwsbrief nyhetsbrev nyhedsbrev uutiskirje powiadomienia hirlevel boletin",
    "lettreinfo lettredinformation infolettre bulletin",
)
_ROLES = _words(
    "info information infos contact contacts contactus hello hallo hi hola bonjour ciao hey",
    "support feedback service services help helpdesk servicedesk itsupport it customerservice",
    "customercare customersupport customers customer client clients care success team",
    "sales salesteam salesinfo presales office headoffice frontoffice backoffice reception",
    "frontdesk desk admin administrator administration webmaster hostmaster web website",
    "online internet billing account accounts accounting accountspayable accountsreceivable",
    "ap ar invoice invoices invoicing payment payments finance treasury payroll hr",
    "humanresources people jobs job career careers recruiting recruitment recruiter talent",
    "apply application applications press media pr news marketing advertising ads sponsoring",
    "events event partner partners partnership partnerships affiliate affiliates legal",
    "privacy gdpr dpo dataprotection compliance abuse security secure noc soc devops ops",
    "operations enquiries enquiry inquiries inquiry questions request requests quote quotes",
    "rfq tender tenders order orders ordering purchase purchasing procurement buyer buying",
    "booking bookings reservation reservations shop store webshop eshop warehouse logistics",
    "shipping dispatch delivery export import returns warranty repair repairs spareparts parts",
    "training academy school library registration register subscribe unsubscribe",
    "subscriptions members membership community club board management director directors",
    "secretary secretariat general mail email mailbox post inbox all everyone staff company",
    "dev developer developers api test testing postbox directory list lists",
    # German
    "kontakt kontakte anfrage anfragen auskunft buero bureau verkauf vertrieb einkauf zentrale",
    "empfang sekretariat verwaltung rechnung rechnungen buchhaltung rechnungswesen",
    "kundenservice kundendienst kundenbetreuung kunden bestellung bestellungen auftrag",
    "auftraege versand lager personal bewerbung bewerbungen karriere presse redaktion",
    "werbung datenschutz impressum leitung geschaeftsleitung geschaeftsfuehrung technik",
    "praxis kanzlei werkstatt angebot angebote termin termine reservierung ersatzteile",
    # French
    "contactez accueil ventes commercial commerciale facturation factures comptabilite",
    "compta serviceclient clientele secretariat rh recrutement achats achat direction devis",
    "commande commandes boutique communication rgpd",
    # Spanish, Portuguese
    "contacto contato informacion informacao ventas venta vendas comercial facturacion",
    "faturacao faturamento administracion administracao contabilidad contabilidade compras",
    "soporte suporte atencionalcliente atendimento secretaria oficina recepcion rrhh empleo",
    "pedidos reservas financeiro geral prensa",
    # Italian
    "contatti contatto informazioni vendite vendita commerciale amministrazione fatturazione",
    "contabilita acquisti assistenza segreteria ufficio servizio servizioclienti ordini",
    "prenotazioni direzione redazione pec",
    # Dutch
    "verkoop klantenservice administratie facturen factuur boekhouding inkoop receptie",
    "secretariaat vragen bestellingen vacatures pers",
    # Nordic
    "kundtjanst kundservice kundeservice kundesenter salg forsaljning order ekonomi faktura",
    "fakturor regnskab regnskap bogholderi myynti asiakaspalvelu toimisto laskutus laskut",
    "kontor post bestilling bestillinger firmapost postmottak",
    # Polish, Czech, Slovak, Hungarian, Romanian, Turkish, Baltic, South Slavic, Russian
    "biuro sprzedaz faktury ksiegowosc sekretariat zamowienia kadry bok obchod prodej",
    "objednavky fakturace ucetni podpora kancelar predaj objednavka iroda ertekesites",
    "ugyfelszolgalat penzugy szamla rendeles vanzari birou comenzi contabilitate relatii",
    "satis destek bilgi iletisim muhasebe siparis pardavimai biuras muuk kontor prodaja",
    "narudzbe racuni podrska prodazhi prodazha zakaz zakazy zakupki ofis buhgalteria",
)
# With anything after a separator they are a role too: info-uk@, sales.emea@, office.berlin@.
_ROLE_STEMS = _words("info sales contact support kontakt office service helpdesk verkauf vertrieb")

_SEPARATORS = re.compile(r"[._\-+=]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@lru_cache(maxsize=1024)  # the same people write again and again
def is_no_reply(local: str) -> bool:
    """Whether a machine writes from this local part (without +tag) and nobody reads the answers."""
    words = [word.rstrip("0123456789") for word in _SEPARATORS.split(local.lower()) if word]
    if not words:
        return False
    squeezed = "".join(words)
    if squeezed in _WHOLE or squeezed.startswith("microsoftexchange"):
        return True
    if words[0] in _AT_ENDS or words[-1] in _AT_ENDS:
        return True
    return any(
        "".join(words[i:j]) in _NO_REPLY
        for i in range(len(words))
        for j in range(i + 1, min(i + 4, len(words)) + 1)
    )


@lru_cache(maxsize=1024)
def is_role(local: str) -> bool:
    """Whether this local part (without +tag) is a desk rather than a person."""
    words = [word for word in _SEPARATORS.split(local.lower().translate(_UMLAUTS)) if word]
    if not words:
        return False
    squeezed = "".join(words).rstrip("0123456789")
    if squeezed in _ROLES or squeezed.removeprefix("the") in _ROLES:
        return True
    return len(words) > 1 and words[0] in _ROLE_STEMS
