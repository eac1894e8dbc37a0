# Two commands: `make demo` to see it, `make test` to prove it. Both install into .venv and nowhere else.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
DEMO   ?= demo
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 2 )))   # tests wait for terminals more than they compute

.PHONY: demo test lint types contracts check validation bench wheelhouse clean FORCE

# What was interrupted is begun anew. .installing stands while something is put in; .made names the directory and the Python the
# environment is for, so that a checkout that was moved, or another Python, makes its own.
$(VENV)/.made: FORCE
	@for="$$PWD $$($(PYTHON) -c 'import sys; print(*sys.version_info[:2])')"; \
	if [ ! -e $(VENV)/.installing ] && $(BIN)/python -c 'import pip' 2>/dev/null && \
	   { [ "$$(cat $@ 2>/dev/null)" = "$$for" ] || { [ ! -e $@ ] && [ -e $(VENV)/.installed ]; }; }; then \
		[ -e $@ ] || printf '%s' "$$for" > $@; exit 0; \
	fi; \
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "alsbench needs Python 3.11 or newer; try make PYTHON=python3.11")' || exit 1; \
	$(PYTHON) -m venv --clear $(VENV) || { echo "The venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }; \
	$(BIN)/python -m pip --quiet install --upgrade "pip>=25.1" || { echo "$(OFFLINE)"; exit 1; }; \
	printf '%s' "$$for" > $@

OFFLINE = Nothing could be fetched: without a network see "Install it for real" in README.md; run make again once there is one.
install = @echo "Installing $(1) ..."; touch $(VENV)/.installing; \
	$(BIN)/python -m pip --quiet install $(2) || { rm -f $(VENV)/.installing; echo "$(OFFLINE)"; exit 1; }; \
	touch $@ $(3); rm -f $(VENV)/.installing

$(VENV)/.installed: pyproject.toml $(VENV)/.made
	$(call install,alsbench and the 35 packages it needs into $(VENV) (about 1 minute$(COMMA) 700 MB),--editable .,)

$(VENV)/.installed-test: pyproject.toml $(VENV)/.made
	$(call install,alsbench and what its tests need into $(VENV) (about 2 minutes$(COMMA) 900 MB),--editable . --group test,$(VENV)/.installed)

$(VENV)/.installed-lint: pyproject.toml $(VENV)/.installed-test
	$(call install,ruff$(COMMA) mypy and import-linter into $(VENV) (seconds$(COMMA) 60 MB),--group lint,)

COMMA = ,

demo: $(VENV)/.installed   ## install, load the sample trial, open the workbench
	@$(BIN)/alsbench demo --workspace $(DEMO)

# Tests run where there is no network: in a network namespace of their own, as root or as a user, if the kernel lets them.
# Where it does not, the guard in tests/conftest.py stands alone.
test: $(VENV)/.installed-test   ## install what the tests need, and pass them without a network
	@for apart in "unshare -n" "unshare -c -n --keep-caps" ""; do $$apart true 2>/dev/null && break; done; \
	echo "tests run $${apart:-with the socket guard only}"; exec $$apart $(BIN)/python tests/apart.py -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.installed-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed-lint
	@$(BIN)/mypy

contracts: $(VENV)/.installed-lint
	@$(BIN)/lint-imports

check: test lint types contracts

# docs/validation.md: every reference number; both programs on every trial; what docs/*.jsonl hold of faults put in, of trials of
# known truth, and of causes why numbers differ.
validation: $(VENV)/.installed-test   ## make docs/validation.md anew
	@$(BIN)/alsbench qualify --format md --quiet > docs/validation.new
	@echo >> docs/validation.new
	@$(BIN)/python benchmarks/verify_trials.py >> docs/validation.new
	@echo >> docs/validation.new
	@$(BIN)/python benchmarks/verify_faults.py --tell --into docs/verify_faults.jsonl >> docs/validation.new
	@echo >> docs/validation.new
	@$(BIN)/alsbench calibrate --trials 0 --into docs/calibration.jsonl --format md --quiet >> docs/validation.new
	@echo >> docs/validation.new
	@$(BIN)/python benchmarks/reconcile_faults.py --show docs/reconcile.jsonl >> docs/validation.new
	@mv docs/validation.new docs/validation.md

bench: $(VENV)/.installed-test
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

wheelhouse: $(VENV)/.made   ## every wheel an offline server needs, for this operating system and Python
	@$(BIN)/python -m pip --quiet wheel --wheel-dir wheelhouse .
	@ls wheelhouse | wc -l | xargs printf '%s wheels in wheelhouse/\n'
