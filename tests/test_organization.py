import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.rules.organization import (
    _listed,
    organization_key,
    public_providers,
    registrable_domain,
)

PUBLIC = public_providers()
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("domain", "registered"),
    [
        ("acme.com", "acme.com"),
        ("eu.mail.acme.co.uk", "acme.co.uk"),
        ("ACME.Com.", "acme.com"),
        ("@acme.com", "acme.com"),
        ("mail.acme.com.au", "acme.com.au"),
        ("sales.acme.gmbh", "acme.gmbh"),
        ("physik.ruhr-uni-bochum.de", "ruhr-uni-bochum.de"),  # a private suffix with real mailboxes
        ("someone.github.io", "someone.github.io"),  # a customer's label
        ("acme.mail.onmicrosoft.com", "acme.onmicrosoft.com"),
        ("eu.acme.zendesk.com", "acme.zendesk.com"),
        ("zendesk.com", "zendesk.com"),  # its own people
        ("mail.acme.uk.com", "acme.uk.com"),  # sold like a country's domain
        ("acme.eu.org", "acme.eu.org"),
        ("uk.com", "uk.com"),
        ("Müller.example.de", "example.de"),
        ("post.müller.de", "xn--mller-kva.de"),
        ("post.xn--mller-kva.de", "xn--mller-kva.de"),
        ("食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("acme.newtld", "acme.newtld"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("192.0.2.7", "192.0.2.7"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]"),
        ("", ""),
        ("acme..com", "acme..com"),
        (".", ""),
    ],
)
def test_registrable_domain_is_what_somebody_registered(domain: str, registered: str) -> None:
    assert registrable_domain(domain) == registered


@pytest.mark.parametrize(
    ("domain", "key"),
    [
        ("acme.com", "acme.com"),
        ("eu.mail.acme.co.uk", "acme.co.uk"),
        ("globex.example", "globex.example"),
        ("post.müller.de", "xn--mller-kva.de"),
        ("acme.uk.com", "acme.uk.com"),
        ("gmail.com", None),
        ("GMail.com", None),
        ("nyc.rr.com", None),
        ("privaterelay.appleid.com", None),
        ("appleid.com", "appleid.com"),
        ("i.softbank.jp", None),
        ("g.softbank.jp", "softbank.jp"),
        ("co.uk", None),
        ("uk.com", None),
        ("com", None),
        ("localhost", None),
        ("mail.acme.local", None),
        ("printer.lan", None),
        ("192.0.2.7", None),
        ("[ipv6:2001:db8::1]", None),
        ("acme..com", None),
        ("", None),
    ],
)
def test_an_organization_is_keyed_by_its_registrable_domain(domain: str, key: str | None) -> None:
    assert organization_key(domain, PUBLIC) == key


WELL_KNOWN = """
    gmail.com googlemail.com hotmail.com hotmail.co.uk outlook.com outlook.de live.com live.nl msn.com
    icloud.com me.com mac.com yahoo.com yahoo.co.uk yahoo.de yahoo.co.jp ymail.com rocketmail.com
    aol.com gmx.de gmx.net gmx.com gmx.at gmx.ch web.de t-online.de freenet.de arcor.de posteo.de
    mailbox.org tuta.com tutanota.com proton.me protonmail.com pm.me fastmail.com fastmail.fm hey.com
    hushmail.com startmail.com duck.com mozmail.com runbox.com zoho.com mail.com orange.fr wanadoo.fr
    free.fr sfr.fr laposte.net neuf.fr ziggo.nl kpnmail.nl planet.nl xs4all.nl home.nl hetnet.nl
    telenet.be skynet.be proximus.be bluewin.ch aon.at libero.it virgilio.it tiscali.it alice.it tin.it
    telefonica.net sapo.pt btinternet.com sky.com virginmedia.com talktalk.net eircom.net comcast.net
    verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com
    sympatico.ca wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz azet.sk freemail.hu abv.bg mail.ru
    yandex.ru rambler.ru ukr.net qq.com 163.com 126.com sina.com naver.com daum.net hanmail.net
    docomo.ne.jp softbank.ne.jp rediffmail.com uol.com.br bol.com.br terra.com.br bigpond.com
    optusnet.com.au xtra.co.nz telia.com comhem.se online.no walla.co.il mynet.com
"""


@pytest.mark.parametrize("domain", WELL_KNOWN.split())
def test_a_well_known_public_provider_is_no_organization(domain: str) -> None:
    assert organization_key(domain, PUBLIC) is None
    assert organization_key(f"mail.{domain}", PUBLIC) is None


COMPANIES = """
    dell.com alibaba.com alibaba-inc.com about.com ancestry.com google.com apple.com microsoft.com
    amazon.com meta.com telekom.de telekom.com tmobile.com t-mobile.com stanford.edu mit.edu ox.ac.uk
    cnn.com abc.com orange.com vodafone.com bt.com kpn.com swisscom.com telefonica.com proximus.com
    zohocorp.com gmx-company.com yahooinc.com navercorp.com softbank.co.jp sky.uk virginmedia.co.uk
    1und1.de ionos.de united-internet.de ruhr-uni-bochum.de siemens.com sap.com philips.com ing.nl
    asml.com shell.com bbc.co.uk nhs.net ibm.com oracle.com cisco.com github.com nokia.com ericsson.com
    volvo.com maersk.com lego.com roche.com nestle.com ubs.com proton.ch pipedrive.com
"""


@pytest.mark.parametrize("domain", COMPANIES.split())
def test_an_employer_or_university_stays_an_organization(domain: str) -> None:
    assert organization_key(domain, PUBLIC) == registrable_domain(domain)


def test_the_configuration_adds_and_removes_providers() -> None:
    ours = public_providers(extra=["Coworking.Example", "@müller.de"], never=["gmx.net"])
    assert organization_key("coworking.example", ours) is None
    assert organization_key("berlin.coworking.example", ours) is None
    assert organization_key("xn--mller-kva.de", ours) is None
    assert organization_key("gmx.net", ours) == "gmx.net"
    assert organization_key("gmx.de", ours) is None


def test_never_wins_over_extra() -> None:
    both = public_providers(extra=["acme.example"], never=["acme.example"])
    assert organization_key("acme.example", both) == "acme.example"


def test_an_empty_line_of_the_configuration_matches_nothing() -> None:
    assert organization_key("acme.example", public_providers(extra=["", "."])) == "acme.example"


def test_each_shipped_line_is_one_domain_that_can_be_a_providers() -> None:
    parts_of_a_company = {
        *("privaterelay.appleid.com", "i.softbank.jp", "internode.on.net"),
        *("pec.aruba.it", "relay.firefox.com"),
    }
    assert len(_listed("freemail")) > 600
    for domain in _listed("freemail") - parts_of_a_company:
        assert registrable_domain(domain) == domain
        assert organization_key(domain, public_providers(never=[domain])) == domain


def test_lists_of_others_show_what_ours_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(ROOT / "packaging" / "freemail.py"))["main"]
    (tmp_path / "a.json").write_text('["New.example", "gmail.com", "mail.gmx.de", "a.example"]')
    (tmp_path / "b.txt").write_text("# theirs\nnew.example\ngmail.com\nmail.gmx.de\nb.example\n")

    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.txt")]) == 0
    assert capsys.readouterr().out == "new.example\n"
    assert main([str(tmp_path / "a.json")]) == 2
    assert "npm pack" in capsys.readouterr().err


def test_each_resold_domain_keeps_its_customers_apart() -> None:
    for suffix in _listed("resold"):
        assert organization_key(f"mail.acme.{suffix}", PUBLIC) == f"acme.{suffix}"


@given(
    st.text(max_size=60)
    | st.from_regex(r"([a-zA-Z0-9é-]{0,8}\.){0,5}[a-z]{0,5}\.?", fullmatch=True)
)
def test_any_text_as_a_domain_has_an_answer_and_asking_twice_changes_nothing(text: str) -> None:
    once = registrable_domain(text)
    assert registrable_domain(once) == once
    key = organization_key(text, PUBLIC)
    assert key is None or (key == once and organization_key(key, PUBLIC) == key)
