"""What people, machines and newsletters write: subjects and sentences, filled in by the seed.

A small company that makes sensors is asked for quotes, samples and dates. The words avoid every
phrase that a mail filter takes for an auto-reply or a bounce, except where a story wants just that.
"""

import random

from daemon.sandbox.company.cast import chance

PRODUCTS = (
    "moisture sensors", "level gauges", "flow meters", "cold-chain loggers", "vibration probes",
    "pressure sensors", "tank gauges", "weather masts", "door contacts", "pH probes",
    "gateway units", "battery packs", "wireless thermometers", "strain gauges", "dust monitors",
)  # fmt: skip
PLACES = (
    "Hamburg", "Leeds", "Lyon", "Rotterdam", "Basel", "Gdansk", "Porto", "Bristol", "Graz",
    "Uppsala", "Cork", "Trieste", "Aarhus", "Ghent", "Leipzig", "Brno",
)  # fmt: skip
INQUIRIES = (
    "Quote for {n} {product}",
    "{product} for our site in {place}",
    "Question about the {product}",
    "Pilot with {n} {product}",
    "Lead time for {n} {product}?",
    "Replacing our {product} in {place}",
    "Trial order: {product}",
    "Met you at the fair in {place}",
    "Price list for {product}",
    "Retrofit {place}: {n} {product}",
    "Samples of your {product}",
    "Framework agreement {place}",
    "Anfrage: {n} Sensoren für {place}",
    "Demande de devis pour {place}",
)
OUTREACH = (
    "Your site in {place}",
    "{product}: an idea for you",
    "Following up on {place}",
    "Spare {product} before winter",
    "Our new {product}",
    "Maintenance for the {n} {product}",
)
ASKS = (
    "We run {n} {product} in {place} and they are due for replacement this year.",
    "Could you send me a quote for {n} {product}, delivered to {place}?",
    "A colleague in {place} recommended your {product}; what is the lead time for {n}?",
    "Before we order {n} {product} we would like to test two of them in {place}.",
    "Our budget for {place} was approved, so the {product} can go ahead.",
    "Do your {product} work down to minus thirty? The cold store in {place} asks for it.",
    "We compare three suppliers of {product} and would like to decide by the end of the month.",
)
ANSWERS = (
    "Thanks, that helps. Let us take {n} for {place} and see how they do.",
    "The price is fine for us; could the {product} ship to {place} before the 20th?",
    "Good to hear. I checked with {place}: they need {n}, not more.",
    "Understood. Which certificate comes with the {product}?",
    "One more question: can the {product} report every five minutes?",
    "I spoke to our buyer, and {n} units is what we can order now.",
)
OURS = (
    "Thank you for asking. {n} {product} are in stock and can leave for {place} this week.",
    "I attach our thoughts on {place}; the {product} are the right choice there.",
    "Happy to help. For {n} units we can offer a better price, see below.",
    "Ben looked at the plans for {place}: {n} {product} will do.",
    "We can lend you two {product} for a month, free of charge.",
    "The certificate for the {product} is on its way to you.",
)
NEWSLETTERS = (
    "{place} this week: five stories",
    "What is new in {product}",
    "Save {n} percent on {product}",
    "The {place} trade fair: your programme",
    "Our autumn catalogue is here",
    "Webinar: {product} explained",
)
NOTICES = (
    "Your invoice {n} is ready",
    "Parcel {n} is on its way to {place}",
    "New sign-in from {place}",
    "Your order {n} has shipped",
    "Backup report for {place}",
)
SIGNED = ("Best regards", "Kind regards", "Many thanks", "Cheers", "Viele Grüße", "All the best")


def fill(rng: random.Random, templates: tuple[str, ...]) -> str:
    """One of the templates with product, place and number drawn; the first letter is a capital."""
    line = rng.choice(templates).format(
        n=rng.choice((2, 5, 8, 12, 20, 24, 40, 60, 75, 120, 200, 350)),
        product=rng.choice(PRODUCTS),
        place=rng.choice(PLACES),
    )
    return line[0].upper() + line[1:]


def letter(rng: random.Random, opening: str, name: str, *, quoted: str = "") -> str:
    """A whole plain text: the opening, sometimes more, a signature, and below it what it quotes."""
    lines = [opening, ""]
    if chance(rng, 40):
        lines += [fill(rng, rng.choice((ASKS, ANSWERS))), ""]
    lines += [rng.choice(SIGNED), name.partition(" ")[0], "", "-- ", name, "phone +49 40 555 0100"]
    if quoted:
        lines += ["", "On Monday they wrote:", *(f"> {line}" for line in quoted.splitlines()[:6])]
    return "\n".join(lines)
