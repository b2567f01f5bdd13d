# Two commands: `make demo` and `make test`, each on a fresh machine with Python 3.11+ and make.
# `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt --editable

.PHONY: help demo desk test check format docs bench simulate desk-simulate kill desk-kill cuts \
	mutants fuzz pythons pins strangers clean environment distribution-packages card-reader-client \
	browser pictures browser-packages axe-core

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

environment: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "This Python has no venv. Install it first: apt-get install python3-venv"; exit 1; }
	@echo "Building the environment in $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) '.[dev]'
	@touch $@

## make demo      a household day on a virtual serial port: warning, trip, button, top-up, books
demo: environment
	@$(BIN)/meterctl demo

## make desk      a utility on the screen: 200 meters, 60 sales, what goes wrong, the day's sheet
desk: environment
	@$(BIN)/python -m meterctl.utility.story

## make test      all checks and tests; installs what they need
test: environment distribution-packages card-reader-client axe-core
	@tools/run_tests.sh $(BIN)

## make check     format, lint, types, layers, generated docs
check: environment
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/generate_docs.py --check
	@$(BIN)/python tools/check_words.py

## make format    let ruff format and mend what it can
format: environment
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

## make docs      generate the pages of docs/ that are drawn from the code
docs: environment
	@$(BIN)/python tools/generate_docs.py

## make bench     our figures beside the peers', in one run
bench: environment
	@$(BIN)/python -m benchmarks

## make simulate  SEEDS=n worlds in virtual time under faults and crashes, audited; FROM=k repeats
SEEDS ?= 1000
simulate: environment
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(FROM),--from $(FROM))

## make desk-simulate  SEEDS=n days of the desk beside plain dictionaries; FROM=k repeats
desk-simulate: environment
	@$(BIN)/python -m tests.desk.simulation --seeds $(SEEDS) $(if $(FROM),--from $(FROM))

## make kill      kill meter-sim or meterctl within a top-up, ROUNDS=200 times, audited each time
ROUNDS ?= 200
kill: environment
	@$(BIN)/python -m tests.kill --rounds $(ROUNDS)

## make desk-kill  ROUNDS=200 sales whose command is killed at each point, audited each time
desk-kill: environment
	@$(BIN)/python -m tests.desk.kill --rounds $(ROUNDS)

## make cuts      a card's sale and insertion cut at every byte and command; STEP=n thins it out
STEP ?= 1
cuts: environment
	@$(BIN)/python -m tests.attacks --step $(STEP)

## make mutants   faults put into the product on purpose; fails if a test misses one.
##                RANDOM=200 SEED=1: small ones drawn from a seed; fails if under 95 % are found
SEED ?= 1
mutants: environment
ifdef RANDOM
	@$(BIN)/python -c 'import coverage' 2>/dev/null || $(INSTALL) '.[mutants]'
endif
	@$(BIN)/python -m tests.mutants $(if $(RANDOM),--random $(RANDOM) --seed $(SEED))

## make fuzz      any bytes into everything that takes bytes, guided by coverage; SECONDS=60
SECONDS ?= 60
fuzz: environment
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(INSTALL) '.[fuzz]' 2>/dev/null || true
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

## make pythons   the tests on every supported Python that this machine has (PATH, pyenv, uv)
pythons: environment
	@$(BIN)/python -m tools.pythons

## make pins      the tests of the dependencies with the oldest and the newest of each
pins: environment
	@$(BIN)/python -m tools.pins

## make strangers  clients of other projects, each installed in .cache, read our meters
THIRD_PARTY := mbpoll tshark libmodbus-dev:/usr/include/modbus/modbus.h dpkg-dev:dpkg-source \
	gcc pkg-config
strangers: environment
	@tools/install_packages.sh $(THIRD_PARTY)
	@$(BIN)/python -m tools.third_party

## make browser   every test of the desk's pages in a real browser, and of its API by its schema
browser: environment browser-packages axe-core
	@WHOLE_WEB=1 $(BIN)/python -m pytest -rs --durations=10 tests/browser tests/web

## make pictures  the pictures of docs/pictures, from the running desk in a real browser
pictures: environment browser-packages
	@$(BIN)/python -m tools.make_pictures

# A browser and its driver for the tests of the desk's pages, and a font with Chinese characters.
BROWSER := chromium chromium-driver:/usr/bin/chromedriver \
	fonts-wqy-microhei:/usr/share/fonts/truetype/wqy/wqy-microhei.ttc

# A virtual card reader: daemon and library, the reader, two clients that are not ours, and the
# packages that build pyscard.
PCSC := pcscd:/usr/sbin/pcscd libpcsclite1:/usr/lib/*/libpcsclite.so.1 \
	vsmartcard-vpcd:/usr/lib/pcsc/drivers/serial/libifdvpcd.so opensc:opensc-tool pcsc-tools:scriptor \
	libpcsclite-dev:/usr/include/PCSC/winscard.h swig gcc python3-dev:/usr/include/python3*/Python.h

distribution-packages:
	@set -f; tools/install_packages.sh mbpoll man-db:man $(PCSC) $(BROWSER)

browser-packages:
	@tools/install_packages.sh $(BROWSER)

axe-core: environment
	@$(BIN)/python -m tools.axe_core

card-reader-client: environment distribution-packages
	@$(BIN)/python -W ignore -c 'import smartcard.System' 2>/dev/null || \
		$(INSTALL) '.[card]' >/dev/null 2>&1 || \
		echo "not installed: pyscard - the tests through a PC/SC reader will be skipped"

## make clean     remove the environment and caches
clean:
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
