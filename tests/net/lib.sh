# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For the tests with a real daemon; sourced. A script that calls `ts_enter NAME "$@"` goes on in a
# network namespace of its own, ts-NAME-PID, which ends with it; without root, in a user namespace.
# There the daemon has the TAP ts0 and 10.77.0.2, and the kernel's TCP is its peer, 10.77.0.1.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(realpath "${BUILD:-$ROOT/build}")
NET=$ROOT/tests/net
export NET
PYTHON=/usr/bin/python3
[ -x $PYTHON ] || PYTHON=python3
US=10.77.0.2
PEER=10.77.0.1
export BUILD US PEER PYTHON LC_ALL=C.UTF-8

# ------------------------------------------------------------------------------ the namespace

ts_enter() {
    [ -z "${TS_NS:-}" ] || { ts_prepare; return; }
    if [ "$(id -u)" != 0 ]; then
        exec unshare -Urnm sh -c 'mount -t tmpfs tmpfs /run && exec "$0" "$@"' "$0" "${@:2}"
    fi
    export TS_NS=ts-$1-$$
    if ! ip netns add "$TS_NS" 2>/dev/null; then
        exec unshare -n "$0" "${@:2}"
    fi
    # Ctrl-C and a time-out reach the inner script as SIGTERM; it cleans up, then we do.
    trap 'kill -TERM "$inner" 2>/dev/null' INT TERM HUP
    trap 'ip netns del "$TS_NS"' EXIT
    nsenter --net="/run/netns/$TS_NS" "$0" "${@:2}" &
    local inner=$! status=0
    wait "$inner" || status=$?
    while kill -0 "$inner" 2>/dev/null; do
        wait "$inner"
        status=$?
    done
    exit "$status"
}

ts_prepare() {
    TS_DIR=$(mktemp -d /tmp/ts-XXXXXX)
    chmod 755 "$TS_DIR" # a daemon under another user writes there
    TS_SOCK=$TS_DIR/ts.sock TS_LOG=$TS_DIR/daemon.log
    TS_DAEMON="" TS_N=0 TS_FAILED=0 TS_PIDS=()
    export TS_DIR TS_SOCK TS_LOG TAPSTACK_SOCKET=$TS_SOCK
    trap ts_clean EXIT
    trap 'exit 143' INT TERM HUP
    ip link set lo up
    if ! { : <>/dev/net/tun; } 2>/dev/null; then
        echo "1..0 # SKIP /dev/net/tun cannot be opened"
        exit 0
    fi
}

ts_clean() {
    local pid pids=("${TS_PIDS[@]}")
    [ -z "$TS_DAEMON" ] || pids+=("$TS_DAEMON")
    trap '' INT TERM HUP
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do
        ts_until 3 ts_gone "$pid" || kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$TS_DIR"
}

# A process that has ended, though nobody may have asked for its status yet.
ts_gone() {
    local stat
    read -r stat <"/proc/$1/stat" || return 0
    [[ ${stat##*) } == Z* ]]
} 2>/dev/null

# ts_until SECONDS COMMAND...: try it until it succeeds.
ts_until() {
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# ts_spawn COMMAND...: start it in the background; TS_PID. Cleaned up at the end.
ts_spawn() {
    TS_EXEC="exec" "$@" & # what the functions below run is then the process itself
    TS_PID=$!
    TS_PIDS+=("$TS_PID")
}

# ------------------------------------------------------------------------------ the daemon

ts_ready() {
    ts_gone "$TS_DAEMON" || "$BUILD/tapstack" --socket "$TS_SOCK" stats >/dev/null 2>&1
}

# ts_start [OPTION...]: the daemon on ts0, with the usual addresses unless told otherwise; with TS_WORKERS
# workers.
ts_start() {
    "$BUILD/tapstackd" --tap ts0 --address $US/24 --host-address $PEER/24 --socket "$TS_SOCK" \
        ${TS_WORKERS:+--workers "$TS_WORKERS"} "$@" 2>>"$TS_LOG" </dev/null &
    TS_DAEMON=$!
    if ! ts_until 30 ts_ready || ts_gone "$TS_DAEMON"; then
        sed 's/^/# daemon: /' "$TS_LOG"
        echo "Bail out! the daemon does not start"
        exit 1
    fi
    # The default congestion control may be one that paces itself to half: not what we measure.
    ip route change 10.77.0.0/24 dev ts0 src $PEER congctl cubic 2>/dev/null || true
}

# ts_stop [NAME]: it must be alive, and end in order when asked to. One test.
ts_stop() {
    local name=${1:-the daemon is alive, and ends with status 0 on SIGTERM} status=0
    local before=${EPOCHREALTIME/./} pid=$TS_DAEMON
    TS_DAEMON=""
    if ts_gone "$pid"; then
        wait "$pid" || status=$?
        not_ok "$name" "it had ended before, with status $status"
        return
    fi
    kill -TERM "$pid"
    if ! ts_until 30 ts_gone "$pid"; then
        kill -KILL "$pid"
        not_ok "$name" "still there after 30 s"
        return
    fi
    wait "$pid" || status=$?
    TS_STOPPED=$(((${EPOCHREALTIME/./} - before) / 1000)) # ms
    if [ $status = 0 ]; then ok "$name"; else not_ok "$name" "status $status"; fi
}

ts_tool() {
    ${TS_EXEC:-} "$BUILD/tapstack" --socket "$TS_SOCK" "$@"
}

ts_run() {
    ${TS_EXEC:-} "$BUILD/tapstack" --socket "$TS_SOCK" run -- "$@"
}

# ts_stat NAME: one of the daemon's counters.
ts_stat() {
    ts_tool stats --all | awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }'
}

# ts_descriptors PID: how many it holds
ts_descriptors() {
    local held_fds=(/proc/"$1"/fd/*)
    echo ${#held_fds[@]}
}

# ts_descriptors_at_rest PID: … when nothing is under way. A tool that has just asked the daemon is one for a moment.
ts_descriptors_at_rest() {
    for _ in {1..20}; do
        ts_descriptors "$1"
        sleep 0.02
    done | sort -n | head -1
}

# ------------------------------------------------------------------------------ TAP output

ok() {
    TS_N=$((TS_N + 1))
    echo "ok $TS_N - $1"
}

# not_ok NAME [DIAGNOSIS]
not_ok() {
    TS_N=$((TS_N + 1)) TS_FAILED=$((TS_FAILED + 1))
    echo "not ok $TS_N - $1"
    [ $# -lt 2 ] || printf '%s\n' "${@:2}" | sed 's/^/#   /'
    ts_daemon_log
}

ts_daemon_log() {
    if [ -s "$TS_LOG" ]; then tail -n 15 "$TS_LOG" | sed 's/^/#   daemon: /'; fi
}

skip() {
    TS_N=$((TS_N + 1))
    echo "ok $TS_N - $1 # SKIP $2"
}

# check NAME COMMAND...: a test that passes when the command does; what it prints is the diagnosis.
check() {
    local name=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ $status = 0 ]; then
        ok "$name"
    else
        not_ok "$name" "status $status: $*" "$out"
    fi
    return $status
}

# same NAME WANTED GOT
same() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got:    $3"; fi
}

# says STATUS PATTERN COMMAND...: it ends with STATUS and prints PATTERN
says() {
    local wanted=$1 pattern=$2 out status=0
    shift 2
    out=$("$@" 2>&1 </dev/null) || status=$?
    printf '%s\n' "$out" | sed -n '1,20p'
    echo "status $status"
    [ "$status" = "$wanted" ] && printf '%s\n' "$out" | grep -Eq -e "$pattern"
}

ts_done() {
    echo "1..$TS_N"
    exit $((TS_FAILED > 0))
}

# ------------------------------------------------------------------------------ transfers

PEER_PROGRAM=$BUILD/tests/net/peer

# ts_listening FILE: until a `peer -a` or python server has said so there.
ts_listening() {
    grep -qi listening "$1" 2>/dev/null
}

# How `peer` is run: kernel (its TCP), run (under tapstack run), lib (by libtapstack), copy and zero (by
# shared rings, attached after TS_ATTACH bytes).
ts_peer() {
    case $1 in
    kernel) ${TS_EXEC:-} "$PEER_PROGRAM" -C cubic "${@:2}" ;;
    run) ts_run "$PEER_PROGRAM" "${@:2}" ;;
    lib) ${TS_EXEC:-} "$PEER_PROGRAM" -l "${@:2}" ;;
    copy | zero) ${TS_EXEC:-} "$PEER_PROGRAM" -R "$1" -A "${TS_ATTACH:-0}" "${@:2}" ;;
    esac
}

# transfer SERVER CLIENT PORT TO_SERVER TO_CLIENT [PEER_OPTION...]: by two peers; bytes checked at
# both ends. TS_RATE: what the client measured.
transfer() {
    local server=$1 client=$2 port=$3 up=$4 down=$5 status=0 address=$PEER pid
    shift 5
    [ "$server" = kernel ] || address=$US
    ts_spawn ts_peer "$server" -a "$port" -s "$down" -r "$up" "$@" 2>"$TS_DIR/server.$port" \
        >"$TS_DIR/server.$port.out"
    pid=$TS_PID
    ts_until 30 ts_listening "$TS_DIR/server.$port" || {
        cat "$TS_DIR/server.$port"
        return 1
    }
    ts_peer "$client" -c "$address:$port" -s "$up" -r "$down" "$@" 2>"$TS_DIR/client.$port" \
        >"$TS_DIR/client.$port.out" || status=$?
    # A client that failed may leave its server waiting.
    [ $status = 0 ] || kill -TERM "$pid" 2>/dev/null
    wait "$pid" || status=$?
    TS_RATE=$(sed -n 's/.* \([0-9.]* Gbit\/s\)$/\1/p' "$TS_DIR/client.$port")
    [ $status = 0 ] || cat "$TS_DIR/client.$port" "$TS_DIR/server.$port"
    return $status
}

# check_transfer NAME SERVER CLIENT PORT TO_SERVER TO_CLIENT [PEER_OPTION...]
check_transfer() {
    local name=$1
    shift
    if transfer "$@" >"$TS_DIR/transfer" 2>&1; then
        ok "$name"
        echo "#   $TS_RATE"
    else
        not_ok "$name" "$(cat "$TS_DIR/transfer")"
        return 1
    fi
}

sha256() {
    "$PYTHON" -c 'import hashlib, sys
h = hashlib.sha256()
while b := sys.stdin.buffer.read(1 << 18):
    h.update(b)
print(h.hexdigest())'
}
