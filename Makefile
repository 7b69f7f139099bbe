# Everything here works in a clean clone on a fresh Debian 12 with git, make, python3 and python3-venv.
# What was made once is not made again: a stamp in .cache/stamps says of which state it was made.

PYTHON ?= python3
ARGS ?=
MAKEFLAGS += --no-builtin-rules
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache/stamps
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install up test lint bench docs soak vm clean

help: ## list the targets
	@echo "make TARGET [ARGS=...]"
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMPS)/bytecode ## make the virtual environment .venv with skep in it

up: $(STAMPS)/bytecode ## start the node agent and show this node live (ARGS="--for 10s"); needs root
	@trap : INT; $(BIN)/skep up $(ARGS) || { code=$$?; test $$code = 130 || exit $$code; } # Ctrl-C is no failure

test: $(STAMPS)/dev ## lint, types, layers, unit tests, kernel tests here and on other kernels in a virtual machine
	@$(BIN)/python -m tools.check $(ARGS)

lint: $(STAMPS)/dev ## lint, types and layers only
	@$(BIN)/python -m tools.check --only lint $(ARGS)

bench: $(STAMPS)/dev $(STAMPS)/bytecode ## measure (ARGS="drain start --quick"; ARGS=--list names all)
	@$(BIN)/python -m bench $(ARGS)

docs: $(STAMPS)/dev ## check the documentation: links, lists, examples
	@$(BIN)/python -m pytest --quiet tests/unit/test_repository.py tests/golden $(ARGS)

soak: $(STAMPS)/dev ## the long runs
	@$(BIN)/python -m pytest --soak -m soak $(ARGS)

vm: $(STAMPS)/dev ## run a command on another kernel (ARGS="6.1 -- uname -a")
	@$(BIN)/python -m tools.vm $(ARGS)

clean: ## remove all that was made, except downloaded packages (.cache/debian)
	@rm -rf $(VENV) dist .hypothesis
	@find .cache -mindepth 1 -maxdepth 1 -not -name debian -exec rm -rf {} + 2>/dev/null || true
	@find src tests bench tools -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@echo "make: the virtual environment .venv"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: it needs python3-venv (Debian: apt-get install python3-venv)"; exit 1; }

$(STAMPS)/install: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "make: skep and what it needs (about 100 MB the first time)"
	@$(PIP) --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/bytecode: $(STAMPS)/install $(shell find src -name '*.py')
	@$(BIN)/python -m compileall -q src
	@touch $@

$(STAMPS)/dev: $(STAMPS)/install
	@echo "make: what the tests need"
	@$(PIP) --editable '.[dev]'
	@touch $@
