# Two commands are all a fresh machine needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FAST := tests/core tests/config tests/models/test_positions.py \
	tests/models/test_input_sizes.py tests/models/test_windows.py \
	tests/profiling/test_runs.py tests/cli/test_commands.py tests/test_fuzz.py \
	tests/test_packages.py tests/test_readme.py tests/docs/test_links.py \
	tests/docs/test_keys.py tests/docs/test_messages.py

.PHONY: help demo test test-fast test-gpu test-long lint docs survey clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

demo: $(INSTALLED) ## train a small SlowFast twice, as usual and with multigrid; ARGS='--seed 1' for another seed
	$(BIN)/python -W ignore tools/study/demo.py $(ARGS)

test: $(INSTALLED) ## run the tests; ARGS='tests/config -x' for some of them
	$(BIN)/python -m pytest -n 2 --dist worksteal $(or $(ARGS),tests)

test-fast: $(INSTALLED) ## run those that train nothing: less than a minute
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not long' --ignore tests/core/test_alone.py $(FAST)

test-gpu: $(INSTALLED) ## run those that need a GPU
	TEST_ON_GPU=1 $(BIN)/python -m pytest tests/test_gpu.py

test-long: $(INSTALLED) ## run the long ones too
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'long or not long' tests

lint: $(INSTALLED) ## run the linters
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

docs: $(VENV)/.docs ## build the site of docs/ into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

survey: $(INSTALLED) ## try all configs of MMAction2, for the table of docs/survey.md
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore tools/maintain/survey_configs.py $(ARGS)

$(VENV)/.docs: $(INSTALLED) docs/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -r docs/requirements.txt
	touch $@

$(INSTALLED): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean: ## remove what the others made
	rm -rf $(VENV) build work_dirs demo.png
