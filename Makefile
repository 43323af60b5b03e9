# Two commands matter: `make demo` sets up and runs the main job, `make test` sets up and passes the tests.

PYTHON ?= python3
BIN := .venv/bin
# Where nobody keeps bytecode, each of the many processes that tests start compiles all of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo demo-postgres test chaos lint bench clean

setup: .venv/.ready

# Debian's python3 may come without ensurepip; then pip's own wheel is taken from Debian's package python3-pip-whl.
.venv/.ready: setup.cfg pyproject.toml
	@echo "Setting up the Python environment in .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
		rm -rf .venv && $(PYTHON) -m venv --without-pip .venv && \
		$(PYTHON) -m debroot python3-pip-whl --into .venv/pip && \
		$(BIN)/python "$$(ls .venv/pip/usr/share/python-wheels/pip-*.whl)/pip" install -q pip; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/ivr demo

# The same on a PostgreSQL that is started for it, without root.
demo-postgres: setup
	$(BIN)/ivr demo --postgres

# The kinds of tests (tests/kinds.py): those that work, those that mostly wait, those that have the machine to themselves.
# The last part shows all, and fails when one before it did. On a machine that is no measure of what tests may take in
# all: IVR_TEST_BUDGET_S=900 make test; 0 is no bound.
TOGETHER := pure or reading or store or speech or edges
WAITING := browser or live
ALONE := timed
# Where those of the last two are; to collect them all takes a while.
APART := tests/browser tests/live

test: setup lint
	$(BIN)/python -m pytest -m "$(TOGETHER)" --part 1/3 -n 3 --dist worksteal; \
	$(BIN)/python -m pytest -m "$(WAITING)" --part 2/3 $(APART) -n 4 --dist worksteal; \
	$(BIN)/python -m pytest -m "$(ALONE)" --part 3/3 $(APART)

# Campaigns whose engine and Asterisk are killed at random instants, for so long, from this seed on.
SECONDS := 600
SEED := 1

chaos: setup
	IVR_TEST_BUDGET_S=0 $(BIN)/python -m pytest -m chaos tests/live --chaos-seconds $(SECONDS) --chaos-seed $(SEED)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv build *.egg-info demo-site
