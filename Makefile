# The front door. Each target works as the first command on a fresh machine: what is missing is set up, once.
# What a target makes is in .local (make clean removes it); toolbox and control plane are kept in the cache folder.

RUN := tools/toolbox.sh run
BUILD := .local/build
CLUSTER := .local/cluster

# How long make fuzz runs each target, and FUZZ_TARGETS="json san" only some of them.
export FUZZ_SECONDS ?= 60
export FUZZ_TARGETS ?=

# Where nothing has been started there is nothing to stop, and no reason to lay the toolbox for it.
started = [ ! -e $(1)/cluster.json ] ||

.PHONY: help build controlplane peers helm peer-go dist demo image release test test-all test-interop bench asan tsan fuzz soak torture simulate mutants lint format up env down clean $(foreach kind,release asan tsan fuzz,configure-$(kind) build-$(kind))

.NOTPARALLEL: # two targets may build in the same folder; each uses all cores by itself

help: ## what there is to make (the default)
	@awk -F ':.*## ' 'NF == 2 && /^[a-z]/ { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: configure-release ## the program, as .local/build/release/qubesec
	@$(RUN) cmake --build $(BUILD)/release --target qubesec

configure-release: options := -DCMAKE_BUILD_TYPE=RelWithDebInfo
configure-asan: options := -DCMAKE_BUILD_TYPE=Debug -DQUBESEC_FAILPOINTS=ON -DQUBESEC_SANITIZE=address,undefined
configure-tsan: options := -DCMAKE_BUILD_TYPE=Debug -DQUBESEC_FAILPOINTS=ON -DQUBESEC_SANITIZE=thread
configure-fuzz: options := -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQUBESEC_SANITIZE=address,undefined,fuzzer-no-link
configure-release configure-asan configure-tsan configure-fuzz: configure-%:
	@$(RUN) cmake --log-level=NOTICE -G Ninja -S . -B $(BUILD)/$* $(options) >/dev/null

build-release build-asan build-tsan: build-%: configure-% # with all tests
	@$(RUN) cmake --build $(BUILD)/$*

build-fuzz: configure-fuzz
	@$(RUN) cmake --build $(BUILD)/fuzz --target fuzz_targets

controlplane: # minutes, the first time
	@$(RUN) tools/controlplane.sh build

peers: # a minute, the first time
	@$(RUN) tools/interop.sh build

helm: # two minutes, the first time
	@$(RUN) tools/helm.sh build

peer-go: # two minutes, the first time
	@$(RUN) tools/peer-go.sh build

dist: configure-release controlplane ## config/crd and the tables of documentation, from the tables in src/kinds; and dist/install.yaml
	@$(RUN) cmake --build $(BUILD)/release --target crd_tables
	@$(RUN) tools/dist.py

demo: build controlplane ## two parties agree on a key on a real control plane, which is started and stopped again
	@$(RUN) tools/demo.sh $(BUILD)/release/qubesec

image: build ## the container image, without a container engine, in .local/image
	@$(RUN) tools/image/build.py image $(BUILD)/release/qubesec .local/image

release: build ## the program as a plug-in of kubectl, with a krew manifest, in .local/release (URL=https://... where it will be)
	@[ -n "$(URL)" ] || { echo 'qubesec: say where the archive will be: make release URL=https://...' >&2; exit 1; }
	@$(RUN) tools/release.py $(BUILD)/release/qubesec .local/release "$(URL)"

test test-all: build-release build-asan build-tsan controlplane helm peers image

test: ## unit and end to end, under sanitizers what these can find; peers, faults and simulation in the release build
	@$(RUN) tools/test.py

test-all: ## before a release: each test in each build that can run it, then torture, fuzz, soak and mutants: hours
	@$(RUN) tools/test.py --all
	@$(MAKE) --no-print-directory torture fuzz soak mutants

test-interop: build-release controlplane peers ## what OpenSSL, nginx, curl, Go, Bouncy Castle and cryptography make of it
	@$(RUN) tools/test.py interop

asan: build-asan ## the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(RUN) tools/test.py unit-asan

tsan: build-tsan ## the unit tests under ThreadSanitizer
	@$(RUN) tools/test.py --all unit-tsan

fuzz: build-fuzz ## each fuzz target for a minute (FUZZ_SECONDS=60), as many at once as there are cores
	@$(RUN) tools/fuzz.py

soak: build controlplane ## 200,000 reconciles on a real control plane: memory and descriptors stay flat
	@$(RUN) env SOAK_RECONCILES=$${SOAK_RECONCILES:-200000} QUBESEC_BINARY=$(abspath $(BUILD)/release/qubesec) \
	    python3 -m pytest -p no:cacheprovider -s tests/faults/test_soak.py

torture: options := -DCMAKE_BUILD_TYPE=Debug -DQUBESEC_SANITIZE=address,undefined -DQUBESEC_TORTURE=100000
torture: ## every allocation of every unit test fails once: hours
	@$(RUN) cmake --log-level=NOTICE -G Ninja -S . -B $(BUILD)/torture $(options) >/dev/null
	@$(RUN) cmake --build $(BUILD)/torture
	@$(RUN) ctest --test-dir $(BUILD)/torture -R '^torture/' --parallel $$(nproc) --output-on-failure

simulate: configure-release ## SEEDS=1000 stories of two replicas, a cluster, a bad network and people, in virtual time
	@$(RUN) cmake --build $(BUILD)/release --target simulate
	@$(RUN) tools/simulate.py $(or $(SEEDS),1000)

# A control plane only where a row's test runs on one.
mutants: $(if $(shell grep '^test = "e2e ' tests/mutants.toml),controlplane) ## the code is broken on purpose, row by row of tests/mutants.toml, and a test must notice: long
	@$(RUN) tools/mutants.py

bench: build-release controlplane peer-go ## what the operator costs and how fast it is, beside what the API server can do (BENCH="SECTION...")
	@$(RUN) bench/bench.py $(BENCH)

lint: build ## format, static analysis, layers, banned calls, sizes, scripts
	@$(RUN) tools/lint/run.py

format: ## lay out the C sources as .clang-format says
	@$(RUN) sh -c 'find src tests bench tools -name "*.[ch]" | xargs clang-format -i'

up: build controlplane ## leave a control plane and the operator running
	@$(RUN) tools/cluster.py --dir $(CLUSTER) start
	@$(RUN) tools/cluster.py --dir $(CLUSTER) operator $(BUILD)/release/qubesec
	@echo 'up; for kubectl in this shell: eval "$$(make -s env)"' >&2

env: ## print what a shell needs to talk to it: eval "$(make -s env)"
	@[ -e $(CLUSTER)/cluster.json ] || { echo 'qubesec: nothing is up: run make up first' >&2; exit 1; }
	@$(RUN) tools/cluster.py --dir $(CLUSTER) env

down: ## stop what make up left running
	@$(call started,$(CLUSTER)) $(RUN) tools/cluster.py --dir $(CLUSTER) stop

clean: ## stop what runs and remove .local
	@find .local -name cluster.json -printf '%h\n' 2>/dev/null | \
	    while read -r cluster; do $(RUN) tools/cluster.py --dir "$$cluster" stop || exit 1; done
	@rm -rf .local
