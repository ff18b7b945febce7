"""What goes wrong in a company without anybody calling the API, switched while the sandbox runs.

Hidden records, users who leave or lose a permission, deleted stages, records that come back. What
is a number or a list in the settings (lag, caps, inactive types) is changed there; what happens to
single requests is a fault.
"""

from collections.abc import Iterable

from daemon.sandbox.crm.call import ApiCall, mark_deleted
from daemon.sandbox.crm.clock import stamp_ms
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Doc

Id = int | str


class Switches:
    """Each raises LookupError for what isn't there."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Switch things in this company."""
        self.sandbox = sandbox

    def hide(self, kind: str, record_id: Id, email: str | None = None) -> None:
        """Hide a record from one user, or from all; nothing about the record changes."""
        with self.sandbox.at_work() as call:
            _record(call, kind, record_id)
            for user in _users(call, email):
                row = (kind, record_id, user["id"])
                call.store.db.execute("INSERT OR IGNORE INTO hidden VALUES (?, ?, ?)", row)

    def show(self, kind: str, record_id: Id) -> None:
        """Show a record again to everybody."""
        with self.sandbox.at_work() as call:
            call.store.db.execute("DELETE FROM hidden WHERE kind = ? AND id = ?", (kind, record_id))

    def deactivate(self, email: str) -> None:
        """A user leaves: what is theirs stays, the token is refused, nothing new can be theirs."""
        self._user(email, active_flag=False)

    def activate(self, email: str) -> None:
        """The user is back."""
        self._user(email, active_flag=True)

    def permit(self, email: str, *, denied: Iterable[str] = (), apps: Iterable[str] = ()) -> None:
        """Set what the user may not do, and of which apps they are an admin."""
        self._user(email, denied=list(denied), apps=list(apps))

    def delete_stage(self, stage_id: int) -> None:
        """Delete a stage; the deals in it stay where they are."""
        with self.sandbox.at_work() as call:
            stage = _record(call, "stages", stage_id)
            stage["is_deleted"] = True
            call.store.save("stages", stage, call.now)

    def restore(self, kind: str, record_id: Id) -> None:
        """Take a deleted record out of the bin."""
        with self.sandbox.at_work() as call:
            doc = _record(call, kind, record_id)
            doc.pop("_deleted_at", None)
            doc["is_deleted"] = False
            doc["update_time"] = stamp_ms(call.now) if kind == "leads" else call.stamp
            if kind == "deals":
                doc["status"] = "open"
            call.store.save(kind, doc, call.now)

    def purge(self, kind: str, record_id: Id) -> None:
        """Take a record away for good: its id answers 404 from now on."""
        with self.sandbox.at_work() as call:
            doc = _record(call, kind, record_id)
            mark_deleted(doc, 0.0)
            call.store.save(kind, doc, call.now)

    def _user(self, email: str, **changes: object) -> None:
        with self.sandbox.at_work() as call:
            for user in _users(call, email):
                call.store.save("users", user | changes, call.now)


def _users(call: ApiCall, email: str | None) -> list[Doc]:
    found = [user for user in call.store.select("users") if email in (None, user["email"])]
    if not found:
        raise LookupError(f"no user {email}")
    return found


def _record(call: ApiCall, kind: str, record_id: Id) -> Doc:
    doc = call.store.get(kind, record_id)
    if doc is None:
        raise LookupError(f"no {kind} {record_id}")
    return doc
