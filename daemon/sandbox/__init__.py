"""A Pipedrive and a mailbox that live on this machine: for the demo, rehearsals and tests."""
