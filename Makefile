# `make help` lists the targets; each sets up what it needs, once.
SUITE ?= bench
TORCH ?= cpu
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready-$(TORCH)

.PHONY: help setup bench test lint report publish clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## create .venv with everything pinned (TORCH=cuda for the CUDA build)

# The CPU build of torch: from a wheel folder that pip is set up with, else through uv,
# which knows where PyTorch keeps it.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
ifeq ($(TORCH),cpu)
	$(BIN)/python -m pip install -q --no-index --no-deps torch==2.13.0 2>/dev/null \
	  || { $(BIN)/python -m pip install -q uv && $(BIN)/uv pip install -q --python $(BIN)/python --torch-backend=cpu torch==2.13.0; }
else
	$(BIN)/python -m pip install -q torch==2.13.0
endif
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@rm -f .venv/.ready-*
	@$(BIN)/bitprobe doctor --quiet || true  # tries every compressor, which compiles numba code
	@touch $@

bench: setup  ## run a suite and print its leaderboard (SUITE=bench; published: others' figures)
ifeq ($(SUITE),published)
	$(BIN)/bitprobe published --output results/published
else
	$(BIN)/bitprobe run $(SUITE)
endif

test: setup  ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

report: setup  ## print the last run of a suite again
	$(BIN)/bitprobe report results/runs/$(SUITE)

publish: setup  ## write a finished run to results/SUITE: tables, page, records, figures
	$(BIN)/bitprobe publish results/runs/$(SUITE) --output results/$(SUITE)

clean:  ## remove the environment and caches, keep results
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
