#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: modules, its name from the config drive, its address by DHCP, then the service.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devices /dev 2>/dev/null

while read -r module options; do
    # shellcheck disable=SC2086 — options are words of their own
    insmod "/modules/$module" $options
done </modules/order

tell() { echo "guest: $* ($(cut -d' ' -f1 /proc/uptime) s after boot)" >/dev/console; }

# The drive is found a moment after its driver is loaded.
tries=0
until mount -t iso9660 -o ro /dev/sr0 /config 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
        tell "no config drive; the guest does not know its name"
        break
    fi
    usleep 50000
done

ip link set lo up
ip link set eth0 up
until udhcpc -i eth0 -n -q -t 20 -T 1 -O mtu -s /etc/address.sh; do
    tell "no address by DHCP yet"
done

# A service's address that guests take over from each other by routes is on loopback, and so is nobody's to announce.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
ip addr add 10.78.0.10/32 dev lo
given=/config/openstack/latest/user_data
if [ "$(head -c 2 "$given" 2>/dev/null)" = "#!" ]; then
    sh "$given" >/dev/console 2>&1 || tell "user data ended with status $?"
fi

respawn() {
    while :; do
        "$@" >/dev/console 2>&1
        sleep 1
    done
}
respawn responder 7777 /config/openstack/latest/meta_data.json &
tell "ready"
while :; do
    sleep 3600
done
