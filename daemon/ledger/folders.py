"""Folders: what is read, from where on, and where reading resumes."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none


@dataclass(frozen=True, slots=True)
class FolderRow:
    """One row of `folders`; `floor` None means that reading starts at the beginning."""

    id: int
    mailbox: str
    name: str
    role: str
    uidvalidity: int | None
    uidnext: int | None
    floor: datetime | None
    scanned_at: datetime | None
    failures: int
    next_due: datetime | None
    account: str | None = None  # host and login
    object_id: str | None = None  # MAILBOXID, RFC 8474
    floor_uid: int | None = None  # what has this UID or a higher one isn't older than `floor`
    resets: int = 0  # changes of UIDVALIDITY in a row
    retry_at: datetime | None = None  # when the next try of something in quarantine is due
    messages: int | None = None  # as the server counted them, at the last poll that read something
    modseq: int | None = None  # HIGHESTMODSEQ then


class Folders:
    """Owns `folders`; a new epoch or an older floor forgets where messages were seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def of(self, mailbox: str) -> list[FolderRow]:
        """The active folders of one mailbox, by name."""
        rows = self._db.execute(
            "SELECT *, (SELECT min(not_before) FROM quarantine q WHERE q.folder = f.id"
            " AND q.uidvalidity = f.uidvalidity) AS retry_at"
            " FROM folders f WHERE mailbox = ? AND active ORDER BY name",
            (mailbox,),
        )
        return [_folder(row) for row in rows]

    def belong(self, mailbox: str, account: str, configured: Collection[str]) -> bool:
        """Tie a mailbox's folders to an account; whether that changed anything.

        Folders of another account, which had this name before, are put aside with all that was
        read of them. Those of this account come along from a name that is no longer `configured`.
        """
        # Read before accounts were noted.
        self._db.execute(
            "UPDATE folders SET account = ? WHERE mailbox = ? AND account IS NULL",
            (account, mailbox),
        )
        others = self._put_aside(mailbox, account)
        aside, came = f" ({account})", 0
        for row in self._db.execute(
            "SELECT id, mailbox, name FROM folders WHERE account = ?", (account,)
        ).fetchall():
            name = row["name"].removesuffix(aside)
            if (row["mailbox"], row["name"]) == (mailbox, name) or (
                row["mailbox"] != mailbox and row["mailbox"] in configured
            ):
                continue
            came += self._db.execute(
                "UPDATE OR IGNORE folders SET mailbox = ?, name = ?, active = 1 WHERE id = ?",
                (mailbox, name, row["id"]),
            ).rowcount
            if row["mailbox"] != mailbox:
                self._db.execute(
                    "UPDATE senders SET mailbox = ? WHERE mailbox = ?", (mailbox, row["mailbox"])
                )
        return bool(others or came)

    def _put_aside(self, mailbox: str, account: str) -> int:
        """Free the names that folders of other accounts have, inactive ones included."""
        rows = self._db.execute(
            "SELECT id, name || ' (' || account || ')' AS aside FROM folders"
            " WHERE mailbox = ? AND account <> ? AND instr(name, ' (' || account || ')') = 0",
            (mailbox, account),
        ).fetchall()
        for row in rows:
            self._make_room(mailbox, row["aside"])
            sql = "UPDATE folders SET name = ?, active = 0 WHERE id = ?"
            self._db.execute(sql, (row["aside"], row["id"]))
        return len(rows)

    def _make_room(self, mailbox: str, name: str) -> None:
        self._db.execute(
            "UPDATE folders SET name = name || ' #' || id, active = 0"
            " WHERE mailbox = ? AND name = ?",
            (mailbox, name),
        )

    def rename(self, folder: FolderRow, name: str) -> None:
        """Note a folder's new name; another folder that has it already makes room."""
        self._make_room(folder.mailbox, name)
        sql = "UPDATE folders SET name = ?, scanned_at = NULL WHERE id = ?"
        self._db.execute(sql, (name, folder.id))

    def ensure(
        self,
        mailbox: str,
        roles: Iterable[tuple[str, str]],
        floor: datetime | None,
        account: str | None = None,
    ) -> None:
        """Have exactly these (name, role) folders active; new ones start at `floor`."""
        self._db.execute("UPDATE folders SET active = 0 WHERE mailbox = ?", (mailbox,))
        self._db.executemany(
            "INSERT INTO folders (mailbox, name, role, floor, account) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (mailbox, name) DO UPDATE SET role = excluded.role, active = 1,"
            " account = coalesce(excluded.account, account)",
            [(mailbox, name, role, stamp_or_none(floor), account) for name, role in roles],
        )

    def lower_floor(self, mailbox: str, floor: datetime | None) -> int:
        """Read back to `floor` (None: the beginning); the number of folders that this changes."""
        text = stamp_or_none(floor)
        ids = [
            row["id"]
            for row in self._db.execute(
                "SELECT id FROM folders WHERE mailbox = ? AND floor IS NOT NULL"
                " AND (? IS NULL OR floor > ?)",
                (mailbox, text, text),
            )
        ]
        for folder in ids:
            self._db.execute(
                "UPDATE folders SET floor = ?, scanned_at = NULL WHERE id = ?", (text, folder)
            )
            # What lay below the old floor is looked at again.
            self._db.execute(
                "DELETE FROM sightings WHERE folder = ? AND message IS NULL", (folder,)
            )
        return len(ids)

    def unread_back(self, mailboxes: Sequence[str]) -> int:
        """Folders of these mailboxes that haven't been read through since their floor changed."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM folders WHERE active AND scanned_at IS NULL AND mailbox {AMONG}",
            (listed(mailboxes),),
        ).fetchone()
        return int(count)

    def begin_epoch(self, folder: FolderRow, uidvalidity: int, object_id: str | None) -> None:
        """Start reading the folder under a new UIDVALIDITY; what was seen before stays counted.

        Where it was seen means nothing any more: a server that gives a new one at each look would
        add every message again each time.
        """
        self._db.execute(
            "UPDATE folders SET resets = resets + (uidvalidity IS NOT NULL), uidvalidity = ?,"
            " object_id = ?, uidnext = NULL, first_uid = NULL, floor_uid = NULL, scanned_at = NULL,"
            " messages = NULL, highestmodseq = NULL WHERE id = ?",
            (uidvalidity, object_id, folder.id),
        )
        for table in ("quarantine", "sightings"):
            self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (folder.id,))

    def polled(
        self,
        folder: int,
        now: datetime,
        *,
        uidnext: int,
        scanned: bool,
        object_id: str | None = None,
        resets: int = 0,
        messages: int | None = None,
        modseq: int | None = None,
    ) -> None:
        """Note a good poll that left nothing unread below `uidnext`."""
        self._db.execute(
            "UPDATE folders SET uidnext = ?, polled_at = ?, failures = 0,"
            " last_error = NULL, next_due = NULL, scanned_at = iif(?, ?, scanned_at),"
            " object_id = coalesce(?, object_id), resets = ?, messages = ?, highestmodseq = ?,"
            " first_uid = coalesce(first_uid, ?) WHERE id = ?",
            (
                *(uidnext, stamp(now), scanned, stamp(now), object_id, resets, messages, modseq),
                *(uidnext, folder),
            ),
        )

    def rest(self, folder: int, why: str, until: datetime) -> None:
        """Pause a folder that can be read but costs too much."""
        self._db.execute(
            "UPDATE folders SET last_error = ?, next_due = ? WHERE id = ?",
            (why, stamp(until), folder),
        )

    def scan_again(self, folder: int, scanned_at: datetime) -> None:
        """Forget any look over the whole folder that was later than this."""
        scanned = "UPDATE folders SET scanned_at = min(scanned_at, ?) WHERE id = ?"
        self._db.execute(scanned, (stamp(scanned_at), folder))

    def seen_nothing_new(self, folders: Mapping[int, datetime]) -> None:
        """Note good polls that found nothing, each at its time."""
        self._db.execute(
            "UPDATE folders SET polled_at = one.value ->> 1, failures = 0, last_error = NULL,"
            " next_due = NULL, resets = 0 FROM json_each(?) one WHERE folders.id = one.value ->> 0",
            (json.dumps([(folder, stamp(now)) for folder, now in folders.items()]),),
        )

    def failed(self, mailbox: str, name: str | None, error: str, next_due: datetime) -> None:
        """Note a failed poll of one folder, or of the whole mailbox without a `name`."""
        self._db.execute(
            "UPDATE folders SET failures = failures + 1, last_error = ?, next_due = ?"
            " WHERE mailbox = ? AND (? IS NULL OR name = ?) AND active",
            (error, stamp(next_due), mailbox, name, name),
        )

    def held_up(self, folder: int, why: str) -> None:
        """Note what goes wrong while a folder is read; its end takes that back."""
        self._db.execute(
            "UPDATE folders SET failures = max(failures, 1), last_error = ? WHERE id = ?",
            (why, folder),
        )

    def read_again(self, mailbox: str | None = None) -> None:
        """Have every folder, or those of one mailbox, looked through whole in its next poll."""
        self._db.execute(
            "UPDATE folders SET scanned_at = NULL, next_due = NULL"
            " WHERE active AND (? IS NULL OR mailbox = ?)",
            (mailbox, mailbox),
        )


def _folder(row: sqlite3.Row) -> FolderRow:
    return FolderRow(
        id=row["id"],
        mailbox=row["mailbox"],
        name=row["name"],
        role=row["role"],
        uidvalidity=row["uidvalidity"],
        uidnext=row["uidnext"],
        floor=instant_or_none(row["floor"]),
        scanned_at=instant_or_none(row["scanned_at"]),
        failures=row["failures"],
        next_due=instant_or_none(row["next_due"]),
        account=row["account"],
        object_id=row["object_id"],
        floor_uid=row["floor_uid"],
        resets=row["resets"],
        retry_at=instant_or_none(row["retry_at"]),
        messages=row["messages"],
        modseq=row["highestmodseq"],
    )
