"""config.yaml is the documentation of the configuration: complete, valid, and true about defaults."""

import re
from pathlib import Path
from typing import Any, get_origin

import yaml
from config_kit import SMALL, written
from pydantic import BaseModel

from daemon.config import Config, load
from daemon.config.load import _model

EXAMPLE = Path(__file__).parent.parent / "config.yaml"


def test_the_example_is_a_valid_configuration() -> None:
    assert load(EXAMPLE).mailboxes[0].name == "sales"


def uncommented() -> Any:
    """The example with every key that it shows, those behind # too."""
    return yaml.safe_load(
        re.sub(r"^(\s*)#(?=(?:- )?[a-z_]+:)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    )


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds; not those that a person names, which stand elsewhere, too."""
    return None if get_origin(annotation) is dict else _model(annotation)


def model_keys(section: type[BaseModel], place: str = "") -> set[str]:
    keys = set()
    for name, field in section.model_fields.items():
        keys.add(place + name)
        inner = section_in(field.annotation)
        if inner is not None:
            keys |= model_keys(inner, f"{place}{name}.")
    return keys


def file_keys(document: Any, section: type[BaseModel], place: str = "") -> set[str]:
    keys = set()
    for one in document if isinstance(document, list) else [document]:
        for name, value in one.items():
            keys.add(place + name)
            inner = section_in(section.model_fields[name].annotation)
            if inner is not None:
                keys |= file_keys(value, inner, f"{place}{name}.")
    return keys


def test_the_example_shows_every_key_and_no_other() -> None:
    assert file_keys(uncommented(), Config) == model_keys(Config)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    """A commented key with a default shows that default; the others show an example."""
    small = load(written(tmp_path, SMALL))
    shown = uncommented()
    for section in ("engagement", "activities", "poll", "fields", "safety", "log"):
        full = load(written(tmp_path, SMALL + yaml.safe_dump({section: shown[section]})))
        assert getattr(full, section) == getattr(small, section)
    assert shown["ledger"] == str(small.ledger)
    pipedrive = {key: shown["pipedrive"][key] for key in shown["pipedrive"] if key != "base_url"}
    del pipedrive["pipeline"]
    text = yaml.safe_dump({"mailboxes": yaml.safe_load(SMALL)["mailboxes"], "pipedrive": pipedrive})
    expected = small.pipedrive.model_dump(exclude={"token"})
    assert load(written(tmp_path, text)).pipedrive.model_dump(exclude={"token"}) == expected


def test_every_example_value_is_accepted(tmp_path: Path) -> None:
    document = uncommented()
    mailbox, pipedrive = document["mailboxes"][0], document["pipedrive"]
    oauth = mailbox.pop("oauth")
    command = {"command": oauth.pop("command")}
    office = {"provider": "microsoft", "tenant": "example.com", "client_id": "1"}
    for key in ("certificate", "service_account"):  # each for its own provider, without a secret
        provider = office if key == "certificate" else {"provider": "google"}
        document["logins"][key] = provider | {key: oauth.pop(key), "grant": "application"}
    del pipedrive["base_url"]
    del mailbox["password"]
    told = document["events"][0]
    by_command = {"name": "script", "command": told.pop("command")}
    document["events"].append(by_command)
    for login in (oauth, command):
        mailbox["oauth"] = login
        load(written(tmp_path, yaml.safe_dump(document)))
