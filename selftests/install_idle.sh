#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs what is missing of some daemons, which the system starts neither now nor when it boots.
set -eu

missing=
for daemon; do
	dpkg-query -W -f '${Status}' "$daemon" 2>/dev/null | grep -qx 'install ok installed' ||
		missing="$missing $daemon"
done
[ "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "some packages are missing: run with sudo" >&2; exit 1; }

# A package starts its daemon by one of these two. Unlike a policy-rc.d, they leave no trace.
quiet=$(mktemp -d)
trap 'rm -r "$quiet"' EXIT
trap 'exit 1' HUP INT TERM
ln -s /bin/true "$quiet/invoke-rc.d"
ln -s /bin/true "$quiet/deb-systemd-invoke"

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Path="$quiet:/usr/sbin:/usr/bin:/sbin:/bin" \
	install -y --no-install-recommends $missing
for daemon in $missing; do
	for script in $(dpkg -L "$daemon" | sed -n 's,^/etc/init.d/,,p'); do
		update-rc.d "$script" disable
	done
done
