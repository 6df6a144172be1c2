#!/bin/bash
# SPDX-License-Identifier: MIT
# Small tools and odd ways to start a program: busybox, static C, socat, stdio, /dev/tcp, inetd, strace, set-user-ID.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ts_enter shell "$@"
cd "$TS_DIR" || exit
export no_proxy='*'
# With sanitizers: what a program under the shim executes is the tool, and the shim comes first there.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
mkdir www
head -c 5000000 /dev/urandom >www/file
ts_start

# serve NAME COMMAND...: until NAME.log says that it listens
serve() {
    ts_spawn "${@:2}" >"$1.log" 2>&1
    ts_until 20 ts_listening "$1.log" || cat "$1.log"
}
serve http "$PYTHON" "$NET/httpd.py" $PEER 8000 www cubic

# from ADDRESS COMMAND...: it fetches the file, and the server saw it come from there
from() {
    local before
    before=$(wc -l <http.log)
    rm -f got
    "${@:2}" && cmp www/file got || return
    tail -n "+$((before + 1))" http.log | tee seen | grep -q "^$1 GET /file 5000000" || { cat seen && return 1; }
}
URL=http://$PEER:8000/file
CURL=(curl -sS --fail -o got "$URL")

# ------------------------------------------------------------------------------ busybox and C, static
works "busybox wget" seccomp client "5 MB, compared" from $US by seccomp busybox wget -q -O got "$URL"
# The connection is the standard input and output of a process of its own.
ts_spawn by seccomp busybox httpd -f -p $US:8001 -h www
ts_until 20 ours_listens 8001
fetch() {
    rm -f got
    "$@" && cmp www/file got
}
fetch_eight() {
    by kernel curl -sS --fail -Z -o 'got#1' "http://$US:8001/file?[1-8]" || return
    for n in 1 2 3 4 5 6 7 8; do cmp www/file "got$n" || return; done
}
works "busybox httpd" seccomp server "eight times 5 MB at once, compared" fetch_eight
works "busybox wget, httpd" seccomp both "5 MB, compared" fetch by seccomp busybox wget -q -O got http://$US:8001/file
PEER_PROGRAM=$BUILD/tests/net/peer-static
works "a static C program" seccomp client "100 connections by 20 threads, 400 KiB each way, checked" \
    transfer kernel run 7001 400K 400K -n 100 -p 20
works "a static C program" seccomp server "100 connections by 20 threads, 400 KiB each way, checked" \
    transfer run kernel 7002 400K 400K -n 100 -p 20

# ------------------------------------------------------------------------------ stdio, inherited sockets
STDIO=$BUILD/tests/net/programs/stdio
SAID="fprintf and fgets of 2,000 lines in three ways of buffering, fwrite and fread of 3 MB, the end"
# talks SERVER'S-WAY CLIENT'S-WAY PORT COMMAND...: a server that is for one connection, or is ended by this
talks() {
    local at=$PEER status=0 pid
    [ "$1" = kernel ] || at=$US
    serve "stdio-$3" by "$1" "${@:4}"
    pid=$TS_PID
    by "$2" "$STDIO" talk "$at" "$3" || status=$?
    if [ "$4" = "$STDIO" ] && [ "$status" = 0 ]; then
        ts_until 10 ts_gone "$pid" && wait "$pid"
        return
    fi
    kill "$pid"
    return "$status"
}
served() { # served SERVER'S-WAY CLIENT'S-WAY PORT
    local at=$PEER
    [ "$1" = kernel ] || at=$US
    talks "$@" "$STDIO" serve "$at" "$3"
}
works stdio preload client "$SAID" served kernel preload 7100
works stdio seccomp client "$SAID" served kernel seccomp 7101
works stdio preload server "$SAID" served preload kernel 7102
works stdio seccomp server "$SAID" served seccomp kernel 7103
works stdio preload both "$SAID" served preload preload 7104

INETD=("$PYTHON" "$NET/programs/inetd.py")
works "a program of inetd's" preload server "its connection is standard input and output; it sets TCP_NODELAY there" \
    talks preload kernel 7110 "${INETD[@]}" nowait $US 7110 "$STDIO" answer
works "a program of inetd's" seccomp server "the same" \
    talks seccomp kernel 7111 "${INETD[@]}" nowait $US 7111 "$STDIO" answer
works "a program of inetd's" preload server "its listener is standard input (wait)" \
    talks preload kernel 7112 "${INETD[@]}" wait $US 7112 "$STDIO" accept
works "a program of inetd's" seccomp server "its listener is standard input (wait)" \
    talks seccomp kernel 7113 "${INETD[@]}" wait $US 7113 "$STDIO" accept

works "a program of inetd's, static" preload server "its connection is standard input and output" \
    talks preload kernel 7114 "${INETD[@]}" nowait $US 7114 "$STDIO-static" answer
works "a program of inetd's, static" preload server "its listener is standard input (wait)" \
    talks preload kernel 7115 "${INETD[@]}" wait $US 7115 "$STDIO-static" accept
# With no shim and no supervisor a descriptor of ours is one all the same.
bare() {
    serve bare by preload "${INETD[@]}" nowait "$US" 7116 env -i cat
    by kernel socat -t 30 - "TCP:$US:7116" <www/file >got && cmp www/file got
}
works "cat, in an environment made anew" preload server "5 MB through it, compared" bare

# ------------------------------------------------------------------------------ socat
head -c 1000000 www/file >in
tr abcdefgh ABCDEFGH <in >wanted
# socats SERVER'S-WAY CLIENT'S-WAY PORT EXEC: a process for each of 10 connections at once; it makes letters large
# (With socat's backlog of 5 a busy kernel answers with cookies, drops the ACK, and resets what it gets instead.)
socats() {
    local at=$PEER listens=kernel_listens n pid pids=() status=0
    [ "$1" = kernel ] || at=$US listens=ours_listens
    ts_spawn by "$1" socat -t 30 "TCP-LISTEN:$3,bind=$at,fork,reuseaddr,backlog=64" "$4"
    pid=$TS_PID
    ts_until 20 "$listens" "$3"
    for n in 0 1 2 3 4 5 6 7 8 9; do
        by "$2" socat -t 30 - "TCP:$at:$3" <in >"out$n" &
        pids+=($!)
    done
    for n in 0 1 2 3 4 5 6 7 8 9; do wait "${pids[n]}" && cmp wanted "out$n" || status=1; done
    kill "$pid"
    return "$status"
}
LARGE="EXEC:tr abcdefgh ABCDEFGH"
TEN="10 connections at once, 1 MB each way, compared"
works socat preload client "$TEN" socats kernel preload 7200 "$LARGE"
works socat seccomp client "$TEN" socats kernel seccomp 7201 "$LARGE"
works "socat, fork, EXEC" preload server "$TEN" socats preload kernel 7202 "$LARGE"
works "socat, fork, EXEC" seccomp server "$TEN" socats seccomp kernel 7203 "$LARGE"
OWN="the socket is tr's own: $TEN"
works "socat, fork, EXEC,nofork" preload server "$OWN" socats preload kernel 7204 "$LARGE,nofork"
works "socat, fork, EXEC,nofork" seccomp server "$OWN" socats seccomp kernel 7205 "$LARGE,nofork"
works "socat, fork, EXEC,nofork" preload server "a static tr's: $TEN" \
    socats preload kernel 7206 "EXEC:busybox tr abcdefgh ABCDEFGH,nofork"
works "socat, fork, EXEC" preload both "$TEN" socats preload preload 7207 "$LARGE"

# ------------------------------------------------------------------------------ bash
# shellcheck disable=SC2016 # it is for the bash that is started
BASH_GET='exec 3<>/dev/tcp/$0/8000 && printf "GET /file HTTP/1.0\r\n\r\n" >&3 &&
    while read -r -u 3 line && [ "$line" != $'\''\r'\'' ]; do :; done && cat <&3 >got'
works "bash, /dev/tcp" preload client "5 MB by read and cat, compared" from $US by preload bash -c "$BASH_GET" $PEER
works "bash, /dev/tcp" seccomp client "5 MB by read and cat, compared" from $US by seccomp bash -c "$BASH_GET" $PEER

# ------------------------------------------------------------------------------ strace
# traced COMMAND...: what it fetches, and what was traced, is whole
traced() {
    rm -f trace
    from "$US" "$@" && grep -q 'execve(.*curl' trace && grep -q 'openat(.*"got"' trace && tail -n 1 trace | grep exited
}
STRACE=(strace -f -o trace)
WHOLE="5 MB, compared; the trace is whole"
works "strace -f curl" preload client "$WHOLE" traced by preload "${STRACE[@]}" "${CURL[@]}"
works "strace -f curl" seccomp client "$WHOLE" traced by seccomp "${STRACE[@]}" "${CURL[@]}"
RUN=("$BUILD/tapstack" run)
works "strace -f tapstack run curl" preload client "$WHOLE" traced "${STRACE[@]}" "${RUN[@]}" -- "${CURL[@]}"
works "strace -f tapstack run curl" seccomp client "$WHOLE" traced "${STRACE[@]}" "${RUN[@]}" --seccomp -- "${CURL[@]}"

# attached PORT PID: while strace looks at a server, and when it has gone
attached() {
    local tracer
    ts_spawn strace -f -p "$2" -o trace 2>attached
    tracer=$TS_PID
    ts_until 20 grep -q attached attached && fetch by kernel curl -sS --fail -o got "http://$US:$1/file" || return
    kill -INT "$tracer"
    ts_until 20 ts_gone "$tracer" && grep -q 'accept\|recvmsg' trace &&
        fetch by kernel curl -sS --fail -o got "http://$US:$1/file"
}
# stopped ADDRESS WAY [PID]: a server, or the client itself, that SIGSTOP stops in mid-transfer goes on after SIGCONT
stopped() {
    local pid
    rm -f slow
    ts_spawn by "$2" curl -sS --fail -m 60 --limit-rate 30M -o slow "http://$1/large"
    pid=$TS_PID
    ts_until 20 test -s slow && kill -STOP "${3:-$pid}" && sleep 0.3 && ! ts_gone "$pid" &&
        kill -CONT "${3:-$pid}" || return
    ts_until 30 ts_gone "$pid" && wait "$pid" && cmp www/large slow
}
head -c 50000000 /dev/urandom >www/large
serve ours by preload "$PYTHON" "$NET/httpd.py" $US 8010 www
PRELOAD=$TS_PID
serve supervised by seccomp "$PYTHON" "$NET/httpd.py" $US 8011 www
SECCOMP=$TS_PID
TRACED="5 MB while python's http.server is traced, and after it, compared"
works "strace -p" preload server "$TRACED" attached 8010 "$PRELOAD"
works "strace -p" seccomp server "$TRACED" attached 8011 "$SECCOMP"
STOPPED="50 MB, stopped in their midst, compared"
works "SIGSTOP to curl" preload client "$STOPPED" stopped $PEER:8000 preload
works "SIGSTOP to curl" seccomp client "$STOPPED" stopped $PEER:8000 seccomp
works "SIGSTOP to python's http.server" preload server "$STOPPED" stopped $US:8010 kernel "$PRELOAD"
works "SIGSTOP to python's http.server" seccomp server "$STOPPED" stopped $US:8011 kernel "$SECCOMP"

# ------------------------------------------------------------------------------ other users
U=(setpriv --reuid 1234 --regid 1234 --clear-groups)
if "${U[@]}" true 2>/dev/null; then
    mkdir suid && chmod 777 .
    if findmnt -n -o OPTIONS -T suid | grep -q nosuid; then mount -t tmpfs -o mode=755 tmpfs suid; fi
    cp "$(command -v bash)" suid/bash && chown nobody suid/bash && chmod 4755 suid/bash
    # As root, which needs no no_new_privs for the filter; what it gains is its own.
    gained() {
        by preload suid/bash -p -c 'id -u >uid' && [ "$(cat uid)" = "$(id -u nobody)" ]
    }
    works "bash, set-user-ID" seccomp client "root runs it: it is supervised; 5 MB, compared" \
        from $US by preload suid/bash -p -c "$BASH_GET" $PEER
    works "bash, set-user-ID" seccomp client "root runs it: it has its owner's rights" gained
    refused() {
        local status=0
        "${U[@]}" "$BUILD/tapstack" run -- suid/bash -c 'echo >ran' 2>why || status=$?
        cat why
        [ "$status" = 126 ] && grep -q 'suid/bash gains rights .* run it as root' why && [ ! -e ran ]
    }
    works "bash, set-user-ID" preload client "another user runs it: refused, and it says why" refused
    told() {
        from "$PEER" "${U[@]}" "$BUILD/tapstack" run -- bash -c 'suid/bash -c "$1" "$0"' "$PEER" "$BASH_GET" 2>why
        local status=$?
        cat why
        [ "$status" = 0 ] && grep -q 'its TCP stays with the kernel' why
    }
    works "bash, set-user-ID" preload client "started by a shell on our stack: the kernel's TCP, and it is said" told
    works "su, to another user" preload client "5 MB, compared" \
        from $US by preload su nobody -s /bin/bash -c "${CURL[*]}"
    if mountpoint -q suid; then umount suid; fi
else
    skip "set-user-ID programs" "no other users here"
    PROGRAMS_PARTLY=1
fi

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
programs_done
