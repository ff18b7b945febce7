"""Phone, title and company of signatures, in the shapes of many countries."""

import pytest

from daemon.message.signature import signature_facts

SIGNATURES: list[tuple[str, str, str, dict[str, str]]] = [
    ("Tobias Roe", "acme.de", "i. A. Tobias Roe\nLeiter Instandhaltung\n\nTrafowerk Roe GmbH\nTel.: 03931 / 5550-17\nFax: 03931 / 5550-99",
     {"phone": "03931 / 5550-17", "title": "Leiter Instandhaltung", "company": "Trafowerk Roe GmbH"}),
    ("Bob Rivera", "acme.example", "Bob Rivera, P.E.\nSenior Process Engineer\nRivera Water Systems, Inc.\n(512) 555-0143 office",
     {"phone": "(512) 555-0143", "title": "Senior Process Engineer", "company": "Rivera Water Systems, Inc."}),
    ("Fiona Roe", "acme.co.uk", "Fiona Roe\nProcurement Manager | Strath Distillers Ltd, Leith\nT +44 1463 555 018 | M +44 7700 900123",
     {"phone": "+44 1463 555 018", "title": "Procurement Manager", "company": "Strath Distillers Ltd"}),
    ("Inés Roe", "acme.es", "Inés Roe\nDirectora de Compras\nAguas del Roe, S.L.\nTfno: +34 983 555 012",
     {"phone": "+34 983 555 012", "title": "Directora de Compras", "company": "Aguas del Roe, S.L."}),
    ("Søren Roe", "acme.dk", "Søren Roe\nIndkøbschef\nRoe Kalk A/S\nTlf. +45 55 50 12 34",
     {"phone": "+45 55 50 12 34", "title": "Indkøbschef", "company": "Roe Kalk A/S"}),
    ("田中 花子", "acme.co.jp", "株式会社モリポンプ\n購買部 部長\n田中 花子\nTEL: 03-5555-0123",
     {"phone": "03-5555-0123", "title": "購買部 部長", "company": "株式会社モリポンプ"}),
    ("김 민수", "acme.co.kr", "김 민수\n구매팀 부장\n모리펌프주식회사\n전화: 02-555-0123",
     {"phone": "02-555-0123", "title": "구매팀 부장", "company": "모리펌프주식회사"}),
    ("Ada Roe", "acme.example", "We sell pumps, as you know.\nAda Roe", {}),
    ("Ada Roe", "acme.de", "Ada Roe\nRoe e.K.", {"company": "Roe e.K."}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "domain", "text", "facts"), SIGNATURES)
def test_a_signature_says_what_it_says(
    name: str, domain: str, text: str, facts: dict[str, str]
) -> None:
    found = signature_facts(["Danke.", "", *text.split("\n")], name, domain, "signature")
    assert {fact.kind: fact.value for fact in found} == facts
