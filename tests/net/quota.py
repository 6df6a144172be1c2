# SPDX-License-Identifier: MIT
"""Memory of one user, from a program of his: use it up, hold it, give it back. A line for each thing that is seen.

quota.py serve ADDR          port 8001 reads nothing, port 8002 reads all and answers with the number of bytes
quota.py fill ADDR           take all that is to be had, say so, wait for a line, give it back
quota.py talk ADDR           what somebody else does meanwhile
"""

import errno
import select
import socket
import sys
import threading

MOST = 5000
BLOCK = b"x" * 65536


def serve(address):
    kept = []

    def never(listener):
        while True:
            kept.append(listener.accept())

    silent = socket.create_server((address, 8001), backlog=128)
    threading.Thread(target=never, args=(silent,), daemon=True).start()
    reader = socket.create_server((address, 8002), backlog=128)
    print("ready", flush=True)
    while True:
        c, _ = reader.accept()
        n = 0
        while got := c.recv(1 << 16):
            n += len(got)
        c.sendall(b"%d\n" % n)
        c.close()


def stuff(s):
    """Write until the daemon takes no more for half a second."""
    s.setblocking(False)
    while select.select([], [s], [], 0.5)[1]:
        try:
            s.send(BLOCK)
        except BlockingIOError:
            continue


def more(held):
    """Sockets until one is refused: why."""
    while len(held) < MOST:
        try:
            held.append(socket.socket())
        except OSError as e:
            return errno.errorcode[e.errno]
    return "nothing"


def fill(address):
    held = [socket.socket()]
    waiting = socket.socket()
    held[0].connect((address, 8001))
    stuff(held[0])
    why = more(held)
    print(why, flush=True)
    try:
        waiting.connect((address, 8002))
        print("connected", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
    sys.stdin.readline()
    for s in held:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    waiting.close()
    print(talk_once(address), flush=True)


def talk_once(address):
    s = socket.socket()
    s.connect((address, 8002))
    for _ in range(64):
        s.sendall(BLOCK)
    s.shutdown(socket.SHUT_WR)
    return s.recv(100).decode().strip()


what, where = sys.argv[1:]
if what == "serve":
    serve(where)
elif what == "fill":
    fill(where)
else:
    print(talk_once(where))
