"""A company whose address changes: followed only to where Pipedrive says that it is, never blindly."""

from pathlib import Path
from typing import Any

import pytest
import requests
from crm_kit import Shop, make_shop

from daemon.errors import ConfigProblem
from daemon.pipedrive.transport import Transport
from daemon.sandbox.crm import Fault, SandboxAdapter

ADA = "ada@acme.com"


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    shop = make_shop(tmp_path, company={"company": "newname"})
    with shop.ledger:
        shop.hears("first@other.com")
        shop.sync()
        asked = _moved_away(shop)
        yield shop, asked


def _moved_away(shop: Shop) -> list[str]:
    """From now on the old host only redirects; who is asked, by host."""
    http, asked = requests.Session(), list[str]()
    http.trust_env = False

    class Host(SandboxAdapter):
        def send(self, request: Any, **more: Any) -> Any:  # type: ignore[override]
            host = request.url.split("/")[2]
            asked.append(host)
            if host == "oldname.pipedrive.com":
                shop.sandbox.faults.add(Fault("redirect", location="https://evil.example"))
            return super().send(request, **more)

    http.mount("https://", Host(shop.sandbox))
    client = shop.client
    client._session = http
    client._line = Transport("https://oldname.pipedrive.com", timeout=(5, 5), session=http)
    return asked


def test_a_company_that_moves_is_followed_without_a_restart(
    shop: tuple[Shop, list[str]],
) -> None:
    at, asked = shop
    at.hears(ADA)

    at.sync()

    assert at.count()["persons"] == 2
    assert set(asked) == {"oldname.pipedrive.com", "api.pipedrive.com", "newname.pipedrive.com"}
    assert asked.count("api.pipedrive.com") == 1
    assert at.ledger.setting("pipedrive_url") == "https://newname.pipedrive.com"


def test_another_company_is_never_written_to(shop: tuple[Shop, list[str]]) -> None:
    at, asked = shop
    with at.ledger.transaction("test"):
        at.ledger.set("company_id", 4711)
    at.hears(ADA)

    with pytest.raises(ConfigProblem, match="newname"):
        at.sync_.sync()

    assert "newname.pipedrive.com" not in asked
    assert len(at.acts.every("persons")) == 1
