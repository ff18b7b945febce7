"""Who asked to be forgotten: a salted hash each, and the one way to erase them from the ledger."""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from daemon.ledger.conversations import Conversations
from daemon.ledger.message_row import MessageRow, StoredMessage
from daemon.ledger.messages import Messages
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import stamp
from daemon.message.forgotten import FORGOTTEN, authors, blank, strip
from daemon.message.verdict import Us, judge
from daemon.rules.marks import marked

FORGET_SALT = "forget_salt"  # setting, made with the first who is forgotten
# Settings that are lists of addresses.
_LISTS = ("learned_addresses", "searched")
_WHERE = "WHERE kind = ? AND key = ? AND fields = ?"


class Forgotten:
    """Owns `forgotten`; erases from every table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def among(self, salt: str, addresses: Iterable[str]) -> frozenset[str]:
        """Those of these sender keys that are forgotten; `salt` is the setting `FORGET_SALT`."""
        hashes = {_hash(salt, address): address for address in addresses}
        rows = self._db.execute(f"SELECT hash FROM forgotten WHERE hash {AMONG}", (listed(hashes),))
        return frozenset(hashes[row["hash"]] for row in rows)

    def erase(self, address: str, us: Us, now: datetime) -> set[str]:
        """Erase a sender, inside a transaction; others whose state that may change.

        Messages of this sender alone keep their key, so that they are known again; of those that
        others share, the others keep their part.
        """
        self._remember(address, now)
        messages, conversations = Messages(self._db), Conversations(self._db)
        touched: set[str] = set()
        for stored in self._concerned(address):
            touched |= messages.parties([stored.message.key])
            touched |= conversations.answerers([stored.message])
            self._rewrite(stored, address, us)
        self._db.execute("DELETE FROM correspondence WHERE sender = ?", (address,))
        self._db.execute("DELETE FROM senders WHERE address = ?", (address,))
        self._db.execute("DELETE FROM meetings WHERE sender = ?", (address,))
        self._db.execute("DELETE FROM sender_facts WHERE sender = ?", (address,))
        self._erase_plans(address)
        self._erase_deals(address)
        self._erase_listings(address)
        self._db.execute("DELETE FROM events WHERE sender = ?", (address,))
        return touched - {address}

    def _remember(self, address: str, now: datetime) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO settings VALUES (?, ?)",
            (FORGET_SALT, json.dumps(secrets.token_hex(16))),
        )
        (salt,) = self._db.execute(
            "SELECT value FROM settings WHERE name = ?", (FORGET_SALT,)
        ).fetchone()
        self._db.execute(
            "INSERT OR IGNORE INTO forgotten VALUES (?, ?)",
            (_hash(json.loads(salt), address), stamp(now)),
        )

    def _concerned(self, address: str) -> list[StoredMessage]:
        """Messages that belong to the address or name it."""
        found = {s.id: s for s in Messages(self._db).concerning([address])}
        # The local part may carry a tag, so only the domain is looked for in the text.
        local, _, domain = address.rpartition("@")
        like = f"%{local}%@{domain}%"
        rows = self._db.execute(
            "SELECT key FROM messages WHERE facts LIKE ? OR invites LIKE ?", (like, like)
        ).fetchall()
        named = Messages(self._db).stored(row["key"] for row in rows)
        return list((found | {s.id: s for s in named.values()}).values())

    def _rewrite(self, stored: StoredMessage, address: str, us: Us) -> None:
        message = stored.message
        rest = tuple(to for to in message.to if to.key != address)
        named = len(rest) < len(message.to)
        alone = named and stored.in_sent and all(us.is_us(to) for to in rest)
        if address in authors(message) or alone:
            left, judgement = blank(message), FORGOTTEN
            self._db.execute("DELETE FROM correspondence WHERE message = ?", (stored.id,))
            self._db.execute("DELETE FROM answers WHERE message = ?", (stored.id,))
        else:
            left = strip(message, {address}, words=not (stored.in_sent and named))
            judgement = judge(left, in_sent=stored.in_sent, us=us)
        entry = MessageRow(left, stored.arrived_at, stored.seen_in, stored.in_sent, judgement)
        Messages(self._db).rewrite(stored.id, entry)

    def _erase_plans(self, address: str) -> None:
        """Records and changes: an activity that others share stays theirs."""
        quoted = json.dumps(address, ensure_ascii=False)
        for table in ("records", "journal"):
            rows = self._db.execute(
                f"SELECT kind, key, sender, fields FROM {table}"
                " WHERE sender = ? OR key = ? OR instr(fields, ?)",
                (address, address, quoted),
            ).fetchall()
            for row in rows:
                self._erase_plan(table, row, address)

    def _erase_deals(self, address: str) -> None:
        """What others' notes say of a deal that they share."""
        self._db.execute("UPDATE journal SET deal = NULL WHERE deal = ?", (address,))
        self._db.execute("UPDATE senders SET notes = '' WHERE instr(notes, ?)", (address,))
        self._db.execute(
            "UPDATE records SET reason = ''"
            " WHERE kind IN ('participant', 'person') AND instr(reason, ?)",
            (address,),
        )

    def _erase_plan(self, table: str, row: sqlite3.Row, address: str) -> None:
        fields = json.loads(row["fields"])
        others = [name for name in fields.get("participants") or () if name != address]
        where = (row["kind"], row["key"], row["fields"])
        if row["kind"] == "activity" and others:
            fields["participants"] = others
            if not row["key"].startswith("meeting-"):
                fields.pop("subject", None)
            if "type" in fields:  # it is to be made
                fields.pop("note", None)
                fields |= {"subject": "(no subject)", **marked("", row["key"])}
            sender = others[0] if row["sender"] == address else row["sender"]
            self._db.execute(
                f"UPDATE {table} SET fields = ?, sender = ? {_WHERE}",
                (json.dumps(fields, ensure_ascii=False), sender, *where),
            )
        elif address in {row["key"], row["sender"], fields.get("joins")}:
            self._db.execute(f"DELETE FROM {table} {_WHERE}", where)

    def _erase_listings(self, address: str) -> None:
        self._db.execute(
            "DELETE FROM crm_persons WHERE id IN"
            " (SELECT person_id FROM crm_emails WHERE email = ?)",
            (address,),
        )
        for table in ("crm_deals", "crm_leads"):
            self._db.execute(f"DELETE FROM {table} WHERE mail_key = ?", (address,))
        self._drop_from(_LISTS, address)

    def _drop_from(self, names: Iterable[str], address: str) -> None:
        for name in names:
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            listed = json.loads(row["value"]) if row else None
            if listed and address in listed:
                self._db.execute(
                    "UPDATE settings SET value = ? WHERE name = ?",
                    (json.dumps([one for one in listed if one != address]), name),
                )


def _hash(salt: str, address: str) -> str:
    """What stands for a sender key."""
    return hashlib.sha256(f"{salt} {address}".encode()).hexdigest()
