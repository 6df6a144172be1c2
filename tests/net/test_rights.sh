#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Rights, with programs of other users: the control socket's mode and group, and the table of the
# configuration: ports and addresses to bind, destinations, the number of sockets, memory.
. "$(dirname "$0")/lib.sh"
ts_enter rights "$@"

as() { # as UID GID,GID... COMMAND...
    setpriv --reuid="$1" --regid="${2%%,*}" --groups "$2" "${@:3}"
}
if ! as 4001 4001 true 2>/dev/null; then
    echo "1..0 # SKIP no other users here"
    exit 0
fi
chmod 755 "$TS_DIR"
cat >"$TS_DIR/conf" <<END
[tapstack]
socket-mode = 0660
socket-group = 4000
[user 4001]
bind = $US:80, :9000-9010
[group 4002]
connect = $PEER:8000
connections = 3
[user 4005]
memory = 1M
END

# attempt UID GROUPS PYTHON: what it prints, or the error's name
attempt() {
    as "$1" "$2" "$BUILD/tapstack" --socket "$TS_SOCK" run -- "$PYTHON" -c "
import errno, socket
def bind(*a):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(a)
    return 'bound'
def connect(*a):
    socket.socket().connect(a)
    return 'connected'
try:
    print($3)
except OSError as e:
    print(errno.errorcode[e.errno])" 2>"$TS_DIR/err"
}

ts_start --config "$TS_DIR/conf"
same "the socket's mode and group" "660 4000" "$(stat -c '%a %g' "$TS_SOCK")"
same "who is not in the group cannot ask" "" "$(attempt 4009 4009 1)"
same "a member of the group can" bound "$(attempt 4009 4000 "bind('$US', 8080)")"
same "ports below 1024 are for root" EACCES "$(attempt 4009 4000 "bind('$US', 80)")"
same "root has them" bound "$(attempt 0 0 "bind('$US', 80)")"
same "and who the table names" bound "$(attempt 4001 4000 "bind('$US', 80)")"
same "at that address only" EACCES "$(attempt 4001 4000 "bind('', 80)")"
same "a rule without an address is for all" bound "$(attempt 4001 4000 "bind('', 9010)")"
same "other ports are not his" EACCES "$(attempt 4001 4000 "bind('$US', 8080)")"
same "any free port is" bound "$(attempt 4001 4000 "bind('$US', 0)")"
ts_spawn "$PYTHON" -m http.server --bind $PEER 8000 >/dev/null 2>&1
listens() { ss -Hltn "sport = :8000" | grep -q LISTEN; }
ts_until 30 listens
same "a group's destination" connected "$(attempt 4003 4000,4002 "connect('$PEER', 8000)")"
same "no other port" EACCES "$(attempt 4003 4000,4002 "connect('$PEER', 8001)")"
same "no other address" EACCES "$(attempt 4003 4000,4002 "connect('10.77.0.9', 8000)")"
same "others go everywhere" ECONNREFUSED "$(attempt 4009 4000 "connect('$PEER', 8001)")"
same "a group's number of sockets" EMFILE \
    "$(attempt 4003 4000,4002 "len([socket.socket() for _ in range(4)])")"
same "is each member's own" 3 "$(attempt 4004 4000,4002 "len([socket.socket() for _ in range(3)])")"

# One user uses his memory up and holds it: he gets no more, others notice nothing.
quota() { # quota UID WHAT
    as "$1" 4000 "$BUILD/tapstack" --socket "$TS_SOCK" run -- "$PYTHON" -c "$(cat "${0%/*}/quota.py")" "$2" $PEER
}
ts_spawn "$PYTHON" "${0%/*}/quota.py" serve $PEER >"$TS_DIR/serve" 2>&1
ts_until 5 grep -q ready "$TS_DIR/serve"
mkfifo "$TS_DIR/go"
(exec 4<>"$TS_DIR/go" && quota 4005 fill <"$TS_DIR/go") >"$TS_DIR/filled" 2>&1 &
filler=$!
refused_twice() { [ "$(wc -l <"$TS_DIR/filled")" -ge 2 ]; }
ts_until 30 refused_twice
same "who has used up his memory gets no more sockets" ENOBUFS "$(sed -n 1p "$TS_DIR/filled")"
same "and connects nowhere" ENOBUFS "$(sed -n 2p "$TS_DIR/filled")"
same "another one's transfer goes on" 4194304 "$(quota 4009 talk)"
same "a third has his own account" bound "$(attempt 4001 4000 "bind('$US', 80)")"
echo >"$TS_DIR/go"
wait "$filler"
same "what he gives back he may have again" 4194304 "$(sed -n 3p "$TS_DIR/filled")"
check "the daemon counts who was refused" test "$(ts_stat quota_refused)" -ge 2
ts_stop

cat >"$TS_DIR/conf" <<END
[user 4001]
bind = nonsense
END
if "$BUILD/tapstackd" --config "$TS_DIR/conf" --tap ts0 --address $US/24 2>"$TS_DIR/err"; then
    not_ok "a malformed rule is an error"
else
    check "a malformed rule is an error that names its line" grep -q "conf:2: bind: malformed" "$TS_DIR/err"
fi
ts_done
