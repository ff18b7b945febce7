"""Nothing that decides names a case of the labelled set beside the repository: rules are by shape."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from daemon.message.address import ascii_domain
from daemon.message.data import read
from daemon.message.relay import is_conversation
from daemon.message.vendors import kind_of
from daemon.rules.organization import public_providers

HERE = Path(__file__).parent
SET = HERE.parent.parent / "shared" / "signal" / "dev"
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
ROOMS = ("message", "rules", "intake", "mailbox", "config")
SHORTEST = 5  # letters of a name: shorter ones are words, too
WORDS = {"server", "stranger", "correio", "auftrag"}  # names of the set's domains that are words


def invented() -> Iterator[str]:
    """The domains of the set's people, the names in them, and their family names; lower case."""
    public = public_providers()
    for path in sorted(SET.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")).get("cases", ()):
            for address, wanted in (case.get("expect") or {}).items():
                domain = address.rpartition("@")[2].lower()
                service = kind_of(domain) or is_conversation(domain)
                plain = ascii_domain(domain)
                if (plain is None or plain not in public) and not service:
                    yield domain
                    yield domain.partition(".")[0]
                name = wanted.get("name") if isinstance(wanted, dict) else None
                names = [name] if isinstance(name, str) else name or []
                for words in (WORD.findall(one.lower()) for one in names):
                    yield from words[1:]


@pytest.mark.skipif(not SET.exists(), reason="there is no ../shared/signal beside the repository")
def test_no_person_and_no_firm_of_the_set_is_named() -> None:
    given = {name for line in read("given_names.txt") for name in line.split()}
    names = {name for name in invented() if len(name) >= SHORTEST} - WORDS - given
    assert len(names) > 200
    found = {}
    paths = [path for room in ROOMS for path in (HERE.parent / "daemon" / room).rglob("*")]
    for path in sorted(paths):
        if path.suffix in {".py", ".txt", ".toml", ".yaml", ".json"}:
            text = path.read_text(encoding="utf-8").lower()
            words = set(WORD.findall(text)) | set(re.findall(r"[\w-]+(?:\.[\w-]+)+", text))
            if same := words & names:
                found[path.name] = sorted(same)
    assert found == {}
