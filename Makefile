# What a developer types. `make` alone lists it. Everything happens in .venv, which is made here.
VENV ?= .venv
# The oldest Python that we support and that works here; PYTHON=python3.13 chooses another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$python && break; done)
# The benchmarks that run without arguments; the other files in bench/ are their parts.
BENCH ?=
# More arguments for pytest: make test PYTEST='-k config -x'
PYTEST ?=
# Two workers a core, as tests of servers wait as much as they compute; a whole file for each, in the
# order of tests/conftest.py.
APART = -n $(shell expr 2 \* $$(nproc)) --dist loadfile --no-loadscope-reorder
# Files of tests lie in memory where there is room: SQLite waits for a disk after each transaction.
IN_MEMORY = $(shell df --output=avail,target /dev/shm 2>/dev/null | \
	awk '$$1 > 2000000 && $$2 == "/dev/shm" {print "TMPDIR=/dev/shm"}')
# What was compiled is kept, also where the environment says otherwise: tests start the program
# some hundred times, and each worker reads every file of tests.
COMPILED = PYTHONDONTWRITEBYTECODE=
# Arguments for make mutants: MUTANTS='--count 50 daemon/rules'
MUTANTS ?=
IN = $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all check bench bench-scale walk lines crash soak fuzz systemd-test layout clean dovecot
.PHONY: sums deb image sbom signal release mutants test-servers

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | \
	while IFS=: read -r name text; do printf 'make %-14s%s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo ## the main job on embedded servers, in one minute
	$(IN)/mail2deal demo

test: $(VENV)/.test dovecot ## the tests, without those marked long
	$(COMPILED) $(IN_MEMORY) $(IN)/python -m pytest $(APART) -m 'not long' $(PYTEST)

test-all: $(VENV)/.test dovecot ## all tests, as CI runs them: every fault, a kill at every step
	MAIL2DEAL_SOAK_EXAMPLES=$${MAIL2DEAL_SOAK_EXAMPLES:-200} MAIL2DEAL_MAILS=2000 \
	$(COMPILED) $(IN_MEMORY) $(IN)/python -m pytest $(APART) $(PYTEST)

check: $(VENV)/.check $(VENV)/.test ## lint, format and types
	$(IN)/ruff check .
	$(IN)/ruff format --check .
	$(IN)/mypy

bench: $(VENV)/.test dovecot ## every benchmark, and one table of ratios
	$(IN)/python -m compileall -q daemon  # as pip does where the package is installed
	$(IN)/python bench/run.py $(BENCH)

# A folder of labelled mail. The program of the set beside the repository prints more than ours.
SHARED_SIGNAL = ../shared/signal
SIGNAL ?= $(wildcard $(SHARED_SIGNAL)/dev)
SCORER ?= $(wildcard $(SHARED_SIGNAL)/score.py)

signal: $(VENV)/.test dovecot ## who wrote and what counts, on labelled mail: SIGNAL=tests/labelled
	@test -e '$(SIGNAL)/about.yml' || { echo "'$(SIGNAL)' is no folder of labelled mail (it has no" \
	"about.yml): name one, such as our own, SIGNAL=tests/labelled, or where" \
	"mail2deal explain --save has written to" >&2; exit 1; }
	$(if $(SCORER),$(IN)/python $(SCORER) $(SIGNAL) $(CURDIR)/$(IN)/mail2deal,\
	PYTHONPATH=. $(IN)/python tests/labelled_mail.py $(SIGNAL))

bench-scale: $(VENV)/.test dovecot ## what takes longer: a million messages judged again, large companies, folders and conversations, a day
	$(IN)/python bench/rejudge.py 1000000
	$(IN)/python bench/company.py 10000 100000 -- 100 1000 10000
	$(IN)/python bench/day.py 1440
	$(IN)/python bench/folder.py 2000 20000 200000
	$(IN)/python bench/conversation.py 200 2000 20000
	$(IN)/python bench/mailboxes.py 10 100 1000

walk: $(VENV)/.test dovecot ## what one mail costs in statements, transactions, functions, files
	$(IN)/python bench/walk.py

lines: ## how much there is to read: each room's lines of code, of comments, blank ones and data
	@python3 tests/lines.py

crash: $(VENV)/.test dovecot ## kill -9 at every step, then a restart
	MAIL2DEAL_CRASH_CASTS=3 $(IN)/python -m pytest -s tests/test_crash.py $(PYTEST)

test-servers: $(VENV)/.test .servers ## the main job on real Courier, Cyrus and GNU imap4d, unpacked from Debian's packages
	MAIL2DEAL_SERVERS=$(CURDIR)/.servers $(IN)/python -m pytest tests/test_servers.py $(PYTEST)

.servers: tests/servers/fetch
	tests/servers/fetch $@

soak: $(VENV)/.test dovecot ## a long random life: mail comes, servers fail, processes die
	MAIL2DEAL_SOAK_EXAMPLES=10000 MAIL2DEAL_STORMS=300 MAIL2DEAL_LIVES=20 MAIL2DEAL_LIFE=5 \
	$(IN)/python -m pytest --timeout 0 \
	tests/test_stateful.py tests/test_living_storm.py tests/test_living_service.py $(PYTEST)

fuzz: $(VENV)/.test $(VENV)/.fuzz ## broken input without end: guided by coverage, then by properties
	$(IN)/python tests/fuzz/run.py
	PYTHONPATH=tests $(IN)/python -m pytest -p fuzz_profile --hypothesis-profile fuzz \
	--timeout 0 -m hypothesis $(PYTEST)

mutants: $(VENV)/.test ## do the tests notice small changes of the code that decides? hours
	$(IN)/python tests/mutants.py $(MUTANTS)

release: $(VENV)/.test $(VENV)/.package ## is all ready? then wheel, sdist, bill of materials, pinned versions: dist/
	$(IN)/python packaging/release.py
	packaging/sbom
	cp packaging/requirements.txt dist/
	$(IN)/python packaging/release.py --sums

sums: ## checksums of all that lies in dist/, packages and image too
	$(IN)/python packaging/release.py --sums

deb: $(VENV)/.package ## Debian packages for 12 and 13, into dist/; needs root
	packaging/deb/build bookworm
	packaging/deb/build trixie

image: $(VENV)/.package ## an OCI image, into dist/; needs root
	packaging/image

sbom: $(VENV)/.package ## what a release is made of (CycloneDX), into dist/
	packaging/sbom

systemd-test: $(VENV)/.test $(VENV)/.package ## units and packages under a real systemd in containers; needs root, takes minutes
	@# Each base system is made once for all of these, and stays only with KEEP_ROOTS=1.
	keep=$$KEEP_ROOTS; export KEEP_ROOTS=1; \
	trap '[ -n "$$keep" ] || rm -rf /var/tmp/mail2deal-debian-*' EXIT; \
	set -e; \
	for suite in bookworm trixie; do \
		SUITE=$$suite tests/systemd/run; \
		SUITE=$$suite tests/systemd/deb; \
	done; \
	tests/systemd/image

layout: ## name every module in docs/design.md, as it is now
	python3 tests/test_layout.py

clean: ## remove what was made here
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# One stamp for each extra: fast the second time, made again when pyproject.toml changes.
$(VENV)/.%: pyproject.toml | $(IN)/python
	$(IN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(IN)/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed (apt install python3)'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	{ echo 'the venv module of Python is needed (apt install python3-venv)'; exit 1; }
	$(PYTHON) -m venv $(VENV)

dovecot:
	@if command -v dovecot >/dev/null || test -x /usr/sbin/dovecot; then :; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends dovecot-imapd; \
	then :; else echo 'Dovecot is not installed: the tests that need it are skipped' \
	'(apt install dovecot-imapd)'; fi
