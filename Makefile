# heyan: two commands set up a fresh machine, `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SET_UP := $(VENV)/.set-up
TOOLS := build/tools
TLS ?=
PACK ?= $(if $(HEYAN_PACK),$(HEYAN_PACK),open)
TEST ?=
FUZZ_SECONDS ?= 600
AUDIT ?=

.PHONY: run demo example test golden faults fuzz screens sbom audit lint types imports format lock clean
.DEFAULT_GOAL := help

help:  ## show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(SET_UP): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "heyan needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(SET_UP)  ## start the service on its embedded defaults (TLS=1: HTTPS on the local network; PACK=…: with other models)
	$(BIN)/heyan models prepare --pack "$(PACK)"
	HEYAN_PACK="$(PACK)" $(BIN)/heyan serve $(if $(TLS),--tls)

demo: $(SET_UP)  ## the main job end to end, with simulated phones; exits 0 if every line holds (PACK=…: with other models)
	$(BIN)/heyan models prepare --pack "$(PACK)"
	HEYAN_PACK="$(PACK)" $(BIN)/heyan-bench demo $(DEMO)

example: $(SET_UP)  ## heyan and a registration service that uses it, side by side (TLS=1: for phones; TEST=1: without cameras)
	$(BIN)/heyan models prepare
	$(BIN)/python -m examples.one_window both $(if $(TLS),--tls) $(if $(TEST),--test)

test: $(SET_UP) lint  ## lint, types, import direction and all tests
	$(BIN)/heyan models prepare
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

golden: $(SET_UP)  ## write what the models make of a few photos anew, so that what a change does to them is a diff
	$(BIN)/heyan models prepare
	HEYAN_WRITE_GOLDEN=1 $(BIN)/python -m pytest tests/models/test_compile.py tests/models/test_golden_table.py

faults: $(SET_UP)  ## hurt a service under load in every way that is known, and write what came of it into docs/reliability.md
	$(BIN)/heyan models prepare
	$(BIN)/heyan-bench faults --docs docs/reliability.md

fuzz: $(SET_UP)  ## arbitrary input to whatever strangers can send, with coverage, ten minutes each (FUZZ_SECONDS=…); needs atheris
	$(BIN)/heyan models prepare
	for target in image stream token webhook; do $(BIN)/python tests/fuzz/fuzz.py $$target $(FUZZ_SECONDS) || exit 1; done

screens: $(SET_UP)  ## pictures of the pages for docs/screens.md, and of every state in build/screens (needs chromium)
	$(BIN)/heyan models prepare
	PYTHONPATH=tests/support $(BIN)/python tests/support/make_screens.py
	HEYAN_SCREENS=build/screens $(BIN)/python -m pytest tests/api/test_capture_page.py tests/api/test_console_page.py

$(TOOLS)/.set-up: requirements-tools.lock
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-tools.lock
	@touch $@

sbom: $(TOOLS)/.set-up  ## the bill of materials, packages and weights with hashes and licences, as build/sbom.cdx.json (CycloneDX)
	$(TOOLS)/bin/python deploy/sbom.py build/sbom.cdx.json

audit: $(TOOLS)/.set-up  ## known weaknesses of the packages of the lock; fails for findings, not for a database out of reach (AUDIT=…: pip-audit's options)
	$(TOOLS)/bin/python deploy/audit.py $(AUDIT) || test $$? -eq 75

lint: $(SET_UP)  ## ruff, mypy strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SET_UP)  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -c requirements.lock -o requirements-dev.lock
	uv pip compile requirements-tools.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements-tools.lock

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
