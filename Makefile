# The everyday commands. `make` alone lists them, and each prints the commands that it runs.
#
# They use the active virtual environment, or .venv, which `make install` makes. Variables change what is run:
#   make test TESTS="-k encoder"    make fuzz SECONDS=600 FILES=100000    make bench BENCH=train

VENV := $(or $(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
TESTS :=
SECONDS := 60
FILES := 10000
BENCH := predict

# The extension is compiled from these files. The file $(VENV)/compiled says when that was done last.
SOURCES := $(shell find csrc fastfm_c -name "*.[ch]" -o -name "*.p[yx][xid]") setup.py

.PHONY: help install test test-all lint c-tests fuzz bench site check

help: # List the targets.
	@awk -F ":.*# " '/^[a-z-]+:.*# / {printf "make %-10s %s\n", $$1, $$2}' Makefile

install: # Make the virtual environment, and install the package in place with all tools.
	test -d $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install -q -e ".[test,dev]" && touch $(VENV)/compiled

# Only a change of pyproject.toml needs the whole installation, because it may name new packages.
$(VENV)/compiled: pyproject.toml $(SOURCES)
	$(if $(filter pyproject.toml,$?),$(MAKE) install,$(BIN)/python setup.py -q build_ext --inplace && touch $@)

test: $(VENV)/compiled # Compile what has changed, and run the fast tests.
	$(BIN)/pytest -q $(TESTS)

test-all: $(VENV)/compiled # Compile what has changed, and run all tests.
	$(BIN)/pytest -q -m "" $(TESTS)

lint: $(VENV)/compiled # Check style, format, types and workflows. It changes nothing.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	find csrc tests bench tools -name "*.[ch]" | xargs $(BIN)/clang-format --dry-run -Werror
	$(BIN)/mypy
	$(BIN)/stubtest fastfm_c._core.core --mypy-config-file pyproject.toml --ignore-missing-stub --ignore-disjoint-bases
	$(BIN)/zizmor --offline --no-progress .github

c-tests: # Run the C tests, with warnings as errors and under sanitizers.
	tests/c/run.sh

fuzz: $(VENV)/compiled # Load damaged model files, then fuzz the C library, which needs clang.
	$(BIN)/python tools/fuzz_models.py --count $(FILES)
	tools/fuzz_core.sh $(SECONDS)

bench: $(VENV)/compiled # Measure predictions, beside the other libraries that are installed.
	$(BIN)/python -m bench $(BENCH)

site: $(VENV)/compiled # Build the site into build/site, with its gallery; a warning is an error.
	$(BIN)/python -m pip install -q -e ".[docs]"
	rm -rf docs/generated docs/auto_gallery build/site
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/site

check: # Run everything that must pass, in a clean copy.
	.ci/run
