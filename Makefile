# SPDX-License-Identifier: Apache-2.0
# `make maintenance` sets up and runs the main job, `make test` sets up and runs every test.
# Each is complete in itself on a machine with git, make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# An interpreter that was upgraded or removed leaves an environment that only looks ready.
ifneq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),1)
$(shell rm -f $(VENV)/.ready-*)
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help maintenance test openstack clean

help:
	@echo 'make maintenance   set up, then take an embedded cloud through planned maintenance (ARGS="reboot --seed 7")'
	@echo 'make test          set up, then run every test through tox (ARGS="-e lint" for a part)'
	@echo 'make openstack     set up, then run tests and scenarios on a real OpenStack on this machine (root, Debian)'
	@echo 'make clean         remove what the two have made'

maintenance: $(VENV)/.ready-project
	$(BIN)/doctor-maintenance run $(ARGS)

test: $(VENV)/.ready-tox
	$(BIN)/tox run $(ARGS)

openstack: $(VENV)/.ready-test
	$(BIN)/python -m lab.check --required $(ARGS)

# A .ready file is written last, so an interrupted installation is begun anew and never taken for done.
$(VENV)/.ready-project: pyproject.toml tools/install
	tools/install $(VENV) project --editable .

$(VENV)/.ready-test: pyproject.toml tools/install
	tools/install $(VENV) test --editable '.[test]'

$(VENV)/.ready-tox: tools/install
	tools/install $(VENV) tox 'tox>=4.11,<5'

clean:
	rm -rf $(VENV) $(VENV).lock .tox build docs/_build .maintenance *.egg-info .mypy_cache .ruff_cache .pytest_cache
