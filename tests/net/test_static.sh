#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs into which nothing can be loaded, served from outside (seccomp user notification): static
# ones of C, Go and busybox; dynamic ones with --seccomp; and what executes what. `calls` is the
# same program on the kernel's TCP, with the shim, and static: it must see the same.
. "$(dirname "$0")/lib.sh"
ts_enter static "$@"

W=$TS_DIR/www
mkdir "$W"
head -c 3000000 /dev/urandom >"$W/file"
export no_proxy='*' W
# With sanitizers: what a program under the shim executes is the tool, and the shim comes first there.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
ts_start

# ---------------------------------------------------------------------- the calls themselves
# calls NAME COMMAND...: what it says, compared with what the kernel's said
check_calls() {
    local name=$1 line status=0
    shift
    timeout 60 "$@" >"$TS_DIR/said" || status=$?
    while IFS= read -r line; do
        if grep -qxF -- "$line" "$TS_DIR/said"; then
            ok "$name: ${line%%$'\t'*}"
        else
            not_ok "$name: ${line%%$'\t'*}" "the kernel: ${line#*$'\t'}" \
                "here: $(grep -F -- "${line%%$'\t'*}"$'\t' "$TS_DIR/said" | cut -f2)"
        fi
    done <"$TS_DIR/kernel"
    same "$name: status" 0 "$status"
}
CALLS=$BUILD/tests/net/calls
timeout 60 "$CALLS" $PEER >"$TS_DIR/kernel"
check "all checks ran on the kernel" grep -q '^all checks ran' "$TS_DIR/kernel"
check_calls "shim" "$BUILD/tapstack" run -- "$CALLS" $US
check_calls "dynamic, --seccomp" "$BUILD/tapstack" run --seccomp -- "$CALLS" $US
timeout 60 "$CALLS" $PEER pointers >"$TS_DIR/kernel"
check_calls "static" "$BUILD/tapstack" run -- "$CALLS-static" $US pointers

# ---------------------------------------------------------------------- a static C program
PEER_PROGRAM=$BUILD/tests/net/peer-static
check_transfer "static to kernel, 100 MiB" kernel run 7001 100M 0
check_transfer "kernel to static, 100 MiB" run kernel 7002 100M 100M
check_transfer "static to static, 1,000 connections, 20 threads" run run 7003 10K 10K -n 1000 -p 20

# ---------------------------------------------------------------------- who serves whom
ts_spawn "$PYTHON" "$NET/httpd.py" 0.0.0.0 8000 "$W" cubic >"$TS_DIR/http" 2>&1
ts_until 30 ts_listening "$TS_DIR/http" || cat "$TS_DIR/http"
ts_spawn "$PYTHON" "$NET/httpd.py" 127.0.0.1 8001 "$W" cubic >"$TS_DIR/http-lo" 2>&1
ts_until 30 ts_listening "$TS_DIR/http-lo" || cat "$TS_DIR/http-lo"

# from ADDRESS COMMAND...: it fetches the file, and the server sees this address
from() {
    local address=$1 before
    shift
    before=$(wc -l <"$TS_DIR/http")
    rm -f "$TS_DIR/got"
    timeout 20 "$@" || return 1
    cmp "$W/file" "$TS_DIR/got" || return 1
    tail -n "+$((before + 1))" "$TS_DIR/http" | tee "$TS_DIR/seen" | grep -q "^$address GET" ||
        { cat "$TS_DIR/seen" && return 1; }
}
R=("$BUILD/tapstack" run)
BB=(busybox wget -q -O "$TS_DIR/got" "http://$PEER:8000/file")
CURL=(curl -sS --fail -o "$TS_DIR/got" "http://$PEER:8000/file")
check "busybox wget" from $US "${R[@]}" -- "${BB[@]}"
check "curl with --seccomp" from $US "${R[@]}" --seccomp -- "${CURL[@]}"
check "bash starts busybox" from $US "${R[@]}" -- bash -c '"$@"; exit $?' bash "${BB[@]}"
check "bash becomes busybox" from $US "${R[@]}" -- bash -c 'exec "$@"' bash "${BB[@]}"
check "bash becomes busybox, which becomes bash, which becomes curl" from $US "${R[@]}" -- \
    bash -c 'exec busybox sh -c "exec bash -c \"exec \$*\"" bash "$@"' bash "${CURL[@]}"
check "busybox sh starts curl" from $US "${R[@]}" -- busybox sh -c '"$@"; exit $?' sh "${CURL[@]}"
check "python's subprocess starts busybox" from $US "${R[@]}" -- "$PYTHON" -c \
    'import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)' "${BB[@]}"
check "python's posix_spawnp starts busybox" from $US "${R[@]}" -- "$PYTHON" -c \
    'import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "${BB[@]}"
check "python's execvp, execv and execl become busybox" from $US "${R[@]}" -- "$PYTHON" -c \
    'import os, sys; os.execvp(sys.argv[1], sys.argv[1:])' "${BB[@]}"
check "an environment made anew leaves the stack" from $PEER "${R[@]}" -- env -i "PATH=$PATH" "${BB[@]}"
check "tapstack run of tapstack run" from $US "${R[@]}" -- "${R[@]}" -- "${BB[@]}"
check "tapstack run --seccomp of tapstack run" from $US "${R[@]}" --seccomp -- "${R[@]}" -- "${BB[@]}"
check "static under strace" from $US "${R[@]}" -- strace -f -o "$TS_DIR/strace" "${BB[@]}"
check "strace -f of tapstack run" from $US strace -f -o "$TS_DIR/strace" "${R[@]}" -- "${BB[@]}"

# the process keeps its id, its status, and its argv[0]
pid_kept() {
    "${R[@]}" -- busybox sh -c "echo \$\$ >$TS_DIR/pid; exit 7" &
    local pid=$! status=0
    wait "$pid" || status=$?
    [ "$status" = 7 ] && [ "$(cat "$TS_DIR/pid")" = "$pid" ]
}
check "a static program has the id of tapstack run, and its status" pid_kept
same "argv[0] of what a shell executes" "sh: applet not found" \
    "$("${R[@]}" -- bash -c 'exec -a nonesuch busybox' 2>&1 | sed s/nonesuch/sh/)"
# supervisors: those in this network namespace (zombies of theirs have none)
supervisors() {
    local pid here
    here=$(readlink /proc/self/ns/net)
    for pid in $(pgrep -x tapstack-run); do
        [ "$(readlink "/proc/$pid/ns/net")" != "$here" ] || echo "$pid"
    done
}
no_supervisor() { [ -z "$(supervisors)" ]; }
check "a supervisor ends with its program" ts_until 30 no_supervisor
# The supervisor runs only when nobody else wants its processor: the program goes on before it.
closed_at_once() {
    ts_spawn taskset -c 0 "${R[@]}" --seccomp -- "$BUILD/tests/net/closes" 0.0.0.0 7010 >"$TS_DIR/closes"
    ts_until 30 ts_listening "$TS_DIR/closes" || return 1
    chrt --idle -a -p 0 "$(supervisors)" || return 1
    "$PYTHON" - "$US" <<'CODE' || return 1
import errno, socket, sys
where = (sys.argv[1], 7010)
first = socket.create_connection(where, 30)
assert first.recv(6) == b"closed"
sys.exit(socket.socket().connect_ex(where) != errno.ECONNREFUSED)
CODE
    wait "$TS_PID"
}
check "a supervisor keeps no listener that the program has closed" closed_at_once
pipe_ends() {
    timeout 30 bash -c '"$@" | cat' bash "${R[@]}" -- busybox echo there | grep -q there
}
check "a supervisor does not keep the program's pipe" pipe_ends

# ---------------------------------------------------------------------- the other word size, io_uring
lo() { timeout 20 "$@" && cmp "$W/file" "$TS_DIR/got"; }
WORD32=$BUILD/tests/net/programs/word32
if [ -x "$WORD32" ]; then
    # shellcheck disable=SC2016 # the inner shell expands
    W32=(sh -c 'exec "$@" >"$TS_DIR/got"' sh "${R[@]}" --)
    check "a 32-bit program" from $US "${W32[@]}" "$WORD32" $PEER 8000
    check "bash becomes a 32-bit program" from $US "${W32[@]}" bash -c 'exec "$@"' bash "$WORD32" $PEER 8000
    check "a supervised shell starts a 32-bit program" from $US "${W32[@]}" busybox sh -c '"$@"; exit $?' sh \
        "$WORD32" $PEER 8000
    check "a 32-bit program to loopback" lo "${W32[@]}" "$WORD32" 127.0.0.1 8001
    ring32() { "${R[@]}" -- "$WORD32" $PEER 8000 ring; }
    same "a 32-bit program finds no io_uring" 38 "$(ring32; echo $?)"
fi
ring() { # ring COMMAND...: what io_uring_setup(2) says to a program that is run by it
    "$@" "$PYTHON" -c '
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 4, ctypes.create_string_buffer(256)) >= 0 or ctypes.get_errno())'
}
same "a supervised program finds no io_uring (ENOSYS)" 38 "$(ring "${R[@]}" --seccomp --)"
same "others find what the kernel has" "$(ring)" "$(ring "${R[@]}" --)"

# ---------------------------------------------------------------------- Go
WEB=$BUILD/tests/net/web
ts_spawn "$WEB" serve 0.0.0.0:8010 >"$TS_DIR/web"
ts_spawn ts_run "$WEB" serve 0.0.0.0:8011 >"$TS_DIR/our-web"
ts_until 30 ts_listening "$TS_DIR/web"
ts_until 30 ts_listening "$TS_DIR/our-web"
check "a Go client" timeout 30 "${R[@]}" -- "$WEB" fetch http://$PEER:8010 200000 200 10
check "a Go client uploads" timeout 30 "${R[@]}" -- "$WEB" put http://$PEER:8010 20000000
check "a Go server" timeout 30 "$WEB" fetch http://$US:8011 200000 200 10
check "a Go server takes an upload" timeout 30 "$WEB" put http://$US:8011 20000000
check "Go at both ends" timeout 30 "${R[@]}" -- "$WEB" fetch http://$US:8011 1000000 100 10
check "a Go client to loopback" timeout 30 "${R[@]}" -- "$WEB" fetch http://127.0.0.1:8010 20000 20 4

# ---------------------------------------------------------------------- which destinations
BB_LO=(busybox wget -q -O "$TS_DIR/got" http://127.0.0.1:8001/file)
check "busybox to loopback" lo "${R[@]}" -- "${BB_LO[@]}"
for way in busybox curl; do
    if [ "$way" = curl ]; then C=("${CURL[@]}"); else C=("${BB[@]}"); fi
    check "$way --except its destination" from $PEER "${R[@]}" --except $PEER -- "${C[@]}"
    check "$way --except its network" from $PEER "${R[@]}" --except 10.77.0.0/24 -- "${C[@]}"
    check "$way --except its port" from $PEER "${R[@]}" --except :8000 -- "${C[@]}"
    check "$way --except another port" from $US "${R[@]}" --except $PEER:8001-9000 -- "${C[@]}"
    check "$way --only its destination" from $US "${R[@]}" --only $PEER/32:8000 -- "${C[@]}"
    check "$way --only another" from $PEER "${R[@]}" --only 10.78.0.0/16,:22 -- "${C[@]}"
    check "$way --only and --except" from $PEER "${R[@]}" --only 10.77.0.0/24 --except :8000 -- "${C[@]}"
done
malformed() { ! "${R[@]}" --only 10.77.0.0/33 -- true && ! "${R[@]}" --except :0 -- true; }
check "malformed rules are refused" malformed

# ---------------------------------------------------------------------- users and rights
chmod 777 "$TS_DIR"
cp "$(command -v busybox)" "$TS_DIR/busybox-suid"
chown nobody "$TS_DIR/busybox-suid" 2>/dev/null && chmod 4755 "$TS_DIR/busybox-suid"
if [ "$(id -u)" = 0 ] && [ -u "$TS_DIR/busybox-suid" ] && [ "$TS_NS" ]; then
    N=(setpriv --reuid 1234 --regid 1234 --clear-groups)
    chmod 666 "$TS_SOCK"
    check "root runs a set-user-ID program, supervised" from $US "${R[@]}" -- \
        "$TS_DIR/busybox-suid" "${BB[@]:1}"
    refused() {
        local status=0
        "${N[@]}" "${R[@]}" -- "$TS_DIR/busybox-suid" true 2>"$TS_DIR/why" || status=$?
        [ "$status" = 126 ] && grep -q 'gains rights' "$TS_DIR/why"
    }
    check "another user does not: it is said why" refused
    told() {
        "${N[@]}" "${R[@]}" -- bash -c "$TS_DIR/busybox-suid true" 2>&1 | grep -q 'its TCP stays with the kernel'
    }
    check "nor does a shell under the shim: it is said" told
    check "another user runs a static program" from $US "${N[@]}" "${R[@]}" -- "${BB[@]}"
    # the supervisor is root, the program is not any more: the daemon sees the program's user
    low_port() {
        timeout 30 "${R[@]}" -- "${N[@]}" busybox nc -l -p 80 -e true 2>&1 | tee "$TS_DIR/why" | grep -qi 'permission denied'
    }
    check "what a program gives up its supervisor does not use" low_port
fi

ts_stop
ts_start --except "$PEER/32:8000-8009, 10.99.0.0/16"
check "what the configuration excludes, for a static program" from $PEER "${R[@]}" -- "${BB[@]}"
check "and for a dynamic one" from $PEER "${R[@]}" -- "${CURL[@]}"
check "and no more than that" timeout 30 "${R[@]}" --except :9 -- "$WEB" fetch http://$PEER:8010 100 1 1
check "a malformed one" grep -q "except: not of the form" \
    <("$BUILD/tapstackd" --tap ts1 --address 10.9.0.1/24 --except nonsense 2>&1)

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
ts_done
