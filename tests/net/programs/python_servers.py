#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_servers.py KIND ADDRESS PORT: echo servers of the standard library.

Each says its process id in the connection's first line, then sends back what comes until its end.
KIND: a function below.
"""

import multiprocessing
import os
import selectors
import signal
import socket
import socketserver
import sys
import time

PIECE = 1 << 16
WORKERS = 3


def ready():
    print("listening", flush=True)


def echo(conn):
    with conn:
        conn.sendall(b"%d\n" % os.getpid())
        while data := conn.recv(PIECE):
            conn.sendall(data)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"%d\n" % os.getpid())
        while data := self.request.recv(PIECE):
            self.request.sendall(data)


class ForkingServer(socketserver.ForkingTCPServer):
    request_queue_size = 64
    allow_reuse_address = True


def forking(address, port):
    """A child for each connection."""
    with ForkingServer((address, port), Handler) as server:
        ready()
        server.serve_forever()


def receive_and_echo(channel):
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not fds:
            return
        echo(socket.socket(fileno=fds[0]))


def passing(address, port):
    """The parent accepts and passes the connections (SCM_RIGHTS) to children started afresh."""
    context = multiprocessing.get_context("spawn")
    channels = []
    for _ in range(WORKERS):
        ours, theirs = socket.socketpair()
        context.Process(target=receive_and_echo, args=(theirs,), daemon=True).start()
        theirs.close()
        channels.append(ours)
    with socket.create_server((address, port), backlog=64) as listener:
        ready()
        while True:
            for channel in channels:
                conn, _ = listener.accept()
                socket.send_fds(channel, [b"x"], [conn.fileno()])
                conn.close()


def accept_and_echo(listener):
    while True:
        echo(listener.accept()[0])


def sharing(_, port):
    """One dual-stack listener, in which forked children accept."""
    where = {"family": socket.AF_INET6, "dualstack_ipv6": True}
    assert socket.has_dualstack_ipv6()
    with socket.create_server(("::", port), backlog=64, **where) as listener:
        context = multiprocessing.get_context("fork")
        for _ in range(WORKERS):
            context.Process(target=accept_and_echo, args=(listener,), daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # multiprocessing ends them at the exit
        ready()
        time.sleep(3600)


class Connection:
    """An end of an echo that never blocks."""

    def __init__(self, selector, conn):
        self.selector, self.conn, self.ended = selector, conn, False
        self.buffer = bytearray(b"%d\n" % os.getpid())
        conn.setblocking(False)
        selector.register(conn, selectors.EVENT_WRITE, self.event)

    def event(self, mask):
        if mask & selectors.EVENT_READ:
            data = self.conn.recv(PIECE)
            self.buffer += data
            self.ended = not data
        if mask & selectors.EVENT_WRITE:
            del self.buffer[:self.conn.send(self.buffer)]
        events = (not self.ended and len(self.buffer) < PIECE) * selectors.EVENT_READ
        events |= bool(self.buffer) * selectors.EVENT_WRITE
        if events:
            self.selector.modify(self.conn, events, self.event)
        else:
            self.selector.unregister(self.conn)
            self.conn.close()


def selecting(address, port, selector=None):
    """One thread, selectors.DefaultSelector (epoll)."""
    selector = selector or selectors.DefaultSelector()
    listener = socket.create_server((address, port), backlog=64, reuse_port=True)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ,
                      lambda _: Connection(selector, listener.accept()[0]))
    ready()
    while True:
        for key, mask in selector.select():
            key.data(mask)


def polling(address, port):
    """The same by poll(2)."""
    selecting(address, port, selectors.PollSelector())


def silent(address, port):
    """accept() with a time-out; what it accepts it neither reads nor answers."""
    listener = socket.create_server((address, port))
    listener.settimeout(0.2)
    try:
        listener.accept()
        raise AssertionError("nobody has called")
    except TimeoutError:
        pass
    listener.settimeout(None)
    ready()
    kept = []
    while True:
        kept.append(listener.accept()[0])


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
