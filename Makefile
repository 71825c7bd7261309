# make run: install into .venv and start the demo.   make test: install and run every test.
# make check: format, lint, types, import contracts, then the tests: what CI runs.
VENV   ?= .venv
PORT   ?= 8000
DATA   ?= var/demo
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
WORKERS ?= 3
comma := ,

.PHONY: run test check lint bench screenshots clean

run: $(VENV)/.installed-run
	@$(BIN)/gatekeeper demo --data $(DATA) --port $(PORT) $(ARGS)

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test

# Side by side with what one would take instead: bench/README.md. ONLY=streams,resolve  FULL=1
bench: $(VENV)/.installed-dev
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full) $(ARGS)

# The README's pictures, from a demo that runs on PORT.
screenshots: $(VENV)/.installed-dev
	@$(BIN)/python docs/make_screenshots.py http://127.0.0.1:$(PORT)

clean:
	@rm -rf $(VENV)

define venv
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(if $(UV),@test -x $(BIN)/python || uv venv --quiet --seed --python $(PYTHON) $(VENV),@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "On Debian or Ubuntu: apt-get install python3-venv"; exit 1; })
endef
define install
	$(if $(UV),@uv pip install --quiet $(2) --python $(BIN)/python -e '.[$(1)]',@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(1)]')
endef

$(VENV)/.installed-run: pyproject.toml
	$(venv)
	$(call install,postgres$(comma)s3)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	$(venv)
	$(call install,dev,--compile-bytecode)
	@touch $@ $(VENV)/.installed-run
