#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds all with the newest clang that Debian offers, and runs CLANG_ROWS over what it made of the programs.
set -u
root=$(realpath "$(dirname "$0")/../..")
rows=${CLANG_ROWS-test_lb test_server test_decap}
number=0 failed=0

# With a sentence, and a command that must do well; what it says is shown if it does not.
try() {
	sentence=$1
	shift
	number=$((number + 1))
	if "$@" >"$said" 2>&1; then
		echo "ok $number - $sentence"
	else
		echo "not ok $number - $sentence"
		grep -v '^ok' "$said" | tail -n 20 | sed 's/^/# /'
		failed=1
	fi
}

newest() {
	apt-cache search --names-only '^clang-[0-9]+$' | cut -d ' ' -f 1 | sort -V | tail -n 1
}

install() {
	dpkg-query -W -f '${Status}' "$clang" 2>/dev/null | grep -qx 'install ok installed' ||
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$clang"
}

# The same sources by links, since all products go to build/.
build() {
	mkdir -p "$place"
	for name in bpf include loader selftests Makefile; do
		ln -sfn "$root/$name" "$place/$name"
	done
	make -C "$place" -j "$(nproc)" CLANG="$clang" $(printf 'build/rows/%s ' $rows)
}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
clang=$(newest)
[ "$clang" ] || { apt-get -qq update && clang=$(newest); }
place=$root/build/${clang:-none}
try "$clang is the newest clang here, and can be installed" install
try "$clang builds the programs without a warning" build
for row in $rows; do
	try "$row finds nothing wrong with what $clang made" "$place/build/rows/$row"
done
echo "1..$number"
exit $failed
