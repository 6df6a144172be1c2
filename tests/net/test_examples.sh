#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The examples as a user gets them: installed, built there with what pkg-config says, and run: in C
# blocking, with epoll, by rings; in Python on a descriptor of the library and under tapstack run.
. "$(dirname "$0")/lib.sh"
ts_enter examples "$@"

PREFIX=$(sed -n 's/^prefix=//p' "$BUILD/client/tapstack.pc")
TREE=$TS_DIR/tree
EXAMPLES=$TREE$PREFIX/share/doc/tapstack/examples
export PKG_CONFIG_SYSROOT_DIR=$TREE

install_tree() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$ROOT" -s -o all install BUILD="$BUILD" PREFIX="$PREFIX" \
        DESTDIR="$TREE"
}
build() {
    local flags
    flags=$(pkg-config --cflags --libs tapstack) &&
        (cd "$EXAMPLES" && eval "${CC:-gcc} -O1 -Wall -Wextra -Werror $1.c $flags -o $1")
}
library() { ${TS_EXEC:-} env "LD_LIBRARY_PATH=$(dirname "$(find "$TREE" -name libtapstack.so)")" "$@"; }
as_the_file() { cmp "$TS_DIR/file" "$TS_DIR/$1"; }
# answered NAME COMMAND...: it sends the file, and gets it back
answered() {
    "${@:2}" <"$TS_DIR/file" >"$TS_DIR/$1" 2>"$TS_DIR/$1.errors" || { cat "$TS_DIR/$1.errors"; return 1; }
    as_the_file "$1"
}
clients_see() { tail -n 1 "$TS_DIR/peer" | grep -qx "$1 $US"; }

check "make install" install_tree
same "all examples are installed" "$(cd "$ROOT/client/examples" && ls)" "$(cd "$EXAMPLES" && ls -I tapstackd.conf)"
PKG_CONFIG_LIBDIR=$(dirname "$(find "$TREE" -name tapstack.pc)")
export PKG_CONFIG_LIBDIR
for name in blocking epoll ring; do
    check "$name.c is built with what pkg-config says, without a warning" build $name
done

head -c 3000000 /dev/urandom >"$TS_DIR/file"
ts_start
# The kernel's side: an echo behind the peer's end, one that keeps what it gets, one that sends.
ts_spawn "$PYTHON" -c "
import socket, threading
data = open('$TS_DIR/file', 'rb').read()
def whole(c):
    return b''.join(iter(lambda: c.recv(1 << 16), b''))
def serve(port, what):
    l = socket.create_server(('$PEER', port))
    def run():
        while True:
            c, a = l.accept()
            what(c)
            c.close()
            print(port, a[0], flush=True)
    threading.Thread(target=run).start()
serve(7001, lambda c: c.sendall(whole(c)))
serve(7002, lambda c: open('$TS_DIR/kept', 'wb').write(whole(c)))
serve(7003, lambda c: c.sendall(data))
print('listening', flush=True)" >"$TS_DIR/peer"
ts_until 10 ts_listening "$TS_DIR/peer"

check "blocking.c" answered blocking library "$EXAMPLES/blocking" $PEER 7001
check "its connection was ours" ts_until 5 clients_see 7001
check "and it says how it was" grep -Eq "^ESTAB: [0-9]+ bytes acknowledged so far, round trip [1-9]" "$TS_DIR/blocking.errors"
check "blocking.c says what a refused connection is" sh -c "! '$EXAMPLES/blocking' $PEER 7009 </dev/null"

check "ring.c sends" library "$EXAMPLES/ring" send $PEER 7002 <"$TS_DIR/file"
check "its connection was ours" ts_until 5 clients_see 7002
check "all of it has arrived" as_the_file kept
check "ring.c receives" answered received library "$EXAMPLES/ring" receive $PEER 7003
check "by shared rings, both times" sh -c "[ $(ts_stat rings_made) = 2 ]"

check "plain.py under tapstack run" answered plain ts_run "$PYTHON" "$EXAMPLES/plain.py" $PEER 7001
same "it sees our address" "from $US" "$(cat "$TS_DIR/plain.errors")"
check "descriptor.py" answered descriptor library "$PYTHON" "$EXAMPLES/descriptor.py" $PEER 7001
same "it sees our address" "from $US" "$(cat "$TS_DIR/descriptor.errors")"
same "plain.py without us is the kernel's" "from $PEER" \
    "$("$PYTHON" "$EXAMPLES/plain.py" $PEER 7001 2>&1 >/dev/null </dev/null)"

ts_spawn library "$EXAMPLES/epoll" 7000 2>"$TS_DIR/epoll"
ts_until 10 ts_listening "$TS_DIR/epoll"
check "epoll.c echoes to 40 clients at once" "$PYTHON" -c "
import socket
all = [socket.create_connection(('$US', 7000)) for _ in range(40)]
for i, s in enumerate(all): s.sendall(b'%d ' % i * 2000)
for i, s in enumerate(all):
    wanted, got = b'%d ' % i * 2000, b''
    while len(got) < len(wanted):
        piece = s.recv(65536)
        assert piece, i
        got += piece
    assert got == wanted, i
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b''"
kill "${TS_PIDS[@]}" 2>/dev/null
ts_stop
ts_done
