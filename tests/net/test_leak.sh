#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 20,000 short connections leave nothing behind: the daemon's descriptors and its memory are what
# they were after a warm-up.
. "$(dirname "$0")/lib.sh"
ts_enter leak "$@"

resident() {
    awk '$1 == "VmRSS:" { print $2 }' /proc/"$TS_DAEMON"/status
}

quiet() {
    [ "$(ts_stat usage_sockets)" = 0 ] && [ "$(ts_stat usage_orphans)" = 0 ] &&
        [ "$(ts_descriptors "$TS_DAEMON")" -le "$1" ]
}

ts_start
first=$(ts_descriptors_at_rest "$TS_DAEMON")
check_transfer "a warm-up of 3,000 connections" kernel lib 7001 200 200 -n 3000 -p 8 -w 4K
check "the descriptors are back after the warm-up" ts_until 30 quiet "$first"
before=$(resident)
opened=$(ts_stat tcp_active_opens)
check_transfer "20,000 connections of our programs" kernel lib 7002 200 200 -n 20000 -p 8 -w 4K
check "the daemon counted each" test "$(($(ts_stat tcp_active_opens) - opened))" -ge 20000
check_transfer "2,000 connections from the kernel" lib kernel 7003 200 200 -n 2000 -p 8 -w 4K
check "no descriptor is left" ts_until 30 quiet "$first"
after=$(resident)
# Who closes first has the TIME-WAIT record for a minute: at most 440 bytes with its port and its places in tables.
waiting=$(($(ts_stat usage_time_wait) * 440 / 1024))
echo "# $waiting KiB of TIME-WAIT records"
echo "# descriptors: $first before, $(ts_descriptors "$TS_DAEMON") after; resident: $before KiB before, $after after"
limit=$((before * 110 / 100 + waiting))
# The address sanitizer keeps what was freed for a while; that build checks for leaks when the daemon ends.
[[ $BUILD != */san ]] || limit=$((before * 4))
check "resident memory within 10 %" test "$after" -le "$limit"
ts_stop
ts_done
