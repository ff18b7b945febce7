"""The words of XOAUTH2 and OAUTHBEARER on the wire, with a server that refuses the token."""

import base64
import socket
import threading

import pytest

from daemon.errors import AuthProblem
from daemon.mailbox.account import Account
from daemon.mailbox.imap import Mailbox

CHALLENGE = base64.b64encode(b'{"status":"400","schemes":"Bearer"}')


def refuse(listener: socket.socket, mechanism: str, heard: list[bytes]) -> None:
    """Refuse one token as Gmail does: with a challenge that the client has to answer first."""
    line, _ = listener.accept()
    with line, line.makefile("rb") as commands:
        line.sendall(b"* OK ready\r\n")
        for command in commands:
            tag, _, rest = command.rstrip(b"\r\n").partition(b" ")
            if rest == b"CAPABILITY":
                line.sendall(
                    b"* CAPABILITY IMAP4rev1 AUTH=%s\r\n%s OK done\r\n" % (mechanism.encode(), tag)
                )
            elif rest.startswith(b"AUTHENTICATE"):
                line.sendall(b"+ \r\n")
                heard.append(base64.b64decode(commands.readline()))
                line.sendall(b"+ " + CHALLENGE + b"\r\n")
                heard.append(base64.b64decode(commands.readline()))
                line.sendall(tag + b" NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n")


@pytest.mark.parametrize(
    ("mechanism", "token", "consent"),
    [
        ("XOAUTH2", "user=a=b,c@x.org\x01auth=Bearer T\x01\x01", ""),
        (
            "OAUTHBEARER",
            "n,a=a=3Db=2Cc@x.org,\x01host=127.0.0.1\x01port={port}\x01auth=Bearer T\x01\x01",
            "\x01",
        ),
    ],
)
def test_a_refusal_is_heard_to_its_end_without_saying_the_token_again(
    mechanism: str, token: str, consent: str
) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=refuse, args=(listener, mechanism, heard))
        thread.start()
        account = Account(
            "sales", "127.0.0.1", "a=b,c@x.org", token=lambda _: "T", port=port, tls="none"
        )
        with pytest.raises(AuthProblem, match="Invalid credentials"):
            Mailbox.connect(account)
        thread.join(10)
    assert heard == [token.format(port=port).encode(), consent.encode()]
