"""The command line: one module a command, arguments in and lines out; the work is done elsewhere.

Exit status: 0 done; 1 done, but something is parked or quarantined; 2 usage or configuration;
75 try again later (a server is away, the budget is spent).
"""

from daemon.cli.main import main

__all__ = ["main"]
