#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_clients.py CHECK ADDRESS PORT: blocking clients of python_servers.py and httpd.py.

CHECK: a function below.
"""

import http.client
import multiprocessing
import os
import selectors
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PIECE = 1 << 16


def receive_all(conn):
    got = bytearray()
    while data := conn.recv(PIECE):
        got += data
    return bytes(got)


def split(answer):
    pid, _, data = answer.partition(b"\n")
    return int(pid), data


def one(where, size):
    """Send and receive at the same time, in two threads; the server's process id."""
    sent = os.urandom(size)
    with socket.create_connection(where, timeout=60) as conn:
        def send():
            conn.sendall(sent)
            conn.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send)
        thread.start()
        pid, got = split(receive_all(conn))
        thread.join()
    assert got == sent
    return pid


def threads(address, port):
    """40 connections by 20 threads; prints how many processes served them"""
    with ThreadPoolExecutor(20) as pool:
        pids = pool.map(lambda size: one((address, port), size), [100000] * 39 + [3000000])
    print(len(set(pids)))


def web(address, port):
    """Each of 16 threads puts and gets its own file on a connection that is kept alive."""
    def work(number):
        conn = http.client.HTTPConnection(address, port, timeout=60)
        sockets = set()
        for turn in range(8):
            data = os.urandom(30000 + number + turn)
            conn.request("PUT", f"/{number}", data)
            sockets.add(conn.sock)
            assert conn.getresponse().read() == b""
            conn.request("GET", f"/{number}")
            sockets.add(conn.sock)
            assert conn.getresponse().read() == data
        conn.close()
        assert len(sockets) == 1
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))


class Nonblocking:
    def __init__(self, selector, where, size):
        self.conn = socket.socket()
        self.conn.setblocking(False)
        self.selector, self.sent, self.got, self.over = selector, os.urandom(size), bytearray(), 0
        self.left = memoryview(self.sent)
        self.error = self.conn.connect_ex(where)
        selector.register(self.conn, selectors.EVENT_READ | selectors.EVENT_WRITE, self.event)

    def event(self, mask):
        if self.left and mask & selectors.EVENT_WRITE:
            assert self.conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            self.left = self.left[self.conn.send(self.left):]
            if not self.left:
                self.conn.shutdown(socket.SHUT_WR)
                self.selector.modify(self.conn, selectors.EVENT_READ, self.event)
        if mask & selectors.EVENT_READ:
            data = self.conn.recv(PIECE)
            self.got += data
            if not data:
                self.selector.unregister(self.conn)
                self.conn.close()
                assert split(bytes(self.got))[1] == self.sent


def selecting(address, port):
    """100 connections at once, connect_ex and selectors."""
    with selectors.DefaultSelector() as selector:
        for number in range(100):
            Nonblocking(selector, (address, port), 20000 + number)
        while selector.get_map():
            for key, mask in selector.select():
                key.data(mask)


def send_for_parent(channel):
    _, fds, _, _ = socket.recv_fds(channel, 1, 1)
    with socket.socket(fileno=fds[0]) as conn:
        conn.sendall(channel.recv(100))
        conn.shutdown(socket.SHUT_WR)


def passing(address, port):
    """A child started afresh sends, and shuts down, on its parent's connection (SCM_RIGHTS)."""
    conn = socket.create_connection((address, port), timeout=60)
    ours, theirs = socket.socketpair()
    child = multiprocessing.get_context("spawn").Process(target=send_for_parent, args=(theirs,))
    child.start()
    socket.send_fds(ours, [b"x"], [conn.fileno()])
    ours.sendall(b"by the child")
    assert split(receive_all(conn))[1] == b"by the child"
    child.join()
    assert child.exitcode == 0


def times_out(call, *args):
    try:
        call(*args)
    except TimeoutError:
        return True
    return False


def timeouts(address, port):
    """Each time-out of a socket, against a server that says nothing and reads nothing."""
    where = (address, port)
    began = time.monotonic()
    assert times_out(socket.create_connection, (os.environ["HOLE"], 9), 0.1), "connect"
    assert time.monotonic() - began >= 0.1
    with socket.create_connection(where, timeout=60) as conn:
        conn.settimeout(0.1)
        assert times_out(conn.recv, 1), "recv"
        assert times_out(conn.sendall, bytes(1 << 26)), "sendall"
        conn.settimeout(0)
        try:
            conn.recv(1)
            raise AssertionError("recv")
        except BlockingIOError:
            pass
    with socket.create_connection(where) as conn:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
        began = time.monotonic()
        try:
            conn.recv(1)
            raise AssertionError("SO_RCVTIMEO")
        except BlockingIOError:
            pass
        assert time.monotonic() - began >= 0.09
    try:
        socket.create_connection((address, 10), timeout=60)
        raise AssertionError("somebody listens")
    except ConnectionRefusedError:
        pass


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
