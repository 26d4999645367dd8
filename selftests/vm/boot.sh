#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots Debian's 6.1 kernel on the host's files, and passes on the TAP of the tests that are named.
set -u
root=$(realpath "$(dirname "$0")/../..")
vm=$root/build/vm
patience_s=1800
words="console=ttyS0 panic=-1 oops=panic KERNEL=$vm/kernel CI=${CI-}"

boot() {
	timeout -k 5 "$patience_s" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu max -smp 2 -m 2G -no-reboot -display none -nodefaults \
		-kernel "$vm/kernel/vmlinuz" -initrd "$vm/initramfs" \
		-append "$words -- $root/selftests/vm/guest.py $*" \
		-serial "file:$vm/console" -serial stdio \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		</dev/null
}

# The plan comes last, and only if all tests came to their end.
boot "$@" | tee "$vm/tap"
if ! grep -q '^1\.\.' "$vm/tap"; then
	tail -n 20 "$vm/console" | tr -d '\r' | sed 's/^/# /'
	echo "Bail out! the guest died, or took more than $patience_s s"
	exit 1
fi
! grep -q '^not ok' "$vm/tap"
