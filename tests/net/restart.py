#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""restart.py CASE: a program that lives through the end of its daemon, and its return.

It prints a line at each step, and goes on when a byte comes through the FIFO $GO; test_restart.sh ends and starts the
daemon meanwhile. What must be: a reset, never a hang and never a clean end; clear errors; and the
same process finds the next daemon.
"""

import asyncio
import errno
import os
import resource
import select
import socket
import sys
import threading
import time

PEER = os.environ["PEER"]
GO = os.open(os.environ["GO"], os.O_RDWR)  # a FIFO


def say(*words):
    print(*words, flush=True)


def step(*words):
    say(*words)
    os.read(GO, 1)


def attempt(f, *args):
    try:
        return f(*args)
    except socket.timeout:
        return "hangs"
    except OSError as e:
        return errno.errorcode[e.errno]


def connect(port):
    s = socket.socket()
    s.settimeout(30)
    s.connect((PEER, port))
    return s


def connection(port):
    """Reads, writes and options of one that was established; new calls; and again."""
    s = connect(port)
    idle = connect(port)
    fresh = socket.socket()
    bound = socket.socket()
    bound.bind(("", 9100))
    step("up")
    say("read", attempt(s.recv, 1), attempt(s.recv, 1))
    say("write", attempt(idle.send, b"x"))
    say("names", attempt(s.getsockname) != "ENOTCONN", attempt(s.getpeername)[1] == port)
    say("option", attempt(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
    say("socket", attempt(socket.socket))
    say("connect", attempt(fresh.connect, (PEER, port)))
    say("listen", attempt(bound.listen))
    say("bind", attempt(fresh.bind, ("", 0)))
    step("down")
    say("connect", attempt(fresh.connect, (PEER, port)))
    say("socket", attempt(connect(port).send, b"y"))


def connecting(port):
    """A connect that is under way, without and with waiting; the port swallows SYNs."""
    s = socket.socket()
    s.setblocking(False)
    say(errno.errorcode[s.connect_ex((PEER, port))])
    other = []

    def wait():
        t = socket.socket()
        other.append(attempt(t.connect, (PEER, port)))

    thread = threading.Thread(target=wait)
    thread.start()
    step("up")
    p = select.poll()
    p.register(s, select.POLLOUT)
    say("poll", bool(p.poll(30000)))
    say("error", errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
    thread.join(30)
    say("waiting", *other)


def accept(port):
    """A thread that waits in accept; a listener that is polled, by this process and a child."""
    waiting = socket.create_server(("", port))
    polled = socket.create_server(("", port + 1))
    polled.setblocking(False)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(attempt(waiting.accept)))
    thread.start()
    e = select.epoll()
    e.register(polled, select.EPOLLIN)
    time.sleep(.1)
    step("up")
    thread.join(30)
    say("waiting", *seen)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    end = time.monotonic() + 1
    calls = 0
    while time.monotonic() < end:
        if e.poll(1):
            seen.append(attempt(polled.accept))
            calls += 1
    say("polled", *sorted(set(seen)), calls < 20,
        resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < .3)
    step("down")
    thread = threading.Thread(target=lambda: seen.append(waiting.accept()[0].recv(5)))
    thread.start()
    say("polled", e.poll(30) != [], attempt(polled.accept))
    step("again")
    say("polled", [m for _, m in e.poll(30)], polled.accept()[0].recv(5))
    thread.join(30)
    say("waiting", seen[-1])


def set_up(listener):
    """What was set, before and after listen(2), as it is now; the backlog is where Linux has it."""
    names = ["TCP_DEFER_ACCEPT", "TCP_NODELAY", "TCP_KEEPIDLE", "TCP_USER_TIMEOUT"]
    values = [listener.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
    for name in ["SO_KEEPALIVE", "SO_RCVBUF", "SO_SNDBUF"]:
        values.append(listener.getsockopt(socket.SOL_SOCKET, getattr(socket, name)))
    values.append(listener.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    values.append(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0"))
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return values + [int.from_bytes(info[28:32], sys.byteorder)]


def options(port):
    """A listener with options, which has had a connection or not."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40000)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 33)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    s.bind(("", port))
    s.listen(7)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\5\0\0\0")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 3)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 12345)
    before = set_up(s)
    step("up")
    if s.getsockname()[1] % 2:
        s.accept()[0].recv(5)
    step("accepted")
    s.setblocking(False)
    say("again", attempt(s.accept))
    after = set_up(s)
    say("options", before[-1] == 7, "the same" if after == before else f"{before} {after}")


def loop(port):
    """asyncio: a server that goes on."""
    async def serve(reader, writer):
        writer.write(await reader.read(100))
        writer.close()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        server = await asyncio.start_server(serve, "0.0.0.0", port)
        say("up")
        async with server:
            await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]))
