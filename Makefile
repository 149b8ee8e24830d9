# Everything a clone needs is a `make` word. Only Python 3.11 or newer (with venv) and make must be there; the rest is
# installed below .venv from hash-checked pins, again only when the pins or pyproject.toml changed.
#
#   make serve ARGS="--db /tmp/try.db"     pass options with ARGS
#   make test ARGS="-k retry -n0"
#   make check PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check --quiet
RUNTIME = $(VENV)/.runtime-installed
DEV = $(VENV)/.dev-installed

.PHONY: screenshots help demo run serve check lint types test format crash simulate bench pins pins-check wheel clean

help:
	@echo "make demo       the terminal program, to try   make check     format, lint, types, tests, as CI does"
	@echo "make run        the terminal program           make crash     kill -9 it, again and again, and audit"
	@echo "make serve      the JSON API, no terminal UI   make test      the tests alone"
	@echo "make bench      measure, beside its peers      make simulate  random histories against the promise"
	@echo "make wheel      build dist/*.whl               make screenshots  the pictures, from their scenes"
	@echo "make format     rewrite to the house format    make pins      pin what pyproject.toml asks for"
	@echo "make clean      remove all of the above        (each takes ARGS=\"...\")"

# Running needs no test tools: the checkout itself is on the path, so only the runtime pins are installed.
demo: $(RUNTIME)
	@$(PY) -m tui_scheduler --demo $(ARGS)

run: $(RUNTIME)
	@$(PY) -m tui_scheduler $(ARGS)

serve: $(RUNTIME)
	@$(PY) -m tui_scheduler --serve $(ARGS)

check: lint types test

lint: $(DEV)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: $(DEV)
	$(PY) -m mypy

test: $(DEV)
	$(PY) -m pytest $(ARGS)

format: $(DEV)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

crash: $(DEV)
	$(PY) -m tests.crash $(ARGS)

simulate: $(DEV)
	$(PY) -m tests.simulation $(ARGS)

bench: $(DEV)
	$(PY) -m benchmarks $(ARGS)

# Plays every scene anew, keeps what it looks like as the snapshot, and makes the pictures from those.
screenshots: $(DEV)
	$(PY) -m pytest tests/tui/test_snapshots.py -k test_scene --snapshot-update --quiet $(ARGS)
	$(PY) -m tests.tui.pictures

# One file for every platform and Python claimed (--universal), without the address of any registry. The second file
# is held to the first, so that what is tested is what runs. Versions move only when they must; ARGS=--upgrade moves all,
# ARGS="--upgrade-package trio" one.
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make pins" $(PY) -m uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --quiet $(ARGS) pyproject.toml
pins: $(DEV)
	$(COMPILE) -o requirements.txt
	$(COMPILE) -c requirements.txt --group dev --group bench -o requirements-dev.txt
	@$(MAKE) pins-check

# Asks the registry whether each pin has a wheel (no compiler needed) on each platform and Python claimed.
pins-check: $(DEV)
	@for python in 3.11 3.12 3.13; do \
	  for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-apple-darwin aarch64-apple-darwin; do \
	    for pins in requirements.txt requirements-dev.txt; do \
	      echo "$$pins: wheels for Python $$python on $$platform"; \
	      $(PY) -m uv pip install --no-config --quiet --dry-run --require-hashes --only-binary :all: \
	        --python-version $$python --python-platform $$platform --target $(VENV)/.nowhere -r $$pins || exit 1; \
	    done; \
	  done; \
	done

wheel: $(DEV)
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls -l dist/*.whl

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .ruff_cache .pytest_cache build dist
	find tui_scheduler tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# An existing environment is kept if its Python will do, and made anew if not (made by hand with an old one, or left
# behind by a Python since removed). pip installs only what differs from the pins, so coming back here is quick.
define make_venv
@command -v $(PYTHON) >/dev/null || { \
  echo "tui-scheduler needs Python 3.11 or newer, and there is no $(PYTHON) here; name one with PYTHON=..." >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  found=$$($(PYTHON) -V 2>/dev/null || echo "not one"); \
  echo "tui-scheduler needs Python 3.11 or newer, and $(PYTHON) is $$found; name another with PYTHON=..." >&2; \
  exit 1; }
@$(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
  echo "$(PYTHON) could not make a virtual environment; on Debian and Ubuntu, install the package python3-venv" >&2; \
  exit 1; }
endef

$(RUNTIME): requirements.txt
	$(make_venv)
	@echo "installing what it runs on into $(VENV), once"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(DEV): requirements-dev.txt pyproject.toml
	$(make_venv)
	@echo "installing what checking it needs into $(VENV), once"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
