# make run, make test, make test-all; nothing but Python 3.11 or newer has to be there before.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SLOW_ONLY := slow or (browser and not loop)

# Everything below is development: production sets its own environment.
export DEBUG ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test test-all coverage bench chaos lint format messages openapi lock

help:
	@echo "make run       install and start everything: desk, bot, jobs and a sandbox in Telegram's place"
	@echo "make test      lint, types and the fast tests, on SQLite or the PostgreSQL that TEST_DATABASE_URL names"
	@echo "make test-all  the slow tests too: killed processes, every browser run; with TEST_DATABASE_URL, what asks one on both databases"
	@echo "make coverage  measure what the fast tests reach of tickets and botbridge, and fail under 95% of lines, 90% of branches"
	@echo "make bench     fill PostgreSQL with up to a million tickets and measure: docs/performance.md"
	@echo "make chaos     kill the bot while people write, break networks and databases, and see that nothing is lost: docs/chaos.md"
	@echo "make format    let ruff put the code in order"
	@echo "make messages  collect the texts to translate and compile the translations"
	@echo "make openapi   write the API's document anew, docs/openapi.yaml"
	@echo "make lock      pin again what the direct requirements bring along"

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements.txt requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/.run
	exec $(BIN)/python manage.py serve $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	ENV_FILE= $(BIN)/python manage.py makemigrations --check --dry-run

# On two cores three workers fill the pauses in which tests wait.
fast = $(BIN)/python -m pytest -n 3 --dist worksteal -m "$(1)not ($(SLOW_ONLY))" $(2)
slow = $(BIN)/python -m pytest -n 3 --dist worksteal -m "$(1)($(SLOW_ONLY))" --durations 15 $(2)
on_sqlite = env -u TEST_DATABASE_URL $(1)

test: lint
	$(call fast)

# Where there is a PostgreSQL to test on, what asks a database is tested on SQLite too: what is right on one can be wrong
# on the other. What one person does in one browser is the same on both.
test-all: test
	$(call slow)
	$(if $(TEST_DATABASE_URL),$(call on_sqlite,$(call fast,database and )))
	$(if $(TEST_DATABASE_URL),$(call on_sqlite,$(call slow,database and ,--ignore tickets/tests/browser)))

# Lines and branches apart: coverage's own fail_under knows one figure of both together.
define FALLS_SHORT
import json, sys
totals = json.load(sys.stdin)["totals"]
lines, branches = totals["percent_statements_covered"], totals["percent_branches_covered"]
print(f"lines {lines:.2f}%, at least 95; branches {branches:.2f}%, at least 90")
sys.exit(lines < 95 or branches < 90)
endef
export FALLS_SHORT
COVER := --cov --cov-append --cov-report=

coverage: $(VENV)/.dev
	$(BIN)/coverage erase
	$(call fast,,$(COVER))
	$(if $(TEST_DATABASE_URL),$(call on_sqlite,$(call fast,database and ,$(COVER))))
	$(BIN)/coverage report --skip-covered --show-missing
	$(BIN)/coverage json --quiet -o - | $(BIN)/python -c "$$FALLS_SHORT"

bench: $(VENV)/.run
	$(BIN)/python manage.py bench $(ARGS)

chaos: $(VENV)/.run
	$(BIN)/python manage.py chaos $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(VENV)/.dev
	$(BIN)/python manage.py makemessages --locale ru --locale kk --locale en --add-location file --ignore var --ignore .venv
	$(BIN)/python manage.py compilemessages --ignore var --ignore .venv

# Without a .env, so that it says the same on every machine.
openapi: $(VENV)/.dev
	ENV_FILE= $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

# In an environment of its own, so that nothing but the requirements and what they need is pinned.
lock:
	$(PYTHON) -m venv --clear $(VENV)-lock
	cat requirements.txt requirements-dev.txt | grep '==' | $(VENV)-lock/bin/pip install --quiet -r /dev/stdin
	{ sed -n 1p requirements.lock; $(VENV)-lock/bin/pip freeze; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -r $(VENV)-lock
