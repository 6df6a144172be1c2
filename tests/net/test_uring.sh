#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Without offload, frames travel in batches by a ring of io_uring(7), or one by one where there is
# none: the bytes are the same.
. "$(dirname "$0")/lib.sh"
ts_enter uring "$@"

# How many rings the daemon has.
rings() {
    local f n=0
    for f in /proc/"$TS_DAEMON"/fd/*; do
        [ "$(readlink "$f")" != 'anon_inode:[io_uring]' ] || n=$((n + 1))
    done
    echo $n
}

# both_ways NAME PORT SIZE
both_ways() {
    check_transfer "$1: to the kernel" kernel run "$2" "$3" 0
    check_transfer "$1: from the kernel" kernel lib $(($2 + 1)) 0 "$3"
    check_transfer "$1: each way at once" run kernel $(($2 + 2)) "$3" "$3"
}

# The daemon in a filter like that of a container.
start_forbidden() {
    cat >"$TS_DIR/forbidden" <<END
#!$PYTHON
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(lib.seccomp_init(0x7fff0000))
call = lib.seccomp_syscall_resolve_name(b"io_uring_setup")
if lib.seccomp_rule_add_array(context, 0x00050001, call, 0, None) or lib.seccomp_load(context):
    sys.exit("no filter")
os.execv("$1/tapstackd", ["tapstackd"] + sys.argv[1:])
END
    chmod +x "$TS_DIR/forbidden"
    mkdir "$TS_DIR/build"
    ln -s "$TS_DIR/forbidden" "$TS_DIR/build/tapstackd"
    ln -s "$BUILD"/tapstack "$TS_DIR/build/tapstack"
    BUILD=$TS_DIR/build ts_start "${@:2}"
}

ts_start --no-offload
if [ "$(rings)" = 0 ]; then
    skip "a ring" "no io_uring here"
    check "which is said" grep -q 'no io_uring, a system call for each frame' "$TS_LOG"
    ts_stop
    ts_done
    exit
fi
same "one worker has one ring" 1 "$(rings)"
both_ways "by the ring" 7001 32M
same "the TAP's queue has lost nothing" 0 "$(awk '$1 == "ts0:" { print $13 }' /proc/net/dev)"
same "no frame was refused" 0 "$(ts_stat device_write_errors)"

# Its end is the kernel's to clean up behind it, and the interface is taken at once.
{ kill -KILL "$TS_DAEMON" && wait "$TS_DAEMON"; } 2>/dev/null
rm -f "$TS_SOCK"
ts_start --no-offload --mtu 9000
check_transfer "after a daemon that was killed, MTU 9000: each way at once" run kernel 7011 32M 32M
ts_stop

ts_start --no-offload --io-uring no
same "io-uring = no: no ring" 0 "$(rings)"
both_ways "without" 7021 8M
ts_stop

ts_start --no-offload --capture "$TS_DIR/frames.pcap"
check_transfer "while frames are captured" kernel run 7025 4M 0
ts_stop
captured() {
    tcpdump -nr "$TS_DIR/frames.pcap" "src host $US and tcp" 2>/dev/null | awk '{ sum += $NF } END { print sum }'
}
n=$(captured)
check "each piece of a burst is in the capture: $n bytes" test "$n" -ge $((4 << 20))

ts_start
same "with offload there is none" 0 "$(rings)"
ts_stop

: >"$TS_LOG"
start_forbidden "$BUILD" --no-offload --workers 2
same "where io_uring is forbidden there is none" 0 "$(rings)"
same "which is said once" 1 "$(grep -c 'no io_uring, a system call for each frame' "$TS_LOG")"
both_ways "there" 7031 8M
ts_stop

ts_start --no-offload --workers 2
same "two workers have a ring each" 2 "$(rings)"
both_ways "two workers" 7041 16M
ts_stop
ts_done
