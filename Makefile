# Two commands: `make demo` to see it, `make test` to prove it. Both install into .venv and nowhere else.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
DEMO   ?= demo
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 2 )))   # tests wait for terminals more than they compute

.PHONY: demo test lint types contracts check bench wheelhouse clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "alsbench needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip --quiet install --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip --quiet install --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip --quiet install --editable . --group test
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: pyproject.toml $(VENV)/.installed-test
	@$(BIN)/python -m pip --quiet install --group lint
	@touch $@

demo: $(VENV)/.installed   ## install, load the sample trial, open the workbench
	@$(BIN)/alsbench demo --workspace $(DEMO)

# Tests run where there is no network: in a network namespace of their own, as root or as a user, if the kernel lets them.
# Where it does not, the guard in tests/conftest.py stands alone.
test: $(VENV)/.installed-test   ## install what the tests need, and pass them without a network
	@for apart in "unshare -n" "unshare -c -n" ""; do $$apart true 2>/dev/null && break; done; \
	echo "tests run $${apart:-with the socket guard only}"; exec $$apart $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.installed-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed-lint
	@$(BIN)/mypy

contracts: $(VENV)/.installed-lint
	@$(BIN)/lint-imports

check: test lint types contracts

bench: $(VENV)/.installed-test
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

wheelhouse: $(BIN)/python   ## every wheel an offline server needs, for this operating system and Python
	@$(BIN)/python -m pip --quiet wheel --wheel-dir wheelhouse .
	@ls wheelhouse | wc -l | xargs printf '%s wheels in wheelhouse/\n'
