# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A machine with a systemd of its own, for the tests of the service and of the packages; sourced.
# machine_start boots one in a container over a copy-on-write view of this root file system: what is
# changed in there lies in a tmpfs and is gone afterwards. `inside COMMAND...` runs something there.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PEER=10.77.0.1 US=10.77.0.2
export ROOT PEER US LC_ALL=C.UTF-8
PASSED=0 FAILED=0 BEGAN=$SECONDS
MACHINE="" NSPAWN="" INIT="" CGROUPS=()

# ------------------------------------------------------------------------------ counting

ok() {
    PASSED=$((PASSED + 1))
    echo "ok   $1"
}

# not_ok NAME [DIAGNOSIS...]
not_ok() {
    FAILED=$((FAILED + 1))
    echo "FAIL $1"
    [ $# -lt 2 ] || printf '%s\n' "${@:2}" | sed 's/^/    | /'
    [ -z "$INIT" ] || inside journalctl -q --no-pager -n 12 2>/dev/null | sed 's/^/    | journal: /'
}

# check NAME COMMAND...: passes when the command does; what it prints is the diagnosis.
check() {
    local name=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ $status = 0 ]; then ok "$name"; else not_ok "$name" "status $status: $*" "$out"; fi
    return $status
}

# same NAME WANTED GOT
same() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "got:    $3"; fi
}

scenario() {
    printf '\n== %s\n' "$*"
}

counts() {
    printf '\n%d s\n%d passed, %d failed%s\n' $((SECONDS - BEGAN)) $PASSED $FAILED "${1:+, $1 skipped}"
    exit $((FAILED > 0))
}

# until_true SECONDS COMMAND...: try it until it succeeds.
until_true() {
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# ------------------------------------------------------------------------------ the machine

# Why there can be none, or nothing.
machine_impossible() {
    if [ "$(id -u)" != 0 ]; then
        echo "needs root"
    elif ! command -v systemd-nspawn >/dev/null; then
        echo "there is no systemd-nspawn (package systemd-container)"
    elif ! [ -c /dev/net/tun ]; then
        echo "there is no /dev/net/tun"
    elif ! unshare -m mount -t tmpfs tmpfs /mnt 2>/dev/null; then
        echo "file systems cannot be mounted here"
    fi
}

# Of the control groups that systemd uses, one each for all processes of the machine: those of the
# machine around it stay where they are.
machine_cgroups() {
    local tree
    for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        [ -w $tree/cgroup.procs ] || continue
        mkdir "$tree/${MACHINE##*/}" && CGROUPS+=("$tree/${MACHINE##*/}")
    done
}

machine_boot() {
    local group
    (
        for group in "${CGROUPS[@]}"; do echo $BASHPID >"$group/cgroup.procs"; done
        exec systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \
            --capability=CAP_NET_ADMIN --machine="${MACHINE##*/}" --directory="$MACHINE/root" \
            --boot systemd.unit=ts-test.target systemd.show_status=no
    ) </dev/null >"$MACHINE/console" 2>&1 &
    NSPAWN=$!
}

machine_is_up() {
    [ -d /proc/"$NSPAWN" ] || return 0
    INIT=$(pgrep -P "$NSPAWN" -x systemd) || return 1
    inside systemctl is-active -q ts-test.target 2>/dev/null
}

# Only the services that a test starts: neither those of this machine nor its timers. What installs
# packages here may have forbidden services to start; and a static /dev has no node for TAPs.
machine_start() {
    local why
    why=$(machine_impossible)
    if [ -n "$why" ]; then
        echo "skipped: $why"
        counts 1
    fi
    MACHINE=$(mktemp -d /tmp/ts-machine-XXXXXX)
    trap machine_end EXIT
    trap 'exit 143' INT TERM HUP
    mount -t tmpfs -o mode=755 tmpfs "$MACHINE"
    mkdir "$MACHINE"/{upper,work,root}
    mount -t overlay -o "lowerdir=/,upperdir=$MACHINE/upper,workdir=$MACHINE/work" overlay "$MACHINE/root"
    rm -f "$MACHINE/root/usr/sbin/policy-rc.d"
    printf '[Unit]\nRequires=sysinit.target sockets.target\nAfter=sysinit.target\n' \
        >"$MACHINE/root/etc/systemd/system/ts-test.target"
    machine_cgroups
    machine_boot
    if ! until_true 30 machine_is_up || [ ! -d /proc/"$NSPAWN" ]; then
        not_ok "the machine boots" "$(cat "$MACHINE/console")"
        counts
    fi
    # As udev makes it.
    nsenter -t "$INIT" -m sh -c 'mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200; chmod 666 /dev/net/tun'
}

machine_left() {
    local group
    for group in "${CGROUPS[@]}"; do
        find "$group" -name cgroup.procs -exec cat {} +
    done | sort -u
}

machine_end() {
    local pid group
    trap '' INT TERM HUP
    if [ -n "$NSPAWN" ]; then
        [ -z "$INIT" ] || kill -RTMIN+4 "$INIT" 2>/dev/null # halt, in order
        until_true 10 test ! -d /proc/"$NSPAWN"
        [ -z "$INIT" ] || kill -KILL "$INIT" 2>/dev/null
        for pid in $(machine_left); do kill -KILL "$pid" 2>/dev/null; done
        wait "$NSPAWN" 2>/dev/null
    fi
    for group in "${CGROUPS[@]}"; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
    done
    umount "$MACHINE/root" 2>/dev/null
    umount "$MACHINE" 2>/dev/null
    rmdir "$MACHINE"
}

inside() {
    nsenter -t "$INIT" -m -u -i -n -p --wd env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 no_proxy='*' "$@"
}

# inside_sh TEXT [ARGUMENT...]: the same of a shell's commands
inside_sh() {
    inside bash -c "$1" bash "${@:2}"
}

# property UNIT NAME
property() {
    inside systemctl show --value -p "$2" "$1"
}

main_pid() {
    property "$1" MainPID
}

is_active() {
    [ "$(property "$1" ActiveState)" = active ]
}

# process_status UNIT KEY: a line of /proc/PID/status of its daemon, its fields
process_status() {
    inside awk -v key="$2:" '$1 == key { $1 = ""; print substr($0, 2) }' "/proc/$(main_pid "$1")/status"
}
