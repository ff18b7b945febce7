"""The command line: what a person types, and the exit status that a program reads.

Exit status: 0 done; 1 done, but something is parked or quarantined; 2 usage or configuration;
75 try again later (a server is away, the budget is spent).
"""

from daemon.cli.commands import main

__all__ = ["main"]
