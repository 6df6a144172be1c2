# SPDX-License-Identifier: MIT
"""What test_workers.sh asks of programs on the stack and of their peers. A line for each thing that is seen.

workers.py echo ADDR PORT [reuse]  a server that sends back what comes; with reuse one of an SO_REUSEPORT group
workers.py fixed ADDR PORT...     connect to the echo server at ADDR:PORT from each of the other ports, and compare
workers.py hold ADDR PORT N       N connections, a line when they stand; ends with its standard input
workers.py options                what 8 sockets say of TCP_KEEPIDLE
workers.py sockets                how many sockets there are for this user, and why no more
workers.py ports                  eight bind(0), then bind to the same again
workers.py wait ADDR PORT N       listen, do not accept until a line comes, then accept N
workers.py traced BYTES FILE...   how many traces are each of one connection, another one, with so many bytes both ways
"""

import errno
import json
import os
import select
import socket
import sys
import threading


def say(*what):
    print(*what, flush=True)


def serve(c):
    with c:
        while data := c.recv(1 << 16):
            c.sendall(data)


def echo(address, port, *flags):
    n = 0
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if flags:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, int(port)))
    s.listen(128)
    say("ready")
    while True:
        c, _ = s.accept()
        n += 1
        if flags:
            say("accepted", n)
        threading.Thread(target=serve, args=(c,), daemon=True).start()


def exchange(c, data):
    got = b""
    c.sendall(data)
    c.shutdown(socket.SHUT_WR)
    while more := c.recv(1 << 16):
        got += more
    return got == data


def fixed(address, port, *locals_):
    good = names = 0
    for local in map(int, locals_):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
        c.bind(("", local))
        c.settimeout(10)
        c.connect((address, int(port)))
        names += c.getsockname()[1] == local and c.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
        good += exchange(c, os.urandom(50000))
        c.close()
    say(good, names)


def hold(address, port, n):
    held = [socket.create_connection((address, int(port)), 10) for _ in range(int(n))]
    for c in held:
        c.sendall(b"x")
        c.recv(1)
    say("held", len(held))
    sys.stdin.readline()
    bad = 0
    for c in held:
        try:
            bad += c.recv(1) == b""
        except ConnectionResetError:
            bad += 1
    say("ended", bad)


def options():
    sockets = [socket.socket() for _ in range(8)]
    say(*{s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) for s in sockets})


def sockets():
    held = []
    try:
        while len(held) < 100:
            held.append(socket.socket())
    except OSError as e:
        say(len(held), errno.errorcode[e.errno])


def ports():
    chosen, refused = [], 0
    for _ in range(8):
        s = socket.socket()
        s.bind(("", 0))
        chosen.append(s)
    for s in chosen:
        t = socket.socket()
        try:
            t.bind(s.getsockname())
        except OSError as e:
            refused += e.errno == errno.EADDRINUSE
    say(len({s.getsockname()[1] for s in chosen}), refused)


def wait(address, port, n):
    s = socket.socket()
    s.bind((address, int(port)))
    s.listen(64)
    say("ready")
    sys.stdin.readline()
    for _ in range(int(n)):
        if not select.select([s], [], [], 10)[0]:
            break
        serve(s.accept()[0])
    say("done")


def kind_of(n, events):
    """What one whole connection tells, and nothing else; its first numbers, and which side opened it."""

    def each(name, **want):
        return [e for e in events if e["event"] == name and all(e.get(k) == v for k, v in want.items())]

    (begin,) = each("begin")
    (end,) = each("end")
    assert events[-1] is end and end["received"] == n, end
    first = {(e["seq"], e["len"]) for e in each("tcp_transmit_segment", why="first") if e["len"]}
    at = 1
    for seq, length in sorted(first):
        assert seq == at, (seq, at)
        at += length
    assert at == 1 + n, at
    assert sum(e["len"] for e in each("recvfrom")) == n
    syns = [e["flags"] for e in each("tcp_input") if "SYN" in e["flags"]]
    active = events[0] is begin
    assert set(syns) == ({"SYN|ACK"} if active else {"SYN"}), syns
    return (begin["iss"], begin["irs"]), "active" if active else "passive"


def traced(n, *files):
    seen = {}
    for name in files:
        with open(name, encoding="utf-8") as f:
            numbers, kind = kind_of(int(n), [json.loads(line) for line in f])
        assert numbers not in seen, numbers
        seen[numbers] = kind
    kinds = list(seen.values())
    say(kinds.count("active"), "active", kinds.count("passive"), "passive")


globals()[sys.argv[1]](*sys.argv[2:])
