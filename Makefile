# Headrace's commands; `make` alone lists them. What they need is Python 3.11 or newer with venv, git and make.

PYTHON ?= python3
UV ?= uv

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" pyproject.toml

# `make check test` runs no test twice
UNCHECKED := $(if $(filter check,$(MAKECMDGOALS)),--ignore tests/unit --ignore tests/contract)

.DEFAULT_GOAL := help
.PHONY: help setup run page compiled test check bench docs tiny-model lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s%s\n", $$1, $$2 }' Makefile

setup: $(DEV) compiled ## Make .venv with everything that running and developing need

run: $(RUNTIME) compiled ## Start the server: make run [PORT=8000] [MODEL=file.gguf] [CONFIG=headrace.toml] [HOST=] [DATA=data]
	@$(BIN)/python tools/build_page.py || echo "The server starts without it." >&2
	@exec env $(if $(CONFIG),,HEADRACE_DATA_DIR="$${HEADRACE_DATA_DIR-data}") $(BIN)/headrace serve \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)") \
		$(if $(DATA),--data-dir "$(DATA)") $(if $(MODEL),--model "$(MODEL)")

page: $(RUNTIME) ## Build the page of web/ where its sources have changed
	@$(BIN)/python tools/build_page.py

compiled: $(RUNTIME) ## Compile the path of a token where its sources have changed and there is a C compiler
	@$(BIN)/python tools/compile.py

test: $(DEV) page compiled ## Run every test
	@tools/test_packages.sh
	$(BIN)/pytest -n 2 $(UNCHECKED)

check: $(DEV) compiled ## Format, lint, types, layers, mirror, unit and contract tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_mirror.py
	$(BIN)/pytest tests/unit tests/contract -n auto

bench: $(DEV) compiled ## Measure CPU per token against nginx passing the same bytes through
	$(BIN)/headrace bench

docs: $(DEV) ## Write the generated pages of docs/ anew
	$(BIN)/python tools/generate_docs.py

tiny-model: $(DEV) ## Make the built-in model anew, from nothing but tools/tiny_model; takes about an hour
	@tools/tiny_model/make.sh src/headrace/providers/builtin_model/headrace-tiny.gguf "$(PYTHON)"

lock: ## Resolve pyproject.toml into requirements/*.txt with hashes; needs uv
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: install it, or name it with UV=path" >&2; exit 1; }
	$(LOCK) --group build --group compile -o requirements/runtime.txt
	$(LOCK) --group build --group compile --group dev -c requirements/runtime.txt -o requirements/dev.txt

clean: ## Remove .venv and every cache; data stays
	rm -rf $(VENV) web/node_modules src/headrace/doors/page/dist src/headrace/_compiled .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* build dist
	find src tests tools -name __pycache__ -prune -exec rm -rf {} +

# The stamps are written last, so that an install that was cut is done again.

$(RUNTIME): requirements/runtime.txt pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh "$(PYTHON)" $(VENV)
	@echo "Installing what Headrace runs on"
	@$(PIP) --require-hashes -r requirements/runtime.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements/dev.txt
	@echo "Installing what its tests and checks need"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
