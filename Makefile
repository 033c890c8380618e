# Everything a contributor or CI does has its command here. `make demo` and `make test` need Python 3.11, git and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Many tests wait for processes, so more of them than cores go on at once.
WORKERS ?= 4

.PHONY: demo test lint format interop conformance faults bench soak fuzz crash audit sbom bundle docs lock clean build

demo: $(READY)
	$(BIN)/ivcap-mcp demo --out build/demo

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/interop --ignore tests/conformance --ignore tests/benchmarks \
		--ignore tests/docs/test_recordings.py --ignore tests/faults

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

interop: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/interop

conformance: $(READY)
	$(BIN)/python -m tests.conformance.run

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

# Every operation of the SDK under every fault of line and platform: too long for `make test`.
faults: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/faults

soak: $(READY)
	$(if $(filter --quick,$(SOAK)),,IVCAP_TEST_FULL=1 $(BIN)/python -m pytest tests/mcp/test_behaviour.py)
	$(BIN)/python -m tests.soak $(SOAK)

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(FUZZ)

crash: $(READY)
	$(BIN)/python -m tests.crash $(CRASH)

# The recorded sessions are held against what the commands say today; that runs long ones, so it is no part of `make test`.
docs: $(READY) build/docs-venv/.ready
	$(BIN)/python -m pytest tests/docs/test_recordings.py
	build/docs-venv/bin/mkdocs build --strict --site-dir build/site

build: $(READY)
	$(BIN)/uv build --out-dir build/dist

bundle: $(READY)
	PYTHONPATH=.ci $(BIN)/python -m release.bundle

sbom: $(READY)
	PYTHONPATH=.ci $(BIN)/python -m release.sbom

audit: $(READY)
	PYTHONPATH=.ci $(BIN)/python -m release.audit $(AUDIT)

# Floors are in pyproject.toml; what is tested is in the lock files.
lock: $(READY)
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock $(UPGRADE)
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --group docs pyproject.toml -o docs/requirements.lock $(UPGRADE)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once; about half a minute)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

build/docs-venv/.ready: docs/requirements.lock
	@test -x build/docs-venv/bin/python || $(PYTHON) -m venv build/docs-venv
	@build/docs-venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r docs/requirements.lock
	@build/docs-venv/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

clean:
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
