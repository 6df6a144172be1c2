# SPDX-License-Identifier: MIT
#
# The whole build, in one non-recursive file. Sources are found when make starts, so a new file
# needs no edit here; everything generated lands under build/ (build/san/ with SANITIZE=1).
#
#   proto/ -> libproto.a     ipc/ + client/lib/ -> libtapstack.{a,so}    daemon/ -> tapstackd
#   client/preload/ -> libtapstack-preload.so      client/cli/ + client/run/ -> tapstack
#   tests/: a .c file with a main() is a program of its own; the other ones are its room's helpers
#
# Variables: V=1 shows commands, SANITIZE=1 builds with ASan and UBSan, SANITIZE=thread with TSan (build/tsan/),
# T=WORD picks tests by name.

VERSION := 0.1.0
SOMAJOR := 0

PREFIX     ?= /usr/local
LIBDIR     ?= lib
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
DESTDIR    ?=

SHELL         := /bin/bash
.SHELLFLAGS   := -ec
.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# All processors, unless the command line or the environment says otherwise.
ifeq (,$(filter -j% --jobserver%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc)
endif

# ---------------------------------------------------------------------------------- tool flags

ifeq ($(origin CC),default)
CC := gcc
endif
AR         ?= ar
PKG_CONFIG ?= pkg-config
V          ?= 0
T          ?=
POINTS     ?=
PAIRS      ?= 7
SANITIZE   ?= 0
MACHINE    := $(shell uname -m)

ifeq ($(SANITIZE),1)
BUILD      := build/san
CFLAGS     ?= -O1 -g
SANFLAGS   := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# What foreign programs load cannot bring ASan along: there, undefined behaviour just traps.
PLAINFLAGS := -fsanitize=undefined -fsanitize-undefined-trap-on-error
# gcc's flow analysis misfires on instrumented code; the plain build is the judge of these.
SANFLAGS   += -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread
PLAINFLAGS += -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread
else ifeq ($(SANITIZE),thread)
BUILD      := build/tsan
CFLAGS     ?= -O1 -g
SANFLAGS   := -fsanitize=thread -fno-omit-frame-pointer -Wno-tsan -Wno-maybe-uninitialized
PLAINFLAGS := -fno-omit-frame-pointer
else
BUILD      := build
CFLAGS     ?= -O2 -g
SANFLAGS   :=
PLAINFLAGS :=
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
HARDEN   := -fstack-protector-strong -fstack-clash-protection
ifneq (,$(filter x86_64 i%86,$(MACHINE)))
HARDEN += -fcf-protection
endif
ifneq (,$(filter aarch64,$(MACHINE)))
HARDEN += -mbranch-protection=standard
endif
# glibc's checks need an optimizer, and would hide calls from the sanitizers.
ifeq (0,$(SANITIZE))
HARDEN += $(if $(filter -O1 -O2 -O3 -Os -Og,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif

COMPILE := -std=gnu17 $(WARNINGS) $(HARDEN) $(CFLAGS) \
           -D_GNU_SOURCE -DTAPSTACK_VERSION='"$(VERSION)"' -I. $(CPPFLAGS)
LINK    := -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed $(LDFLAGS)

# pkg-config is asked late, in recipes: on a fresh machine `deps` must have run before.
# (Each variable replaces itself by the answer when it is first used.)
late = $(eval $(1) := $$(shell $(PKG_CONFIG) $(2)))$($(1))
DAEMON_PKGS   := libuv libcap libpcap inih libmnl libseccomp libsystemd liburing
CLI_PKGS      := jansson libseccomp libpcap
DAEMON_CFLAGS = $(call late,DAEMON_CFLAGS,--cflags $(DAEMON_PKGS))
DAEMON_LIBS   = $(call late,DAEMON_LIBS,--libs $(DAEMON_PKGS))
CLI_CFLAGS    = $(call late,CLI_CFLAGS,--cflags $(CLI_PKGS))
CLI_LIBS      = $(call late,CLI_LIBS,--libs $(CLI_PKGS))

ifeq ($(V),1)
Q   :=
say := @:
else
Q   := @
say  = @printf '  %-7s %s\n'
endif

# ------------------------------------------------------------------------------------- sources

under = $(if $(wildcard $(1)),$(shell find $(wildcard $(1)) -name '*.c' | LC_ALL=C sort))
main  := ^int main(
mains = $(if $(1),$(shell grep -l '$(main)' $(1)))
obj   = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
prog  = $(patsubst %.c,$(BUILD)/%,$(1))

PROTO_SRC   := $(call under,proto)
IPC_SRC     := $(call under,ipc)
LIB_SRC     := $(call under,client/lib)
PRELOAD_SRC := $(call under,client/preload)
CLI_SRC     := $(call under,client/cli client/run)
DAEMON_SRC  := $(call under,daemon)

PLATFORM_SRC := $(call under,tests/platform)
UNIT_SRC     := $(call under,tests/unit)
SIM_SRC      := $(call under,tests/sim)
NET_SRC      := $(filter-out tests/net/programs/word32.c,$(call under,tests/net))
LWIP_SRC     := tests/bench/lwip.c
BENCH_SRC    := $(filter-out $(LWIP_SRC),$(call under,tests/bench))
PKT_SRC      := $(call under,tests/pkt)
CONF_SRC     := $(call under,tests/conformance)

# A test file with a main() is a program, any other one a helper for the programs beside it.
PLATFORM_MAIN := $(call mains,$(PLATFORM_SRC))
UNIT_MAIN     := $(call mains,$(UNIT_SRC))
SIM_MAIN      := $(call mains,$(SIM_SRC))
NET_MAIN      := $(call mains,$(NET_SRC))
BENCH_MAIN    := $(call mains,$(BENCH_SRC))
CONF_MAIN     := $(call mains,$(CONF_SRC))

DAEMON_TESTS := $(filter tests/unit/daemon/%,$(UNIT_MAIN))
CLIENT_TESTS := $(filter tests/unit/client/%,$(UNIT_MAIN))
CORE_TESTS   := $(filter-out $(DAEMON_TESTS) $(CLIENT_TESTS),$(UNIT_MAIN))
UNIT_TESTS   := $(filter-out $(DAEMON_TESTS),$(UNIT_MAIN))
SIM_TESTS    := $(foreach f,$(SIM_MAIN),$(if $(filter test_%,$(notdir $(f))),$(f)))
NET_TESTS    := $(sort $(wildcard tests/net/test_*.sh tests/net/test_*.py))

TEST_SRC  := $(PLATFORM_SRC) $(UNIT_SRC) $(SIM_SRC) $(NET_SRC) $(BENCH_SRC) $(PKT_SRC) $(CONF_SRC)
TEST_MAIN := $(PLATFORM_MAIN) $(UNIT_MAIN) $(SIM_MAIN) $(NET_MAIN) $(BENCH_MAIN) $(CONF_MAIN)
ROOM_SRC  := $(PROTO_SRC) $(IPC_SRC) $(LIB_SRC) $(PRELOAD_SRC) $(CLI_SRC) $(DAEMON_SRC)

# What is loaded into programs that are not ours, or plays one in a test, has no ASan in it.
PLAIN_DIR := $(if $(SANFLAGS),$(BUILD)/obj-plain,$(BUILD)/obj)
plain      = $(patsubst %.c,$(PLAIN_DIR)/%.o,$(1))
PLAIN_OBJ  := $(call plain,$(IPC_SRC) $(LIB_SRC) $(PRELOAD_SRC) $(NET_SRC))

# -------------------------------------------------------------------------------------- outputs

SHARED    := libtapstack.so.$(VERSION)
SONAME    := libtapstack.so.$(SOMAJOR)
PROTO_A   := $(BUILD)/libproto.a
LIB_A     := $(BUILD)/libtapstack.a
DAEMON_A  := $(BUILD)/libdaemon.a
CLI_A     := $(BUILD)/libcli.a
SIM_A     := $(BUILD)/libsim.a

LIBRARIES := $(if $(LIB_SRC),$(LIB_A) $(BUILD)/libtapstack.so) \
             $(if $(PRELOAD_SRC),$(BUILD)/libtapstack-preload.so)
PROGRAMS  := $(if $(DAEMON_SRC),$(BUILD)/tapstackd) $(if $(CLI_SRC),$(BUILD)/tapstack)
CONFIGURED := $(patsubst %.in,$(BUILD)/%,$(wildcard client/*.pc.in client/completion/*.in systemd/*.in))
PKT       := $(if $(PKT_SRC),$(BUILD)/tests/pkt/pkt)
FAIL_ALLOC := $(PKT:pkt=fail_alloc)
# Programs that make their own system calls: static ones of C, and Go's, however they are linked.
GO_WEB    := $(BUILD)/tests/net/web
WORD32    := $(if $(filter x86_64,$(shell uname -m)),$(BUILD)/tests/net/programs/word32)
GO_NET    := $(addprefix $(BUILD)/tests/net/gonet-,static pie cgo)
STATIC    := $(BUILD)/tests/net/peer-static $(BUILD)/tests/net/calls-static $(GO_WEB) $(GO_NET) \
             $(BUILD)/tests/net/semantics/semantics-static $(WORD32) \
             $(BUILD)/tests/net/programs/stdio-static
TESTS     := $(call prog,$(TEST_MAIN)) $(STATIC) $(PKT) $(FAIL_ALLOC)

.PHONY: all tests
all: $(PROTO_A) $(LIBRARIES) $(PROGRAMS) $(CONFIGURED) $(BUILD)/tapstackd.conf ## Build everything but the tests (default)

tests: $(TESTS) $(BUILD)/tests/list ## Build the test programs

# Goals that install what is missing first; every object then waits for that.
NEED_DEPS := run bench bench-smoke compare cycles sim-long goodput cost lint fmt check% scripts-kernel fuzz% mutants conformance deb
DEPS_GATE := $(if $(filter $(NEED_DEPS),$(MAKECMDGOALS)),deps)

# A stamp is a file that changes only when its text does: other flags, another set of files.
quote = '$(subst ','\'',$(1))'
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' $$(call quote,$(2)) | cmp -s - $$@ || printf '%s\n' $$(call quote,$(2)) >$$@
endef
$(eval $(call stamp,$(BUILD)/flags,$$(CC) $$(COMPILE) $$(SANFLAGS) / $$(PLAINFLAGS) / $$(LINK)))
$(eval $(call stamp,$(BUILD)/paths,$$(VERSION) $$(PREFIX) $$(LIBDIR) $$(SYSCONFDIR)))
$(eval $(call stamp,$(BUILD)/sources,$$(ROOM_SRC) $$(filter-out $$(TEST_MAIN),$$(TEST_SRC))))
.PHONY: FORCE
FORCE:

# Code that ends up in a shared object is PIC, all other code PIE.
pic = $(if $(filter ipc/% client/lib/% client/preload/%,$(1)),-fPIC -fno-semantic-interposition,-fPIE)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(DEPS_GATE)
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(COMPILE) $(SANFLAGS) $(call pic,$<) $(EXTRA) -MMD -MP -c -o $@ $<

$(BUILD)/obj-plain/%.o: %.c $(BUILD)/flags | $(DEPS_GATE)
	@mkdir -p $(@D)
	$(say) CC "$< (plain)"
	$(Q)$(CC) $(COMPILE) $(PLAINFLAGS) $(call pic,$<) $(EXTRA) -MMD -MP -c -o $@ $<

# The tool finds the shim beside itself (build folder), else where `make install` puts it.
$(call obj,$(CLI_SRC)): $(BUILD)/paths
$(call obj,$(CLI_SRC) $(CLIENT_TESTS)): EXTRA = -DTAPSTACK_PKGLIBDIR='"$(PREFIX)/$(LIBDIR)/tapstack"' $(CLI_CFLAGS)
$(call obj,$(DAEMON_SRC) $(DAEMON_TESTS)): EXTRA = $(DAEMON_CFLAGS)

-include $(patsubst %.o,%.d,$(call obj,$(ROOM_SRC) $(TEST_SRC) $(LWIP_SRC)) $(PLAIN_OBJ))

# Archives are made anew, so that an object whose source is gone does not linger.
define archive
$(1): $(2) $(BUILD)/sources
	$$(say) AR $$@
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcsD $$@ $$(filter %.o,$$^)
endef
helpers = $(call obj,$(filter-out $(TEST_MAIN),$(1)))
$(eval $(call archive,$(PROTO_A),$(call obj,$(PROTO_SRC))))
$(eval $(call archive,$(LIB_A),$(call obj,$(LIB_SRC) $(IPC_SRC))))
# For their tests: the rooms of the two programs without main().
$(eval $(call archive,$(DAEMON_A),$(call obj,$(filter-out $(call mains,$(DAEMON_SRC)),$(DAEMON_SRC)))))
$(eval $(call archive,$(CLI_A),$(call obj,$(filter-out $(call mains,$(CLI_SRC)),$(CLI_SRC)))))
$(eval $(call archive,$(SIM_A),$(call helpers,$(SIM_SRC))))
$(eval $(call archive,$(BUILD)/libplatform.a,$(call helpers,$(PLATFORM_SRC))))
# Unit test helpers belong to the folder below tests/unit that they stand in; those of tcp serve sock and the top as well.
unit-area = $(if $(word 4,$(subst /, ,$(1))),$(word 3,$(subst /, ,$(1))),top)
unit-lib  = $(BUILD)/unit/lib$(1).a
unit-libs = $(call unit-lib,$(call unit-area,$(1))) $(if $(filter sock top,$(call unit-area,$(1))),$(call unit-lib,tcp))
$(foreach a,$(sort tcp $(foreach f,$(UNIT_SRC),$(call unit-area,$(f)))),$(eval $(call archive,$(call unit-lib,$(a)),\
  $(call helpers,$(foreach f,$(UNIT_SRC),$(if $(filter $(a),$(call unit-area,$(f))),$(f)))))))
$(eval $(call archive,$(BUILD)/libbench.a,$(call helpers,$(BENCH_SRC))))
$(eval $(call archive,$(BUILD)/libnet.a,$(call plain,$(filter-out $(TEST_MAIN),$(NET_SRC)) \
                                                     $(LIB_SRC) $(IPC_SRC))))

# Archives may need each other in any order.
group = -Wl,--start-group $(filter %.a,$(1)) -Wl,--end-group
define link
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(or $(2),$(SANFLAGS)) -pie $(LINK) -o $@ $(filter %.o,$^) $(call group,$^) $(1)
endef
define link-shared
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(PLAINFLAGS) -shared $(LINK) -Wl,-z,defs -o $@ $(filter %.o,$^) \
	    $(patsubst %,-Wl$(comma)--version-script=%,$(filter %.map,$^)) $(1)
endef
comma := ,

$(BUILD)/tapstackd: $(call obj,$(DAEMON_SRC) $(IPC_SRC)) $(PROTO_A) $(BUILD)/sources
	$(call link,$(DAEMON_LIBS) -lpthread)

# The example of a configuration, from the daemon's own tables.
$(BUILD)/tapstackd.conf: $(BUILD)/tapstackd
	$(say) GEN $@
	$(Q)$< --dump-config >$@

$(BUILD)/tapstack: $(call obj,$(CLI_SRC)) $(LIB_A) $(BUILD)/sources
	$(call link,$(CLI_LIBS) -lpthread -lm)

$(BUILD)/$(SHARED): $(call plain,$(LIB_SRC) $(IPC_SRC)) client/lib/libtapstack.map $(BUILD)/sources
	$(call link-shared,-Wl$(comma)-soname=$(SONAME) -lpthread)

$(BUILD)/$(SONAME): $(BUILD)/$(SHARED)
	$(Q)ln -sf $(<F) $@

$(BUILD)/libtapstack.so: $(BUILD)/$(SONAME)
	$(Q)ln -sf $(<F) $@

$(BUILD)/libtapstack-preload.so: $(call plain,$(PRELOAD_SRC) $(LIB_SRC) $(IPC_SRC)) \
                                 $(wildcard client/preload/preload.map) $(BUILD)/sources
	$(call link-shared,-Wl$(comma)-soname=libtapstack-preload.so -ldl -lpthread)

$(call prog,$(PLATFORM_MAIN)): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/libplatform.a
	$(call link,-lcmocka -lpthread)

.SECONDEXPANSION:
$(call prog,$(CORE_TESTS)): $(BUILD)/%: $(BUILD)/obj/%.o $$(call unit-libs,$$*) $(PROTO_A) $(LIB_A)
	$(call link,-lcmocka -lpthread -lm)

# Of the programs of tests/net, what is pure has unit tests.
$(call prog,$(filter tests/unit/net/%,$(CORE_TESTS))): $(call obj,$(filter tests/net/relay_%,$(NET_SRC)))

$(call prog,$(CLIENT_TESTS)): $(BUILD)/%: $(BUILD)/obj/%.o $$(call unit-libs,$$*) $(CLI_A) $(LIB_A)
	$(call link,$(CLI_LIBS) -lcmocka -lpthread -lm)

$(call prog,$(DAEMON_TESTS)): $(BUILD)/%: $(BUILD)/obj/%.o $$(call unit-libs,$$*) $(DAEMON_A) $(PROTO_A) \
                              $(LIB_A)
	$(call link,$(DAEMON_LIBS) -lcmocka -lpthread -lm)

# The tool's verdicts are a pure function of what the daemon says: they are tested on simulated connections.
$(BUILD)/tests/sim/test_explain: $(call obj,client/cli/verdict.c client/cli/figures.c daemon/figures.c)
$(call prog,$(SIM_MAIN)): $(BUILD)/%: $(BUILD)/obj/%.o $(SIM_A) $(PROTO_A)
	$(call link,-lcmocka -lpcap -lm)

$(call prog,$(BENCH_MAIN)): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/libbench.a $(LIB_A)
	$(call link,-lpthread)

# The clients once more with lwIP in them; the plain ones do without loading it.
LWIP_PROGRAMS := $(addprefix $(BUILD)/tests/bench/lwip/,bulk pingpong requests connects)
BENCH_PROGRAMS := $(call prog,$(BENCH_MAIN)) $(LWIP_PROGRAMS) $(BUILD)/tests/sim/cost
$(call obj,$(LWIP_SRC)): EXTRA = $(call late,LWIP_CFLAGS,--cflags lwip)
$(LWIP_PROGRAMS): $(BUILD)/tests/bench/lwip/%: $(BUILD)/obj/tests/bench/%.o $(call obj,$(LWIP_SRC)) $(BUILD)/libbench.a $(LIB_A)
	$(call link,$(call late,LWIP_LIBS,--libs lwip) -lpthread)

# Beside the core, one test program may use the unit tests' fixture of tcp, or the simulator.
$(eval $(call archive,$(BUILD)/libconformance.a,$(call helpers,$(CONF_SRC))))
$(call prog,$(CONF_MAIN)): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/libconformance.a $(call unit-lib,tcp) $(SIM_A) \
                           $(PROTO_A)
	$(call link,-lcmocka -lpcap -lm)

# The packet scripts' runner: one program, all of tests/scripts/.
$(PKT): $(call obj,$(PKT_SRC)) $(PROTO_A) $(BUILD)/sources
	$(call link,-lpthread)

$(FAIL_ALLOC): $(PKT)
	$(Q)ln -sf $(<F) $@

# And into these nothing can be loaded.
$(BUILD)/tests/net/%-static: $(PLAIN_DIR)/tests/net/%.o $(BUILD)/libnet.a
	@mkdir -p $(@D)
	$(say) LD "$@ (static)"
	$(Q)$(CC) $(CFLAGS) $(PLAINFLAGS) -static -o $@ $< -Wl,--start-group $(BUILD)/libnet.a -Wl,--end-group -lpthread

# Of the other word size; it needs no library of that.
$(BUILD)/tests/net/programs/word32: tests/net/programs/word32.c | $(DEPS_GATE)
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) -std=gnu17 -O1 -Wall -Wextra -Werror -m32 -ffreestanding -nostdlib -static -fno-pie -no-pie \
	    -fno-stack-protector -fomit-frame-pointer -o $@ $<

$(GO_WEB): tests/net/programs/web.go | $(DEPS_GATE)
$(GO_NET): $(wildcard tests/net/programs/gonet/*.go) | $(DEPS_GATE)
%/gonet-pie: GO_FLAGS := -buildmode=pie -ldflags='-buildid= -s -w'
$(GO_WEB) $(GO_NET):
	@mkdir -p $(@D)
	$(say) GO $@
	$(Q)CGO_ENABLED=$(if $(filter %-cgo,$@),1,0) GO111MODULE=off GOCACHE=$(abspath $(BUILD))/go GOFLAGS= \
		HOME=$${HOME:-/tmp} go build $(GO_FLAGS) -o $@ $^

# These play the unmodified program that gets the shim preloaded: no ASan in them.
$(call prog,$(NET_MAIN)): $(BUILD)/%: $(PLAIN_DIR)/%.o $(BUILD)/libnet.a
	$(call link,-lpthread,$(PLAINFLAGS))

# A line @INCLUDE FILE@ stands for that file beside it, @TUNABLES@ for the names of all tunables.
TUNABLES = $(shell awk -F '"' '/^TCP_TUNABLE/ { print $$2 }' proto/tcp/tunables.def)
$(BUILD)/client/completion/tapstack: proto/tcp/tunables.def
$(BUILD)/systemd/tapstackd.service $(BUILD)/systemd/tapstackd@.service: systemd/sandbox.inc
$(BUILD)/%: %.in $(BUILD)/paths
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)sed -e '/^@INCLUDE \(.*\)@$$/{s||cat $(<D)/\1|e' -e '}' -e 's|@VERSION@|$(VERSION)|g' \
	    -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
	    -e 's/@TUNABLES@/$(TUNABLES)/g' $< >$@

# ---------------------------------------------------------------------------------------- tests

# What tests/run reads: one program a line, its group first.
define TEST_LIST
$(foreach f,$(PLATFORM_MAIN),platform $(call prog,$(f))$(newline))$(foreach \
f,$(UNIT_TESTS),unit $(call prog,$(f))$(newline))$(foreach \
f,$(SIM_TESTS),sim $(call prog,$(f))$(newline))$(foreach f,$(PKT) $(FAIL_ALLOC),sim $(f)$(newline))$(foreach \
f,$(CONF_MAIN),sim $(call prog,$(f))$(newline))$(foreach \
f,$(wildcard tests/conformance/test_*.py),unit $(f)$(newline))$(foreach \
f,$(DAEMON_TESTS),daemon $(call prog,$(f))$(newline))$(foreach f,$(NET_TESTS),net $(f)$(newline))
endef
define newline


endef

$(BUILD)/tests/list: FORCE
	$(shell mkdir -p $(@D))$(file >$@,$(TEST_LIST))

RUN_TESTS = tests/run $(if $(T),-k $(call quote,$(T))) $(BUILD)
MEMCHECK  := valgrind -q --leak-check=full --error-exitcode=99

.PHONY: check check-unit check-sim sim-long goodput cost check-pkt scripts-kernel conformance check-net \
        compatibility cycles check-platform check-valgrind bench
check: deps all tests ## Install what is missing, build, run all tests (T=WORD: those named so)
	@$(RUN_TESTS)

check-unit: deps tests ## Run tests/unit only
	@$(RUN_TESTS) unit daemon

check-sim: deps tests ## Run tests/sim only
	@$(RUN_TESTS) sim

sim-long: deps $(call prog,$(SIM_MAIN)) ## 20,000 random transfers in virtual time (SIM_COUNT=, SIM_SEED=)
	@tests/sim/long $(BUILD) $(or $(SIM_COUNT),20000) $(or $(SIM_SEED),1)

goodput: deps $(call prog,$(SIM_MAIN)) ## Measure goodput by loss, round trip and algorithm; write docs/goodput.{tsv,md}
	@$(BUILD)/tests/sim/goodput

cost: deps $(call prog,$(SIM_MAIN)) ## Instructions for a segment, bytes for a connection, among 1 to 100,000
	@tests/sim/cost $(BUILD)

check-pkt: deps $(PKT) ## Play tests/scripts/*.pkt against the core, in virtual time
	@BUILD=$(BUILD) $(PKT) $(if $(T),-k $(call quote,$(T)))

scripts-kernel: deps $(PKT) ## Play the scripts against the kernel too; write docs/kernel-differences.md
	@BUILD=$(BUILD) $(PKT) --differences docs/kernel-differences.md

conformance: deps $(PKT) $(call prog,$(CONF_MAIN)) ## Hold the RFCs' requirements against the tests (V=1: per RFC)
	@tests/conformance/report $(if $(filter 1,$(V)),-v) $(CONFORMANCE_FLAGS) $(BUILD)

check-net: deps all tests ## Run tests/net only (real daemon, real TAP)
	@$(RUN_TESTS) net

compatibility: deps all tests ## Run the real programs of tests/net, and write docs/compatibility.md
	@BUILD=$(abspath $(BUILD)) tests/net/compatibility

cycles: deps all tests ## Make and close CYCLES=1000000 connections, in both roles; nothing may be left
	@BUILD=$(abspath $(BUILD)) tests/net/cycles $(or $(CYCLES),1000000)

check-platform: deps tests ## Run tests/platform only (what we rely on in the kernel)
	@$(RUN_TESTS) platform

.PHONY: check-systemd deb check-deb
deb: deps ## Build the Debian packages, and hold them against lintian; they are left in build/deb/
	@debian/packages $(VERSION) build/deb

check-deb: deb ## Install, use, upgrade and remove them in a container
	@tests/systemd/packages build/deb

check-systemd: deps all ## Boot a systemd in a container; install, run, upgrade and remove the service there
	@tests/systemd/service

# The order of two workers' locks is free: only the first one's thread ever has two (daemon/workers.h).
.PHONY: check-threads
check-threads: deps ## Run the test of several workers with a daemon under ThreadSanitizer
	@$(MAKE) SANITIZE=thread all build/tsan/tests/net/peer
	@TSAN_OPTIONS=detect_deadlocks=0 BUILD=build/tsan tests/net/test_workers.sh

check-valgrind: deps tests ## Run the unit and simulator suites under valgrind
	@$(RUN_TESTS) -w $(call quote,$(MEMCHECK)) unit daemon sim

bench: deps all $(BENCH_PROGRAMS) ## Measure beside the kernel's own TCP and others (docs/bench.md: BENCH_WHAT, BENCH_ROUNDS, ...)
	@BUILD=$(abspath $(BUILD)) tests/bench/run

.PHONY: bench-smoke bench-rate
bench-smoke: deps all $(BENCH_PROGRAMS) ## Each kind of row of the bench once, shortly: that it gives figures, not which
	@BUILD=$(abspath $(BUILD)) tests/bench/smoke

bench-rate: deps all tests ## Measure connections and requests a second beside the kernel's own TCP (nginx, redis)
	@BUILD=$(abspath $(BUILD)) tests/bench/rate

.PHONY: compare
compare: deps all tests ## Our TCP against the kernel's over an emulated link (POINTS="cubic short-1M*" PAIRS=7)
	@BUILD=$(abspath $(BUILD)) POINTS=$(call quote,$(POINTS)) PAIRS=$(PAIRS) $(if $(OUT),OUT=$(abspath $(OUT))) tests/compare/run

.PHONY: run
run: deps all ## Do the main job on real input: curl over our TCP, checked and explained
	@BUILD=$(abspath $(BUILD)) tests/net/run-demo

# -------------------------------------------------------------------------------------- fuzzing

# libFuzzer comes with clang; its objects are build/fuzz/obj/, those that count lines build/fuzz/cov/obj/
# (they name files from the root of the tree, wherever that is, also behind a symbolic link).
FUZZ_CC       := clang
FUZZ_SECONDS  ?= 900
FUZZ          := build/fuzz
FUZZ_TARGETS  := fuzz_frame fuzz_sequence fuzz_wire
FUZZ_FLAGS    := -std=gnu17 $(WARNINGS) -Wno-gnu-folding-constant -O1 -g -fno-omit-frame-pointer \
                 -D_GNU_SOURCE -DTAPSTACK_VERSION='"$(VERSION)"' -I.
FUZZ_SAN      := address,undefined
# The world around the stack, its check of itself (a walk through hash tables after every event), and
# arithmetic without branches of interest, is not what is explored.
FUZZ_QUIET    := $(addprefix tests/fuzz/,world.c peer.c receiver.c seeds.c) proto/stack_check.c \
                 $(addprefix proto/base/,checksum.c checksum_x86.c hash.c siphash.c rng.c)
FUZZ_WORLD    := $(addprefix tests/fuzz/,world.c peer.c receiver.c)

fuzz_frame_src    := $(PROTO_SRC) $(FUZZ_WORLD) tests/fuzz/fuzz_frame.c
fuzz_sequence_src := $(PROTO_SRC) $(FUZZ_WORLD) $(addprefix tests/fuzz/,calls.c settings.c segments.c acks.c shared.c fuzz_sequence.c)
fuzz_wire_src     := $(IPC_SRC) tests/fuzz/fuzz_wire.c
fuzz_seeds_src    := $(PROTO_SRC) $(IPC_SRC) $(FUZZ_WORLD) tests/fuzz/seeds.c
FUZZ_SRC          := $(sort $(foreach t,$(FUZZ_TARGETS) fuzz_seeds,$($(t)_src)))
fuzz-obj           = $(patsubst %.c,$(FUZZ)/$(1)obj/%.o,$(2))

$(FUZZ)/obj/%.o: %.c | $(DEPS_GATE)
	@mkdir -p $(@D)
	$(say) CC "$< (fuzz)"
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -D__SANITIZE_ADDRESS__=1 -fno-sanitize-recover=all -MMD -MP -c -o $@ $< \
	    -fsanitize=$(if $(filter $<,$(FUZZ_QUIET)),,fuzzer-no-link$(comma))$(FUZZ_SAN)

$(FUZZ)/cov/obj/%.o: %.c | $(DEPS_GATE)
	@mkdir -p $(@D)
	$(say) CC "$< (coverage)"
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fprofile-instr-generate -fcoverage-mapping \
	    -fcoverage-compilation-dir=. -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call fuzz-obj,,$(FUZZ_SRC)) $(call fuzz-obj,cov/,$(FUZZ_SRC)))

# Not -pie of hand: clang's own driver links libFuzzer's main.
$(addprefix $(FUZZ)/,$(FUZZ_TARGETS)): $(FUZZ)/%: $$(call fuzz-obj,,$$($$*_src))
	$(say) LD $@
	$(Q)$(FUZZ_CC) -g -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^

$(addprefix $(FUZZ)/cov/,$(FUZZ_TARGETS)): $(FUZZ)/cov/%: $$(call fuzz-obj,cov/,$$($$*_src))
	$(say) LD $@
	$(Q)$(FUZZ_CC) -g -fsanitize=fuzzer -fprofile-instr-generate -o $@ $^

$(FUZZ)/fuzz_seeds: $(call fuzz-obj,,$(fuzz_seeds_src))
	$(say) LD $@
	$(Q)$(FUZZ_CC) -g -fsanitize=$(FUZZ_SAN) -o $@ $^

.PHONY: fuzz fuzz-short fuzz-build fuzz-coverage
fuzz-build: deps $(addprefix $(FUZZ)/,$(FUZZ_TARGETS)) $(FUZZ)/fuzz_seeds
	@rm -rf $(FUZZ)/seeds && $(FUZZ)/fuzz_seeds $(FUZZ)/seeds

fuzz: fuzz-build ## Fuzz frames, sequences of calls and the control protocol (FUZZ_SECONDS=900 each)
	@tests/fuzz/run build $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-short: fuzz-build ## The same for 20 s each
	@tests/fuzz/run build 20 $(FUZZ_TARGETS)

fuzz-coverage: fuzz-build $(addprefix $(FUZZ)/cov/,$(FUZZ_TARGETS)) ## Lines of proto/ and ipc/ that the inputs so far reach
	@tests/fuzz/coverage build $(FUZZ_TARGETS)

.PHONY: mutants
mutants: deps ## Make one-line faults in proto/ and see which the fast tests notice (MUTANTS=N: the first N; START=M: after M)
	@tests/mutants/run $(if $(MUTANTS),-n $(MUTANTS)) $(if $(START),-s $(START))

# ----------------------------------------------------------------------------------- housekeeping

.PHONY: lint fmt clean help
lint: deps ## Check layout, floors, licence lines, shell scripts; cppcheck
	@tests/lint/run

fmt: deps ## Lay out all C files with clang-format
	@find client daemon ipc proto tests -name '*.[ch]' -print0 | xargs -0r clang-format -i

clean: ## Remove everything that was built
	rm -rf build

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile
	@sed -nE 's/^# (Variables: .*)/\n\1/p' Makefile

# `make clean all`: one after the other.
ifneq (,$(filter clean,$(MAKECMDGOALS)))
.NOTPARALLEL:
endif

PACKAGES := build-essential pkg-config libuv1-dev libcap-dev libpcap-dev libcmocka-dev libinih-dev \
            libmnl-dev libseccomp-dev libsystemd-dev liburing-dev libjansson-dev tcpdump tshark nftables iproute2 \
            iperf3 netcat-openbsd wget curl procps ethtool python3 valgrind strace clang-format \
            cppcheck shellcheck util-linux clang libclang-rt-14-dev llvm golang-go busybox-static \
            nginx-light wrk apache2-utils redis-server redis-tools postgresql postgresql-contrib \
            openssh-server openssh-client rsync memcached nodejs default-jdk-headless git socat \
            systemd systemd-container man-db debhelper lintian fakeroot \
            passt slirp4netns liblwip-dev gnuplot-nox

.PHONY: deps
deps: ## Install the Debian packages that the build and the tests need, if any is missing
	@tests/deps $(PACKAGES)

# -------------------------------------------------------------------------------------- install

libdir   := $(PREFIX)/$(LIBDIR)
pkglib   := $(libdir)/tapstack
docdir   := $(PREFIX)/share/doc/tapstack
confdir  := $(SYSCONFDIR)/tapstack
unitdir  := $(UNITDIR)
MAN      := $(foreach n,1 3 5 7 8,$(wildcard docs/man/*.$(n)))
UNIT_EXT := service socket target timer slice
UNITS    := $(foreach e,$(UNIT_EXT),$(wildcard systemd/*.$(e)) \
              $(patsubst %.in,$(BUILD)/%,$(wildcard systemd/*.$(e).in)))

# mode:source:destination; install copies these, uninstall removes these.
INSTALLED := 755:$(BUILD)/tapstackd:$(PREFIX)/sbin/tapstackd \
             755:$(BUILD)/tapstack:$(PREFIX)/bin/tapstack \
             755:$(BUILD)/$(SHARED):$(libdir)/$(SHARED) \
             644:$(LIB_A):$(libdir)/libtapstack.a \
             755:$(BUILD)/libtapstack-preload.so:$(pkglib)/libtapstack-preload.so \
             644:client/include/tapstack.h:$(PREFIX)/include/tapstack.h \
             644:$(BUILD)/tapstackd.conf:$(docdir)/examples/tapstackd.conf \
             644:$(BUILD)/client/tapstack.pc:$(libdir)/pkgconfig/tapstack.pc \
             $(foreach f,$(MAN),644:$(f):$(PREFIX)/share/man/man$(subst .,,$(suffix $(f)))/$(notdir $(f))) \
             $(foreach f,$(UNITS),644:$(f):$(unitdir)/$(notdir $(f))) \
             644:$(BUILD)/client/completion/tapstack:$(PREFIX)/share/bash-completion/completions/tapstack \
             644:daemon/completion/tapstackd:$(PREFIX)/share/bash-completion/completions/tapstackd \
             $(foreach f,$(wildcard client/examples/*),644:$(f):$(docdir)/examples/$(notdir $(f))) \
             $(foreach d,sysusers.d tmpfiles.d,644:systemd/$(d)/tapstack.conf:$(PREFIX)/lib/$(d)/tapstack.conf) \
             $(foreach f,$(wildcard LICENSE README.md),644:$(f):$(docdir)/$(f))
LINKED    := $(SHARED):$(libdir)/$(SONAME) $(SONAME):$(libdir)/libtapstack.so

part = $(word $(1),$(subst :, ,$(2)))
# Installed at its final place, the library must be known to the dynamic linker's cache.
refresh = $(if $(DESTDIR),,@if [ "$$(id -u)" = 0 ]; then ldconfig || true; fi)

.PHONY: install uninstall
install: all ## Install under DESTDIR and PREFIX (/usr/local)
	$(foreach f,$(INSTALLED),$(Q)install -D -m $(call part,1,$(f)) $(call part,2,$(f)) \
	    $(DESTDIR)$(call part,3,$(f))$(newline)	)
	$(foreach f,$(LINKED),$(Q)ln -sf $(call part,1,$(f)) $(DESTDIR)$(call part,2,$(f))$(newline)	)
	$(Q)[ -e $(DESTDIR)$(confdir)/tapstackd.conf ] || \
	    install -D -m 644 systemd/tapstackd.conf $(DESTDIR)$(confdir)/tapstackd.conf
	$(refresh)

uninstall: ## Remove what install put there (a configuration that was changed stays)
	$(foreach f,$(INSTALLED),$(Q)rm -f $(DESTDIR)$(call part,3,$(f))$(newline)	)
	$(foreach f,$(LINKED),$(Q)rm -f $(DESTDIR)$(call part,2,$(f))$(newline)	)
	$(Q)! cmp -s systemd/tapstackd.conf $(DESTDIR)$(confdir)/tapstackd.conf || rm -f $(DESTDIR)$(confdir)/tapstackd.conf
	$(Q)rmdir --ignore-fail-on-non-empty $(wildcard $(addprefix $(DESTDIR),$(pkglib) $(docdir)/examples $(docdir) $(confdir))) 2>/dev/null || true
	$(refresh)
