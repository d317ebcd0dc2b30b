# Two commands are all a fresh machine needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-gpu test-long lint clean

demo: $(INSTALLED)
	$(BIN)/python tools/study/demo.py

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 tests

test-gpu: $(INSTALLED)
	TEST_ON_GPU=1 $(BIN)/python -m pytest tests/test_gpu.py

test-long: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 -m 'long or not long' tests

lint: $(INSTALLED)
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

$(INSTALLED): requirements.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) work_dirs demo.png
