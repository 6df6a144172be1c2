#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon has left after its start, as /proc says it: no capability in any set, no way to
# new ones, a system call filter, and another user if one is named.
. "$(dirname "$0")/lib.sh"
ts_enter privileges "$@"

status() {
    awk -v key="$1:" '$1 == key { print $2 }' /proc/"$TS_DAEMON"/status
}

ts_start
for set in CapInh CapPrm CapEff CapAmb; do
    same "$set is empty" 0000000000000000 "$(status $set)"
done
# All of them, or the caller had CAP_SETPCAP in this user namespace and they are gone.
same "CapBnd is empty" 0000000000000000 "$(status CapBnd)"
same "no_new_privs is set" 1 "$(status NoNewPrivs)"
if grep -q __asan_init "$BUILD/tapstackd"; then
    skip "a system call filter is loaded" "the sanitizers need more calls"
else
    same "a system call filter is loaded" 2 "$(status Seccomp)"
fi
threads() {
    local t
    for t in /proc/"$TS_DAEMON"/task/*/status; do
        grep -E '^(CapEff|CapPrm|Seccomp):' "$t"
    done | sort -u | wc -l
}
same "all of its threads alike" 3 "$(threads)"
check_transfer "it works like that" kernel run 7001 1M 1M
ts_stop

# A user namespace has no other user to become.
if [ "$(awk '{ print $3 }' /proc/self/uid_map)" -gt 65534 ]; then
    chown nobody "$TS_DIR" # the socket's directory: it has to remove the socket there
    ts_start --user nobody
    same "--user: it runs as that user, in all four ids" \
        "$(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody)" \
        "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' /proc/"$TS_DAEMON"/status)"
    same "--user: and in its group" "$(id -g nobody)" "$(status Gid)"
    same "--user: with no other groups" "" "$(status Groups)"
    same "--user: without capabilities" 0000000000000000 "$(status CapPrm)"
    check_transfer "--user: it works like that" kernel run 7002 1M 1M
    ts_stop
    check "--user: its socket is gone afterwards" test ! -e "$TS_SOCK"
else
    skip "--user" "only root can become another user"
fi
ts_done
