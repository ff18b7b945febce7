"""How Dovecot 2.3 is asked to serve one folder of this machine, as one user, on loopback.

Knows its configuration language and its rules about users; starting and stopping it is
`imap_server`'s part. https://doc.dovecot.org/2.3/configuration_manual/
"""

import grp
import os
import pwd
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path


def binary() -> str | None:
    """The path of an installed Dovecot 2.3, None if there is none (2.4 speaks another language)."""
    # Debian puts it in sbin, which isn't on a user's PATH.
    path = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        return None
    shown = subprocess.run(  # noqa: S603 - our own constant command
        [path, "--version"], capture_output=True, text=True, check=False, timeout=10
    )
    return path if shown.stdout.startswith("2.3.") else None


def mail_owner() -> tuple[int, int] | None:
    """Dovecot refuses to serve mail as uid 0, so root starts it as `nobody`."""
    if os.getuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def configuration(
    home: Path,
    *,
    port: int,
    tls_port: int,
    certificate: Path | None,
    sent: str | None,
    connections: int,
    more: str,
) -> str:
    """The configuration file's text; `tls_port` 0 turns the implicit TLS listener off.

    `more` comes last, so it may set again what is set here.
    """
    user = pwd.getpwuid(os.getuid() or pwd.getpwnam("nobody").pw_uid)
    text = (files("daemon.sandbox") / "dovecot.conf").read_text("utf-8")
    return text.format(
        home=home,
        greeting=home.name,
        port=port,
        tls_port=tls_port,
        ssl="yes" if certificate else "no",
        tls=f"ssl_cert = <{certificate}\nssl_key = <{home / 'key.pem'}" if certificate else "",
        user=user.pw_name,
        group=grp.getgrgid(user.pw_gid).gr_name,
        sent=f'  mailbox "{sent}" {{\n    auto = create\n    special_use = \\Sent\n  }}'
        if sent
        else "",
        connections=connections,
        more=more,
        processes=max(connections, 100) + 50,
    )
