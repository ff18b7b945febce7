"""`python -m daemon` is `mail2deal`."""

from daemon.cli import main

if __name__ == "__main__":
    main()
