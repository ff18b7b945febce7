"""A certificate for a server on loopback, made by openssl; it lives as long as a sandbox does."""

import subprocess
from pathlib import Path

from daemon.errors import ConfigProblem


def make_certificate(home: Path) -> Path:
    """A self-signed certificate for loopback; the same file serves as the client's private CA."""
    certificate, key = home / "cert.pem", home / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=mail2deal sandbox"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(  # noqa: S603 - our own constant command
            command, capture_output=True, check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigProblem(
            f"no certificate: {error}", what="sandbox", hint="install openssl"
        ) from error
    return certificate
