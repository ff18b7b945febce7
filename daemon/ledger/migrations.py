"""The steps by which a ledger of an earlier version gets the tables of this one.

`schema.sql` says what the tables are now. A step is for ledgers that exist: a script in `steps/`,
added at the end of `STEPS` and never changed again. SQLite puts a new column behind the others, and
its comment with it. Views are made anew after the steps, so no step needs to.
"""

from collections.abc import Callable
from importlib.resources import files

from sqlite_utils import Database, Migrations

from daemon.ledger.sql_script import statements
from daemon.message.identity import trace
from daemon.message.traces import text_hash

# The steps of which the first release's ledger was made.
RELEASED = ("m001_initial", "m002_troubles", "m003_forgotten", "m004_counts")
STEPS = (
    "m005_authors",
    "m007_health",
    "m008_facts",
    "m006_replies",
    "m009_events",
    "m009_absence",
    "m010_identity",
    "m011_assignments",
    "m012_problems",
    "m013_more_problems",
    "m014_receivers",
    "m015_rereading",
    "m016_follow_ups",
    "m017_all_day",
    "m018_deals",
    "m019_copied",
    "m020_carried",
    "m021_resting",
    "m022_logged",
    "m023_mail_keys",
    "m024_as_made",
    "m025_old_mail",
    "m026_unwanted",
    "m027_restored",
    "m028_seen_in",
)

migrations = Migrations("mail2deal")


def _step(name: str) -> Callable[[Database], None]:
    def apply(db: Database) -> None:
        for function in (text_hash, trace):  # what a script may call
            db.register_function(function, deterministic=True)
        script = (files("daemon.ledger") / "steps" / f"{name}.sql").read_text("utf-8")
        for statement in statements(script):
            db.execute(statement)

    return apply


for _name in STEPS:
    migrations(name=_name)(_step(_name))
