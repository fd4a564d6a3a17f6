#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# Called by udhcpc with what the DHCP server said.
# shellcheck disable=SC2154 — the variables are udhcpc's
case "$1" in
bound | renew) ;;
*) exit 0 ;;
esac
[ -n "$mtu" ] && ip link set eth0 mtu "$mtu"
ip addr flush dev eth0
ip addr add "$ip/$mask" dev eth0
for gateway in $router; do
    ip route add default via "$gateway" dev eth0
    break
done
