#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""endings.py DAEMON_PID: the cases of test_reset.sh, in its namespace.

Each case is a pair: what the kernel peer does (here), and an unmodified program (python3 under
`tapstack run`), whose calls are plain read(2) and write(2); it prints what it sees, line by line.
"""

import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

US, PEER = os.environ["US"], os.environ["PEER"]
TOOL = [os.environ["BUILD"] + "/tapstack", "--socket", os.environ["TS_SOCK"]]
DAEMON = int(sys.argv[1])
LIMIT = 30

PRELUDE = f"""
import errno, os, select, signal, socket, struct, sys
US, PEER = {US!r}, {PEER!r}
def say(*what):
    print(*what, flush=True)
def attempt(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
def connect(port):
    s = socket.socket()
    s.connect((PEER, port))
    return s
"""


class Program:
    """A program on our side."""

    def __init__(self, code):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(TOOL + ["run", "--", sys.executable, "-c", PRELUDE + code],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""

    def line(self, limit=LIMIT):
        end = time.monotonic() + limit
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return "(nothing: it hangs)"
            data = os.read(self.process.stdout.fileno(), 4096)
            if not data:
                return "(it ended)"
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def go(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Listener:
    def __init__(self):
        self.sock = socket.create_server((PEER, 0))
        self.sock.settimeout(LIMIT)
        self.port = self.sock.getsockname()[1]

    def accept(self):
        conn, _ = self.sock.accept()
        conn.settimeout(LIMIT)
        return conn


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def ending(conn):
    """Read to the end: "EOF" or the error's name."""
    try:
        while conn.recv(1 << 16):
            pass
        return "EOF"
    except socket.timeout:
        return "(nothing: it hangs)"
    except OSError as e:
        return errno.errorcode[e.errno]


def result(name, wanted, got):
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    good = got in wanted
    print("ok" if good else "not ok", name, f"wanted {' or '.join(map(str, wanted))}, got {got}",
          sep="\t", flush=True)


# ------------------------------------------------------------------------------- the cases

def idle_reset():
    l = Listener()
    p = Program(f"s = connect({l.port}); say('up'); say(attempt(os.read, s.fileno(), 10))")
    conn = l.accept()
    p.line()
    reset(conn)
    result("a reset of an idle connection is ECONNRESET to read(2)", "ECONNRESET", p.line())
    p.end()


def reset_after_data():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
say(os.read(s.fileno(), 10))
say(attempt(os.read, s.fileno(), 10))""")
    conn = l.accept()
    conn.sendall(b"hello")
    result("data before a reset arrives", "b'hello'", p.line())
    reset(conn)
    result("and the reset behind it is ECONNRESET", "ECONNRESET", p.line())
    p.end()


def reset_after_half_close():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
s.shutdown(socket.SHUT_WR)
say('closed')
say(attempt(os.read, s.fileno(), 10))""")
    conn = l.accept()
    p.line()
    result("our half-close is EOF to the peer", "EOF", ending(conn))
    reset(conn)
    result("a reset after our half-close is ECONNRESET", "ECONNRESET", p.line())
    p.end()


def reset_wakes_poll():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
p = select.poll()
p.register(s, select.POLLIN)
say('up')
events = p.poll(8000)
say(bool(events and events[0][1] & (select.POLLIN | select.POLLERR | select.POLLHUP)))
say(errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0))""")
    conn = l.accept()
    p.line()
    reset(conn)
    result("a reset wakes poll(2)", "True", p.line())
    result("SO_ERROR then says ECONNRESET", "ECONNRESET", p.line())
    p.end()


def clean_eof():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
say(os.read(s.fileno(), 10))
say(os.read(s.fileno(), 10))
os.write(s.fileno(), b'still open')
s.close()
say('closed')""")
    conn = l.accept()
    conn.sendall(b"bye")
    conn.shutdown(socket.SHUT_WR)
    p.line()
    result("the peer's FIN is a clean EOF", "b''", p.line())
    result("and the other half still carries data", b"still open", conn.recv(10))
    result("close(2) is a FIN", "EOF", ending(conn))
    p.end()


def unread_close():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
select.select([s], [], [])
say('readable')
sys.stdin.readline()
s.close()
say('closed')""")
    conn = l.accept()
    conn.sendall(b"never read")
    p.line()
    p.go()
    p.line()
    result("closing with unread data resets the peer", "ECONNRESET", ending(conn))
    p.end()


def read_then_close():
    """Both directions shut down, then unread bytes are still read: no reset (a race once)."""
    l = Listener()
    p = Program(f"""
s = connect({l.port})
s.shutdown(socket.SHUT_WR)
say('closed')
sys.stdin.readline()
n = 0
while True:
    got = attempt(os.read, s.fileno(), 1000)
    if not got or isinstance(got, str):
        break
    n += len(got)
say(n, got)
s.close()""")
    conn = l.accept()
    p.line()
    conn.sendall(bytes(50000))
    conn.shutdown(socket.SHUT_WR)
    end = ending(conn)
    time.sleep(0.1)  # nothing to poll for: that it stays so is the point
    p.go()
    result("what is unread when both sides have shut down can still be read", "50000 b''", p.line())
    result("and both ends are clean", "EOF", end)
    p.end()


def killed_sender():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
say('up')
while True:
    os.write(s.fileno(), bytes(65536))""")
    conn = l.accept()
    p.line()
    conn.recv(1 << 16)
    p.process.kill()
    result("a program killed while it sends: the peer sees an end", ("EOF", "ECONNRESET"),
           ending(conn))
    p.end()


def killed_receiver():
    l = Listener()
    p = Program(f"""
s = connect({l.port})
os.read(s.fileno(), 1)
say('up')
while True:
    signal.pause()""")
    conn = l.accept()
    conn.setblocking(False)
    try:
        while True:
            conn.send(bytes(65536))
    except BlockingIOError:
        pass
    p.line()
    p.process.kill()
    conn.settimeout(LIMIT)
    result("a program killed with unread data: the peer sees a reset", "ECONNRESET", ending(conn))
    p.end()


def refused():
    l = Listener()
    port = l.port
    l.sock.close()
    p = Program(f"say(attempt(connect, {port}))")
    result("a refused connect is ECONNREFUSED", "ECONNREFUSED", p.line())
    p.end()


def refused_by_us():
    s = socket.socket()
    s.settimeout(LIMIT)
    try:
        s.connect((US, 9))
        got = 0
    except OSError as e:
        got = errno.errorcode.get(e.errno, e)
    result("we refuse a connect to a port that nobody listens on", "ECONNREFUSED", got)


def nonblocking():
    l = Listener()
    p = Program(f"""
def begin(port):
    s = socket.socket()
    s.setblocking(False)
    say(attempt(s.connect, (PEER, port)))
    p = select.poll()
    p.register(s, select.POLLOUT)
    events = p.poll(8000)
    say(bool(events and events[0][1] & (select.POLLOUT | select.POLLERR | select.POLLHUP)))
    say(errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0))
    return s
s = begin({l.port})
s.setblocking(True)
os.write(s.fileno(), b'after')
s.close()
begin(9)""")
    conn = l.accept()
    result("a non-blocking connect is EINPROGRESS", "EINPROGRESS", p.line())
    result("poll(2) says when it is done", "True", p.line())
    result("SO_ERROR is then 0", "0", p.line())
    result("and the connection carries data", b"after", conn.recv(10))
    result("a non-blocking connect that will be refused is EINPROGRESS", "EINPROGRESS", p.line())
    result("poll(2) says when it was refused", "True", p.line())
    result("SO_ERROR is then ECONNREFUSED", "ECONNREFUSED", p.line())
    p.end()


def pending_connect():
    """Nobody answers: not writable before the answer."""
    p = Program("""
s = socket.socket()
s.setblocking(False)
attempt(s.connect, ('10.77.0.99', 80))
p = select.poll()
p.register(s, select.POLLOUT)
say(p.poll(200))""")
    result("a connecting socket is not writable", "[]", p.line())
    p.end()


def unreachable():
    p = Program("""
s = socket.socket()
say(attempt(s.connect, ('10.77.0.98', 80)))
say(attempt(s.connect, ('10.99.0.1', 80)))""")
    result("a neighbour that does not answer is EHOSTUNREACH", "EHOSTUNREACH", p.line())
    result("a network without a route is ENETUNREACH", "ENETUNREACH", p.line())
    p.end()


def address_in_use():
    p = Program("""
a, b = socket.socket(), socket.socket()
a.bind(('0.0.0.0', 7777))
a.listen()
say(attempt(b.bind, ('0.0.0.0', 7777)))
say(attempt(b.bind, ('10.77.0.77', 7778)))""")
    result("a port in use is EADDRINUSE", "EADDRINUSE", p.line())
    result("an address that is not ours is EADDRNOTAVAIL", "EADDRNOTAVAIL", p.line())
    p.end()


def listener_gone():
    """A program that listens and is killed: its port answers with a reset, waiting peers end."""
    p = Program("""
s = socket.socket()
s.bind(('0.0.0.0', 7790))
s.listen()
say('up')
signal.pause()""")
    p.line()
    conn = socket.create_connection((US, 7790), LIMIT)
    p.process.kill()
    p.end()
    result("a connection that nobody accepted is reset when the listener dies", "ECONNRESET",
           ending(conn))
    try:
        socket.create_connection((US, 7790), LIMIT)
        got = 0
    except OSError as e:
        got = errno.errorcode.get(e.errno, e)
    result("and its port is free", "ECONNREFUSED", got)


def listener_closed():
    """The daemon finds both at once: that the program has closed its listener, and a SYN."""
    p = Program("""
s = socket.socket()
s.bind(('0.0.0.0', 7791))
s.listen()
say('up')
sys.stdin.readline()
s.close()
say('closed')
sys.stdin.readline()""")
    p.line()
    os.kill(DAEMON, signal.SIGSTOP)
    p.go()
    p.line()
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((US, 7791))
    os.kill(DAEMON, signal.SIGCONT)
    select.select([], [s], [], LIMIT)
    result("a connect after the close of a listener is refused", "ECONNREFUSED",
           errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0))
    p.end()


def daemon_killed():
    l = Listener()
    p = Program(f"s = connect({l.port}); say('up'); say(attempt(os.read, s.fileno(), 10))")
    q = Program(f"""
s = connect({l.port})
p = select.poll()
p.register(s, select.POLLIN)
say('up')
p.poll(8000)
say(attempt(os.read, s.fileno(), 10))
say(s.getpeername())
say(attempt(socket.socket))""")
    conns = [l.accept(), l.accept()]
    p.line()
    q.line()
    os.kill(DAEMON, signal.SIGKILL)
    result("the daemon is killed: read(2) says ECONNRESET, not EOF", "ECONNRESET", p.line())
    result("so it does after poll(2)", "ECONNRESET", q.line())
    result("getpeername(2) still answers", f"('{PEER}', {l.port})", q.line())
    result("a new socket fails with ENETDOWN", "ENETDOWN", q.line())
    p.end()
    q.end()
    del conns


def main():
    for case in (idle_reset, reset_after_data, reset_after_half_close, reset_wakes_poll, clean_eof,
                 unread_close, read_then_close, killed_sender, killed_receiver, refused,
                 refused_by_us, nonblocking, pending_connect, unreachable, address_in_use,
                 listener_gone, listener_closed, daemon_killed):
        try:
            case()
        except OSError as e:
            result(f"{case.__name__} goes through", 0, repr(e))
    result("all cases ran", 0, 0)


if __name__ == "__main__":
    main()
