#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Gets Debian's own 6.1 kernel into a directory, unpacked, and makes an initramfs for it beside it.
set -eu
here=$(realpath "$(dirname "$0")")
vm=$1

# What the first process needs before it sees the host's files.
modules='virtio_pci 9pnet_virtio 9p overlay'

package() {
	apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-6\.1\.[^ ]*\)$/\1/p'
}

download() {
	[ -n "$(package)" ] || { echo "apt knows no 6.1 kernel: this needs Debian 12" >&2; return 1; }
	apt-get -qq -o APT::Sandbox::User=root download "$(package)"
}

# The directory gets its name when all of it is there.
fetch() {
	rm -rf "$vm/kernel" "$vm/fetched"
	mkdir -p "$vm/fetched"
	(cd "$vm/fetched" && { download || { apt-get -qq update && download; }; })
	dpkg -x "$vm"/fetched/*.deb "$vm/fetched"
	rm "$vm"/fetched/*.deb
	mv "$vm"/fetched/boot/vmlinuz-* "$vm/fetched/vmlinuz"
	depmod -b "$vm/fetched" "$(ls "$vm/fetched/lib/modules")"
	mv "$vm/fetched" "$vm/kernel"
}

module_files() {
	for module in $modules; do
		modprobe -d "$vm/kernel" -S "$(ls "$vm/kernel/lib/modules")" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

initramfs() {
	mkdir "$1/bin" "$1/dev" "$1/proc" "$1/host" "$1/layer" "$1/new" "$1/modules"
	cp "$(command -v busybox)" "$1/bin/"
	cp "$here/init" "$1/init"
	for file in $(module_files); do
		cp "$file" "$1/modules/"
		basename "$file" >>"$1/modules/order"
	done
	(cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null) >"$vm/initramfs"
}

mkdir -p "$vm"
vm=$(realpath "$vm")
[ -d "$vm/kernel" ] || fetch
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
initramfs "$tree"
