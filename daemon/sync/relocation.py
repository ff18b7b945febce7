"""A company whose address has changed: its new one, asked at Pipedrive's own host."""

import logging
import re

from daemon.errors import ConfigProblem, RetryLater
from daemon.log import event
from daemon.sync.session import Session

COMPANY_ID = "company_id"  # setting: which company this ledger's records are in
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def relocate(session: Session) -> bool:
    """After a redirect, go on where the company is now; False if nobody can say where.

    Raises ConfigProblem if the token is for another company than the ledger's.
    """
    ledger, client = session.ledger, session.client
    try:
        me = client.locate()
    except RetryLater as problem:
        event("pipedrive.not_located", logging.WARNING, problem=problem)
        return False
    domain = None if me is None else me.get("company_domain")
    if me is None or not isinstance(domain, str) or not _SUBDOMAIN.fullmatch(domain):
        return False
    if str(me.get("company_id")) != str(ledger.setting(COMPANY_ID)):
        raise ConfigProblem(
            f"the token is for the company {domain}, which isn't the one of this ledger's records",
            what="pipedrive.company",
            hint="name the company and take a token of it, or start with a ledger of its own",
        )
    client.move(domain)
    with ledger.transaction("moved"):
        ledger.set("pipedrive_url", f"https://{domain}.pipedrive.com")
    event("pipedrive.moved", logging.WARNING, company=domain, hint="change pipedrive.company")
    return True
