# The front door. It calls CMake; it builds nothing itself. `make` lists the targets.
CONFIG ?= ppo/half_cheetah_fast
ARGS   ?=
JOBS   ?= $(shell nproc)
PRESET ?= release

.DEFAULT_GOAL := help
.PHONY: help setup build torch train test bench results lint format sanitize fuzz clean

help: ## this list
	@echo 'rein: reinforcement learning in C17'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  make train CONFIG=dqn/cartpole ARGS='run.seed=1 algo.lr=1e-3'"
	@echo '  build/rein --help      the program itself: train, resume, eval, check, bench, ...'

setup: ## install the packages of apt-packages.txt that are missing
	@scripts/setup.sh

build: setup ## compile build/rein
	@cmake --preset $(PRESET) --log-level=WARNING >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target rein

torch: ## the same with libtorch, for the networks that need it (210 MB more to download)
	@scripts/setup.sh torch
	@cmake --preset $(PRESET) --log-level=WARNING -DREIN_TORCH=ON >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target rein

train: build ## train CONFIG (default: HalfCheetah runs in a minute), ARGS override its keys
	@build/rein train $(CONFIG) $(ARGS)

test: ## build everything and run every test, sanitizers included
	@scripts/test.sh

bench: build ## measure rates beside the machine's own limits (ARGS: names, --threads, --json)
	@build/rein bench $(ARGS)

results: build ## train every shipped config with seeds 0 to 4 and remake docs/results.md (long)
	@scripts/results.sh

lint: ## formatting and layer rules
	@scripts/lint.sh

format: ## apply .clang-format to our C
	@git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | xargs clang-format -i

fuzz: ## run every fuzz target for SECONDS (default 60) each
	@scripts/fuzz.sh $${SECONDS_EACH:-60}

clean: ## remove build/
	@rm -rf build
