# SPDX-License-Identifier: GPL-2.0-only
# Two commands: `sudo make demo` and `sudo make test`. V=1 shows what is run.

CLANG ?= clang
CC ?= gcc
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

WARNINGS := -Wall -Wextra -Werror
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -ffreestanding $(WARNINGS) -I/usr/include/$(MULTIARCH)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARNINGS) -Wno-deprecated-declarations \
	-Wno-missing-field-initializers -Ibuild -MMD -MP
LDLIBS := -lxdp -lbpf -lyaml -ljson-c -lmnl -lcrypto

PACKAGES := clang llvm gcc make pkg-config bpftool libbpf-dev libxdp-dev libyaml-dev \
	libjson-c-dev libmnl-dev libssl-dev linux-libc-dev iproute2 ethtool procps python3 \
	clang-format sparse perl curl mptcpize openssl libclang-rt-14-dev tshark strace
# The tests start these in namespaces; the system shall not start them.
DAEMONS := nginx lighttpd haproxy bird2

ifeq ($(V),)
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(2)'
endif

LOADER := $(patsubst loader/%.c,build/loader/%.o,$(wildcard loader/*.c))
HANDSHAKE := $(patsubst handshake/%.c,build/handshake/%.o,$(wildcard handshake/*.c))
LAB := $(patsubst lab/%.c,build/lab/%.o,$(wildcard lab/*.c))
LOADER_LIBRARY := $(filter-out build/loader/main.o,$(LOADER))
UNITS := $(patsubst selftests/unit/%.c,build/unit/%,$(wildcard selftests/unit/test_*.c))
ROWS := $(patsubst selftests/rows/%.c,build/rows/%,$(wildcard selftests/rows/test_*.c))
E2E := $(sort $(wildcard selftests/cli/test_*.py selftests/e2e/test_*.py selftests/resilience/test_*.py))
FUZZERS := $(patsubst selftests/fuzz/%.c,build/fuzz/%,$(wildcard selftests/fuzz/fuzz_*.c))
DIFFERENTIAL := $(sort $(wildcard selftests/differential/test_*.py))
BPF_OBJECTS := build/lb.bpf.o build/server.bpf.o
SKELETONS := $(BPF_OBJECTS:.bpf.o=.skel.h)
# Ends of connections, and a wire between them.
WIRE := build/wire build/traffic
# Slow streams, and a balancer's clock.
RESILIENCE := build/stream-server build/stream-client build/set-clock

VM_PACKAGES := qemu-system-x86 busybox-static kmod xdp-tools
# Without the generated rows, and those that publish two dozen times or 512 services: too slow in emulation.
VM_TESTS := $(filter-out %/test_variants %/test_orders %/test_flows %/test_memory %/test_counters,$(ROWS)) build/test-verifier \
	$(sort $(wildcard selftests/vm/test_*.py)) selftests/e2e/test_attach.py \
	selftests/e2e/test_tunnel_devices.py

# For test_guards.py and test_refresh.py: a build with other programs, a clock that can be set.
GUARDED := build/older/mptcp-lb build/selftests/clock_ahead.so build/refresh-stamps

PROVE := prove --merge --exec ''

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test test-6.1 run-test-6.1 check unit lint bench bench-haproxy record-performance differential \
	packages daemons clean run-demo \
	run-tests run-bench fuzz record-verifier test-captures test-clang joins-in-flight production throughput \
	test-kernel-selftests run-kernel-selftests demo-hijack run-demo-hijack resilience run-resilience

all: build/mptcp-lb $(BPF_OBJECTS) build/libmptcp-handshake.a build/mptcp-peer

# Byte order. What the kernel's own headers get wrong is not ours.
SPARSE := sparse -Wbitwise -Wno-decl -D__bpf__ -D__CHECK_ENDIAN__ -I/usr/include/$(MULTIARCH)

# What a user types: installs what is missing, then makes the target proper, which needs root.
test: daemons
demo test bench: packages
	$(Q)$(MAKE) --no-print-directory $(if $(filter demo,$@),run-demo,$(if $(filter bench,$@),run-bench,run-tests))

test-6.1: PACKAGES += $(VM_PACKAGES)
packages:
	$(Q)dpkg-query -W -f '$${Status}\n' $(PACKAGES) 2>/dev/null | grep -c '^install ok installed' | \
		grep -qx $(words $(PACKAGES)) || \
		{ [ "$$(id -u)" = 0 ] || { echo "some packages are missing: run with sudo" >&2; exit 1; }; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(PACKAGES); }

daemons: packages
	$(Q)selftests/install_idle.sh $(DAEMONS)

run-demo: all build/pass.bpf.o build/move-slots
	$(Q)/usr/bin/python3 -B selftests/e2e/demo.py

# An eavesdropper joins a connection of RFC 8684, and fails where TLS gave the keys.
demo-hijack: packages
	$(Q)$(MAKE) --no-print-directory run-demo-hijack

run-demo-hijack: all build/pass.bpf.o build/move-slots
	$(Q)/usr/bin/python3 -B selftests/e2e/demo_hijack.py

run-tests: check $(ROWS) $(FUZZERS) build/test-verifier build/differential/runner build/pass.bpf.o \
		build/move-slots build/set-joins-max $(WIRE) $(GUARDED) $(RESILIENCE)
	$(Q)$(PROVE) $(UNITS) $(ROWS) build/test-verifier selftests/fuzz/test_fuzz.py \
		selftests/clang/test_newest.sh $(DIFFERENTIAL) $(E2E)

# `make fuzz SECONDS=3600` for longer; no root.
SECONDS ?= 60
fuzz: $(FUZZERS)
	$(Q)FUZZ_SECONDS=$(SECONDS) $(PROVE) --verbose selftests/fuzz/test_fuzz.py

# The program against the second model of it, for longer: make differential PACKETS=1000000 SEED=N.
differential: all build/poison.bpf.o build/differential/runner
	$(Q)PACKETS=$(PACKETS) SEED=$(SEED) selftests/differential/test_differential.py

run-bench: $(patsubst selftests/bench/%.c,build/bench/%,$(wildcard selftests/bench/bench_*.c)) | build/performance
	$(Q)for bench in $^; do said=build/performance/$${bench##*bench_}.txt; \
		$$bench >$$said || { cat $$said; exit 1; }; cat $$said; done

# CPU per gigabyte beside HAProxy: about a minute; with the tables of `make bench`, for the documentation.
bench-haproxy: all build/pass.bpf.o
	$(Q)/usr/bin/python3 -B selftests/bench/haproxy.py

# Everything measured, into docs/performance/: five to ten minutes.
record-performance: run-bench bench-haproxy build/rows/test_memory | build/performance
	$(Q)build/rows/test_memory | sed -n 's/^# |/|/p' >build/performance/memory.md
	$(Q)cp $(addprefix build/performance/,*.md *.svg keys.txt server.txt) docs/performance/

# After a change that is worth its instructions. The record is of the packages' clang.
record-verifier: $(BPF_OBJECTS) build/test-verifier
	$(Q)build/test-verifier record

# All rows over what the newest clang of Debian makes of the programs; `make test` runs some.
test-clang: packages
	$(Q)CLANG_ROWS="$(notdir $(ROWS))" $(PROVE) --verbose selftests/clang/test_newest.sh

# Packets that others captured: `sudo make test-captures CAPTURES=DIR`.
test-captures: $(if $(CAPTURES),build/test-captures)
	$(if $(CAPTURES),,@echo "which captures? make test-captures CAPTURES=DIR" >&2; exit 2)
	$(Q)prove --merge --exec '' build/test-captures :: $(CAPTURES)

# How joins fare at 20 to 200 a second: about 45 minutes; less with JOIN_SECONDS=10.
joins-in-flight: all build/set-joins-max $(WIRE)
	$(Q)/usr/bin/python3 -B selftests/e2e/joins_in_flight.py

# The long versions of two tests, about 8 minutes: 20,000 connections, 5,000 at once, with joins;
# a thousand with and without our programs while segments are lost.
production: all build/set-joins-max $(WIRE)
	$(Q)MANY=20000 AT_ONCE=5000 PER_SECOND=200 $(PROVE) -v selftests/e2e/test_many.py
	$(Q)LOST=1000 $(PROVE) -v selftests/e2e/test_loss.py

# What breaks by each event, for three kinds of balancer: build/resilience.json and a table. With 500 connections
# it takes about 12 minutes; CONNECTIONS=50 is quicker, and VARIANTS and EVENTS choose some.
resilience: packages daemons
	$(Q)$(MAKE) --no-print-directory run-resilience

run-resilience: all build/pass.bpf.o build/move-slots $(RESILIENCE)
	$(Q)/usr/bin/python3 -B selftests/resilience/resilience.py

throughput: all build/set-joins-max $(WIRE)
	$(Q)/usr/bin/python3 -B selftests/e2e/throughput.py

# The kernel's own MPTCP selftest, from where Debian's package puts it (140 MB).
test-kernel-selftests: PACKAGES += linux-source
test-kernel-selftests: packages
	$(Q)$(MAKE) --no-print-directory run-kernel-selftests

run-kernel-selftests: all build/mptcp_connect build/set-joins-max $(WIRE)
	$(Q)/usr/bin/python3 -B selftests/e2e/kernel_selftests.py

KERNEL_SELFTESTS := tools/testing/selftests/net/mptcp

build/mptcp_connect: | build/selftests
	$(call msg,UNPACK,$@)
	$(Q)tar -C build/selftests -xJf $(lastword $(sort $(wildcard /usr/src/linux-source-*.tar.xz))) \
		--strip-components=1 --wildcards '*/$(KERNEL_SELFTESTS)'
	$(Q)$(CC) -O2 -w build/selftests/$(KERNEL_SELFTESTS)/mptcp_connect.c -o $@

# Debian's own 6.1 kernel in qemu, on this machine's files, by software emulation: about 10 minutes.
test-6.1: packages
	$(Q)$(MAKE) --no-print-directory run-test-6.1

run-test-6.1: all $(ROWS) build/test-verifier build/pass.bpf.o build/move-slots
	$(Q)selftests/vm/kernel.sh build/vm
	$(Q)$(PROVE) selftests/vm/boot.sh :: $(VM_TESTS)

# The fast loop: build, lint, unit rows; no root.
check: all lint unit

unit: $(UNITS) build/handshake-example
	$(Q)build/handshake-example >/dev/null || { echo "docs/handshakes.md: its example fails" >&2; exit 1; }
	$(Q)$(PROVE) $(UNITS)

lint:
	$(Q)clang-format --dry-run -Werror $$(find bpf handshake include lab loader selftests -name '*.[ch]')
	$(Q)/usr/bin/python3 -B selftests/lint.py
	$(Q)! $(SPARSE) bpf/lb.bpf.c 2>&1 | grep -v '^/usr/include\|note: in included file'
	$(Q)/usr/bin/python3 -B selftests/model/codec.py check selftests/vectors.txt selftests/vectors-more.txt
	$(Q)/usr/bin/python3 -B selftests/model/ring.py check selftests/vectors-ring.txt

build/loader build/handshake build/lab build/unit build/rows build/bench build/performance build/differential build/selftests build/fuzz build/older:
	@mkdir -p $@

build/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h include/*.h) | build/loader
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/pass.bpf.o: selftests/e2e/pass.bpf.c | build/loader
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

build/poison.bpf.o: selftests/rows/poison.bpf.c $(wildcard bpf/*.h include/*.h) bpf/lb.bpf.c | build/loader
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/lb_bench.bpf.o: selftests/bench/lb_bench.bpf.c $(wildcard selftests/bench/*.h bpf/*.h include/*.h) bpf/lb.bpf.c | build/bench
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/server_bench.bpf.o: selftests/bench/server_bench.bpf.c $(wildcard selftests/bench/*.h bpf/*.h include/*.h) bpf/server.bpf.c | build/bench
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/veth_bench.bpf.o: selftests/bench/veth_bench.bpf.c $(wildcard selftests/bench/*.h bpf/*.h include/*.h) | build/bench
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/%.skel.h: build/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< >$@

build/loader/%.o: loader/%.c | build/loader $(SKELETONS)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

build/mptcp-lb: $(LOADER)
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

build/handshake/%.o: handshake/%.c | build/handshake
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

build/libmptcp-handshake.a: $(HANDSHAKE)
	$(call msg,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $^

build/lab/%.o: lab/%.c | build/lab
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

build/mptcp-peer: $(LAB) $(LOADER_LIBRARY) build/libmptcp-handshake.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -lssl -lcrypto -o $@

# Nothing of the loader's: a stack has the library alone.
build/unit/test_handshake_%: selftests/unit/test_handshake_%.c build/libmptcp-handshake.a | build/unit
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< build/libmptcp-handshake.a $(if $(findstring keys,$@),-lssl) -lcrypto -o $@

# As the document says that a stack's author builds it.
build/handshake-example.c: docs/handshakes.md | build/unit
	$(Q)sed -n '/^```c$$/,/^```$$/{/^```/!p}' $< >$@

build/handshake-example: build/handshake-example.c build/libmptcp-handshake.a
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iinclude $^ -lssl -lcrypto -o $@

build/unit/%: selftests/unit/%.c $(LOADER_LIBRARY) | build/unit
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< $(LOADER_LIBRARY) $(LDLIBS) -o $@

build/rows/%: selftests/rows/%.c $(LOADER_LIBRARY) $(SKELETONS) build/poison.skel.h | build/rows
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< $(LOADER_LIBRARY) $(LDLIBS) -o $@

build/bench/%: selftests/bench/%.c $(LOADER_LIBRARY) build/lb_bench.skel.h build/server_bench.skel.h build/veth_bench.skel.h | build/bench
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< $(LOADER_LIBRARY) $(LDLIBS) -lm -o $@

# The packages' clang, whatever CLANG is: its runtime library is there. Packets are not aligned.
FUZZ_CFLAGS := -O1 -g -std=gnu11 $(WARNINGS) -Wno-missing-field-initializers -MMD -MP \
	-fsanitize=fuzzer,address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all

build/fuzz/fuzz_config: $(addprefix loader/,config.c config_yaml.c config_services.c document.c address.c)

build/fuzz/fuzz_mptcp_options: $(filter-out handshake/tls_keys.c,$(wildcard handshake/*.c))

build/fuzz/%: selftests/fuzz/%.c | build/fuzz
	$(call msg,CLANG,$@)
	$(Q)clang $(FUZZ_CFLAGS) $< $(filter loader/%.c handshake/%.c,$^) -lyaml -lcrypto -o $@

build/test-captures: selftests/captures/test_captures.c $(LOADER_LIBRARY) | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< $(LOADER_LIBRARY) $(LDLIBS) -o $@

build/test-verifier: selftests/verifier/test_verifier.c | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< -lbpf -o $@

build/differential/runner: selftests/differential/runner.c $(LOADER_LIBRARY) | build/differential
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -Iselftests $< $(LOADER_LIBRARY) $(LDLIBS) -o $@

# A copy of the sources with a bug in it, which the test that must see it has made.
build/differential/%.bpf.o: build/differential/%/selftests/rows/poison.bpf.c
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

build/move-slots build/set-joins-max build/set-clock: build/%: $(LOADER_LIBRARY) | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) selftests/$(subst -,_,$*).c $(LOADER_LIBRARY) $(LDLIBS) -o $@

build/move-slots: selftests/move_slots.c
build/set-joins-max: selftests/set_joins_max.c
build/set-clock: selftests/set_clock.c

$(WIRE): build/%: selftests/%.c | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) $< -o $@

build/stream-%: selftests/resilience/stream_%.c | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) $< -o $@

# The same programs in other instructions: those that are not this version, over the same maps.
build/older/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h include/*.h) | build/older
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -mcpu=v2 -c $< -o $@
	$(Q)llvm-strip -g $@

build/older/%.o: loader/%.c build/older/lb.skel.h build/older/server.skel.h
	$(call msg,CC,$@)
	$(Q)$(CC) -Ibuild/older $(CFLAGS) -c $< -o $@

OLDER := build/older/server_programs.o build/older/balancer_programs.o

build/older/mptcp-lb: $(OLDER) $(LOADER)
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(filter-out $(OLDER:build/older/%=build/loader/%),$^) $(LDLIBS) -o $@

build/refresh-stamps: selftests/refresh_stamps.c $(LOADER_LIBRARY) | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) $< $(LOADER_LIBRARY) $(LDLIBS) -o $@

build/selftests/clock_ahead.so: selftests/clock_ahead.c | build/selftests
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS) -shared -fPIC $< -ldl -o $@

clean:
	rm -rf build

-include $(wildcard build/*/*.d build/*.d)
