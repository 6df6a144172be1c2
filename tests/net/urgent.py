#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Urgent data as a plain program sees it: send "abc", urgent "U", "def"; expect the same of the peer.

urgent.py listen|connect ADDRESS PORT: prints what came, one line each. Both sides run this program.
"""
import select
import socket
import sys


def main():
    role, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if role == "listen":
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        print("listening", file=sys.stderr, flush=True)
        s, _ = listener.accept()
    else:
        s = socket.create_connection((address, port))
    s.settimeout(30)
    s.send(b"abc")
    s.send(b"U", socket.MSG_OOB)
    s.send(b"def")
    poll = select.poll()
    poll.register(s, select.POLLPRI)
    print("pri", bool(poll.poll(5000)))
    print("urgent", s.recv(1, socket.MSG_OOB).decode())
    before = b""
    while len(before) < 3:
        before += s.recv(3 - len(before))
    print("before", before.decode())
    s.shutdown(socket.SHUT_WR)
    after = b""
    while True:
        piece = s.recv(100)
        if not piece:
            break
        after += piece
    print("after", after.decode())


main()
