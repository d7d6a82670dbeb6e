# A new user needs two commands: `make deploy` and `make test`.
# Each installs what it needs (see tools/bootstrap); a second run is quick.

VENV ?= .venv
INSTANCE ?= c5.large
PYTEST := $(VENV)/bin/python -m pytest

# Tests and nitro are compiled once, not in each process: that takes seconds, more with coverage.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: deploy test check docs pictures lock test-fast test-slow soak debug-kernel mutants clean

deploy: $(VENV)/.deploy
	$(VENV)/bin/nitro deploy --instance $(INSTANCE)

test: check test-fast test-slow

# Style, types and the documentation's links.
check: $(VENV)/.test docs
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The documentation as a site in build/site. A broken link or anchor fails.
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# Draw the pictures of docs/ anew: of what commands print now, and of the sample report.
pictures: $(VENV)/.test
	$(VENV)/bin/python -m tools.pictures

# The fast tests write 1 GB in small files: in memory, where that has room and may run programs.
MEMORY := $(shell grep -q ' /dev/shm .*noexec' /proc/mounts || df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000 {print "/dev/shm"}')

# A minute on two cores: no virtual machine, no download.
test-fast: $(VENV)/.test
	folder=$$(mktemp -d $(or $(MEMORY),/tmp)/nitro-tests.XXXXXX) && trap 'rm -rf "$$folder"' EXIT && \
	  $(PYTEST) -n 2 -q --cov --cov-report= --basetemp="$$folder/tests"
	$(VENV)/bin/python tools/coverage_total.py

# Minutes: boots virtual machines, compiles, fuzzes. Three boots at a time: a guest waits for its card,
# its peer or a clock for half of its time.
test-slow: $(VENV)/.test
	$(PYTEST) -n 2 --dist loadfile -m "(slow or extended or driver) and not boot" --durations=5
	$(PYTEST) -n 3 --dist loadfile -m boot --durations=15

# An hour, for a night: traffic, resets and fuzzing in their long forms (docs/reliability.md).
soak: $(VENV)/.test
	NITRO_SOAK=1 $(PYTEST) -m soak -s

# For a night: build a kernel that checks memory, locks and DMA (once), and run the ENA drivers in it
# (docs/reliability.md).
debug-kernel: $(VENV)/.test
	$(VENV)/bin/python -m lab.debug_kernel
	$(VENV)/bin/python -m lab.debug_kernel --flavour kcsan
	$(PYTEST) -m debug_kernel -s

# Change the code in 200 places that the fast tests run, one at a time and in memory only, and list
# the changes that no test notices.
SEED ?= 1
mutants: $(VENV)/.test
	$(VENV)/bin/python -m tools.mutants $(SEED)

# Pin anew what pyproject.toml asks for: the newest versions that fit, with their hashes.
# Needs an environment that `make test` made.
CLIENTS := awscli apache-libcloud awspub ansible
lock:
	for extras in local "local bench sign dev"; do \
	  $(VENV)/bin/uv pip compile pyproject.toml requirements/build.in $$(printf -- ' --extra %s' $$extras) \
	    --universal --upgrade --generate-hashes --no-annotate --quiet \
	    --custom-compile-command "make lock" --output-file requirements/$${extras##* }.txt; \
	done
	for client in $(CLIENTS); do \
	  (echo $$client; [ $$client != ansible ] || echo boto3) | $(VENV)/bin/uv pip compile - --universal --upgrade --generate-hashes \
	    --no-annotate --quiet --custom-compile-command "make lock" \
	    --output-file requirements/clients/$$client.txt; \
	done
	cd requirements/clients/javascript && npm update --save --package-lock-only \
	  --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

$(VENV)/.deploy: pyproject.toml tools/bootstrap requirements/local.txt
	tools/bootstrap $(VENV) requirements/local.txt
	touch $@

$(VENV)/.test: pyproject.toml tools/bootstrap requirements/dev.txt
	tools/bootstrap $(VENV) requirements/dev.txt
	touch $@ $(VENV)/.deploy

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
