"""How the subjects of automatic replies and of bounces begin, in the languages that we meet.

Data only. Compared as phrases are, at the very beginning of the subject, so a person's
"Re: Automatic reply: ..." isn't one.
"""

from daemon.message.phrases import normal

# ruff: noqa: RUF001  words of other languages

# Exchange, Gmail, Apple, Notes, GMX/Web.de, Yandex, QQ and others, as their servers write them.
AUTO_REPLY_SUBJECTS: tuple[str, ...] = tuple(
    normal(subject)
    for subject in (
        *("Automatic reply", "Auto reply", "Auto-reply", "Autoreply", "Automatic response"),
        *("Auto response", "Auto-response", "Autoresponse", "Out of office", "Out of the office"),
        *("OOO:", "OOF:", "Auto:", "Away from the office", "Vacation reply", "Vacation response"),
        *("Automatische Antwort", "Automatische Rückmeldung", "Abwesenheitsnotiz", "Abwesenheit:"),
        *("Abwesenheitsmeldung", "Abwesenheitsnachricht", "Abwesend:", "Autoantwort"),
        *("Réponse automatique", "Absence du bureau", "Message d'absence", "Absent du bureau"),
        *("Notification d'absence", "Réponse d'absence"),
        *("Respuesta automática", "Fuera de la oficina", "Fuera de oficina"),
        *("Risposta automatica", "Fuori sede", "Fuori ufficio", "Risponditore automatico"),
        *("Resposta automática", "Fora do escritório", "Ausência temporária"),
        *("Automatisch antwoord", "Automatische beantwoording", "Afwezigheidsbericht", "Afwezig:"),
        *("Autosvar", "Automatiskt svar", "Frånvaro:", "Frånvaromeddelande"),
        *("Automatisk svar", "Fraværsmelding", "Fravær:", "Ikke til stede:"),
        *("Automaattinen vastaus", "Poissaoloilmoitus", "Poissa:"),
        *("Automatyczna odpowiedź", "Odpowiedź automatyczna", "Autoodpowiedź", "Poza biurem"),
        *("Automatická odpověď", "Automatická odpoveď", "Mimo kancelář", "Nepřítomnost:"),
        *("Automatikus válasz", "Házon kívül"),
        *("Răspuns automat", "Автоматичен отговор", "Samodejni odgovor", "Automatski odgovor"),
        *("Automatinis atsakymas", "Automātiskā atbilde", "Automaatne vastus", "Automaatvastus"),
        *("Automatiskais atbildētājs", "Autoatbilde", "Autoatsakymas", "Autoatsakiklis"),
        *("Autovastus", "Poissaolo:", "Automaattivastaus", "Sjálfvirkt svar", "Sjálfvirk svörun"),
        *("Absence :", "Absence:", "Absent :", "Absent:", "Absente:", "Message automatique"),
        *("Réponse auto", "Ausente:", "Ausencia:", "Assenza:", "Assente:", "Mensaje automático"),
        *("Resposta auto", "Ausência:", "Mensagem automática", "Messaggio automatico"),
        *("Messaggio di assenza", "Urlaub:", "Ferien:", "Urlaubsvertretung", "Automatische Mail"),
        *("Abwesenheitsagent", "Abwesenheitsassistent", "Büroabwesenheit", "Außer Haus:"),
        *("Niet aanwezig:", "Vakantie:", "Afwezigheid:", "Afwezigheidsmelding", "Auto-antwoord"),
        *("Ferie:", "Semester:", "Autoreply:", "Fraværsbesked", "Fraværende:", "Ude af kontoret"),
        *("Ute av kontoret", "Borte fra kontoret", "Fraværsassistent", "Frånvarande:"),
        *(
            "Urlop:",
            "Nieobecność:",
            "Automatyczna wiadomość",
            "Poza biurem:",
            "Nieobecność w biurze",
        ),
        *("Dovolená:", "Automatická zpráva", "Oznámení o nepřítomnosti", "Dovolenka:"),
        *("Neprítomnosť:", "Mimo kancelárie", "Automatická správa", "Szabadság:", "Távollét:"),
        *("Automatikus üzenet", "Concediu:", "Mesaj automat", "Absență:", "Отсъствие:"),
        *("Автоматично съобщение", "Izvan ureda", "Automatska poruka", "Godišnji odmor:"),
        *("Аутоматски одговор", "Odsotnost:", "Samodejno sporočilo", "Automatski odziv"),
        *("Автоматски одговор", "Përgjigje automatike", "Otomatik mesaj", "İzindeyim", "Tatil:"),
        *("Отпуск:", "Автоматическое сообщение", "Автоматичне повідомлення", "Відпустка:"),
        *("Автоматическое уведомление об отсутствии", "Нет на месте", "Απουσία:", "Άδεια:"),
        *(
            "Resposta automàtica",
            "Fora de l'oficina",
            "Erantzun automatikoa",
            "Resposta automática",
        ),
        *("Trả lời tự động", "Tự động trả lời", "ตอบกลับอัตโนมัติ", "การตอบกลับอัตโนมัติ"),
        *("Balasan otomatis", "Jawapan automatik", "Balas otomatis", "पाठक स्वतः", "स्वचालित उत्तर"),
        *(
            "پاسخ خودکار",
            "الرد التلقائي",
            "خارج المكتب",
            "רד אוטומטי",
            "מחוץ למשרד",
            "הודעת היעדרות",
        ),
        *(
            "自動応答:",
            "【自動返信】",
            "[自動返信]",
            "自动答复:",
            "自动应答",
            "不在办公室",
            "自動答覆",
        ),
        *(
            "부재중",
            "[자동응답]",
            "자동응답",
            "외근",
            "휴가:",
            "Awtomatik cavab",
            "Автоматты жауап",
        ),
        *("Otomatik yanıt", "Otomatik cevap", "Ofis dışında"),
        *("Автоматический ответ", "Автоответ", "Вне офиса", "Автоматична відповідь"),
        *("Αυτόματη απάντηση", "Εκτός γραφείου"),
        *("自動応答", "自動返信", "不在通知", "自动答复", "自动回复", "自動回覆", "外出"),
        *("자동 회신", "자동 응답", "부재 중", "מענה אוטומטי", "תשובה אוטומטית", "رد تلقائي"),
    )
)

BOUNCE_SUBJECTS: tuple[str, ...] = tuple(
    normal(subject)
    for subject in (
        *("Undeliverable", "Undelivered", "Undelivered mail returned to sender", "Non-deliverable"),
        *(
            "Delivery status notification",
            "Delivery failure",
            "Delivery failed",
            "Delivery delayed",
        ),
        *("Delivery notification", "Mail delivery failed", "Mail delivery failure"),
        *("Mail delivery delayed", "Mail system error", "Mail could not be delivered"),
        *("Mail failure", "Failure notice", "Failed delivery", "Message delivery failure"),
        *("Message not delivered", "Message undeliverable", "Returned mail", "Returned to sender"),
        *("Warning: could not send message", "Warning: message", "Could not send message"),
        *("Message status", "Nondeliverable mail", "Unzustellbar", "Nicht zustellbar"),
        *("Nachricht nicht zustellbar", "Zustellung fehlgeschlagen", "Fehler bei der Zustellung"),
        *("Benachrichtung zum Übermittlungsstatus", "Benachrichtigung zum Übermittlungsstatus"),
        *("Non remis", "Non distribuable", "Échec de la remise", "Notification d'échec de remise"),
        *("No se puede entregar", "No se pudo entregar", "Notificación de estado de entrega"),
        *(
            "Non recapitabile",
            "Mancato recapito",
            "Impossibile recapitare",
            "Não é possível entregar",
        ),
        *("Não foi possível entregar", "Onbestelbaar", "Niet bezorgd", "Kan inte levereras"),
        *("Det går inte att leverera", "Kan ikke leveres", "Uleverbar", "Ei voida toimittaa"),
        *("Niedostarczalne", "Niedostarczone", "Nedoručitelné", "Nelze doručit", "Nedoručiteľné"),
        *("Kézbesíthetetlen", "Nelivrabil", "Teslim edilemedi"),
        "Не удалось доставить",
        *("Недоставленное сообщение", "Недоставлено", "配信不能", "未送达", "退信", "系统退信"),
    )
)


# Read receipts that Outlook and others send as plain text or as winmail.dat.
READ_SUBJECTS: tuple[str, ...] = tuple(
    normal(subject)
    for subject in (
        # Receipts of delivery, which say as little
        *("Delivered:", "Delivery receipt", "Relayed:", "Zugestellt:", "Zustellbestätigung"),
        *("Übermittelt:", "Remis :", "Remis:", "Entregado:", "Entregue:", "Consegnato:"),
        *("Bezorgd:", "Ontvangstbevestiging:", "Levererat:", "Leveret:", "Levert:"),
        *("Toimitettu:", "Dostarczono:", "Doručeno:", "Doručené:", "Kézbesítve:", "Доставлено:"),
        *("Read:", "Not read:", "Read receipt", "Return receipt", "Gelesen:", "Ungelesen:"),
        *("Nicht gelesen:", "Lesebestätigung", "Empfangsbestätigung (angezeigt)", "Lu :", "Lu:"),
        *(
            "Non lu :",
            "Non lu:",
            "Accusé de lecture",
            "Leído:",
            "No leído:",
            "Confirmación de lectura",
        ),
        *("Letto:", "Non letto:", "Conferma di lettura", "Ricevuta di ritorno", "Lida:", "Lido:"),
        *("Não lida:", "Confirmação de leitura", "Gelezen:", "Niet gelezen:", "Leesbevestiging"),
        *("Läst:", "Oläst:", "Läskvitto", "Læst:", "Ikke læst:", "Kvittering for læsning", "Lest:"),
        *("Ikke lest:", "Lesebekreftelse", "Luettu:", "Lukematta:", "Lukukuittaus", "Lesið:"),
        *("Loetud:", "Lugemata:", "Izlasīts:", "Perskaityta:", "Przeczytano:", "Przeczytane:"),
        *("Nie przeczytano:", "Potwierdzenie przeczytania", "Přečteno:", "Nepřečteno:"),
        *("Potvrzení o přečtení", "Prečítané:", "Neprečítané:", "Olvasva:", "Olvasatlan:"),
        *("Olvasási visszaigazolás", "Citit:", "Necitit:", "Прочетено:", "Непрочетено:"),
        *("Pročitano:", "Nepročitano:", "Прочитано:", "Непрочитано:", "Prebrano:", "Neprebrano:"),
        *("Αναγνώστηκε:", "Διαβάστηκε:", "Okundu:", "Okunmadı:", "Прочтено:", "Прочитано:"),
        *(
            "Не прочтено:",
            "Уведомление о прочтении",
            "開封済み:",
            "開封済み：",
            "未開封:",
            "開封確認",
        ),
        *(
            "已读:",
            "已读：",
            "未读:",
            "已讀取:",
            "讀取:",
            "읽음:",
            "읽지 않음:",
            "נקרא:",
            "لم تتم القراءة:",
        ),
        *("مقروءة:", "Llegit:", "Irakurrita:", "Đã đọc:", "อ่านแล้ว:", "Dibaca:"),
    )
)


def begins_like(subject: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a subject begins with one of these as whole words."""
    folded = normal(subject)
    if not folded.startswith(beginnings):
        return False
    return any(
        folded.startswith(beginning) and not folded[len(beginning) : len(beginning) + 1].isalnum()
        for beginning in beginnings
    )
