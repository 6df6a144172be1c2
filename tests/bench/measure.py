# SPDX-License-Identifier: MIT
"""One measurement: a client runs at a place, and what it cost all processes is counted.

A place is a TCP with the way to its peer: the command that a client needs in front of it, the peer's address, the
processes that work for both, and the interface whose queue may drop. A contestant is what a row compares: a place,
and a function that measures there. A row's contestants are measured in turns.
"""

import glob
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass, field


class Failed(Exception):
    pass


@dataclass
class Place:
    name: str
    address: str
    server: object                              # world.Servers: the programs at the other end
    prefix: list = field(default_factory=list)  # of the client's command
    env: dict = field(default_factory=dict)
    workers: list = field(default_factory=list)  # processes beside client and server
    tap: tuple = None                           # its name, and a process of its namespace
    inverted: bool = False                      # its stack sends what its client receives
    raw: list = None                            # arguments of `raw`, where that is the client


@dataclass
class Contestant:
    who: str
    way: str
    place: object       # a function that gives the place
    measure: object     # a function of place and seconds: figures by their names
    values: dict = field(default_factory=dict)
    drops: int = None   # of the kernel -> TAP queue, in all rounds; None: no such queue
    error: str = None


@dataclass
class Row:
    name: str           # what BENCH_WHAT chooses by
    title: str
    unit: str           # the figure that the table shows, and its name
    about: dict
    contestants: list
    scale: float = 1.0  # of BENCH_SECONDS
    rounds: int = None  # other than BENCH_ROUNDS
    prepare: object = None  # a function that gives figures which are no rounds'
    release: object = None  # undoes it
    memory: dict = None     # those figures
    error: str = None       # why there are none


def need_descriptors(n):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < n:
        raise Failed(f"needs {n} descriptors in a process, the limit is {most}")


def cpu_seconds(pid):
    """All processor time of a process: clock_getcpuclockid(3), also of threads that have ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _soft_interrupt_threads():
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                if f.read().startswith("ksoftirqd/"):
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


SOFT = _soft_interrupt_threads()


def machine_busy():
    """Seconds that all processors were not idle, by /proc/stat."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(x) for x in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def tx_dropped(tap):
    """Frames that the kernel could not put into the queue of this interface."""
    name, pid = tap
    with open(f"/proc/{pid}/net/dev", encoding="ascii") as f:
        for line in f:
            device, _, numbers = line.partition(":")
            if device.strip() == name:
                return int(numbers.split()[11])
    raise Failed(f"no interface {name}")


@dataclass
class Ran:
    text: str
    cpu: float      # seconds of client, server, the place's processes, and the kernel's soft interrupt threads
    machine: float  # seconds of all processors
    wall: float

    def others(self):
        """A figure: what part of the processors' time was nobody's that is measured here."""
        return {"others_share": max(0.0, self.machine - self.cpu) / (self.wall * os.cpu_count())}


def run_client(command, env, limit):
    """Standard output and processor time of a client; its children do not count."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **env}, text=True) as client:
        timer = threading.Timer(limit, client.kill)
        timer.start()
        try:
            # What it prints fits into the pipes.
            _, status, usage = os.wait4(client.pid, 0)
        finally:
            timer.cancel()
        client.returncode = os.waitstatus_to_exitcode(status)
        text, said = client.stdout.read(), client.stderr.read()
    if client.returncode == -9:
        raise Failed(f"not done after {limit:.0f} s")
    if client.returncode:
        raise Failed((said.strip().splitlines() or [f"status {client.returncode}"])[-1])
    return text, usage.ru_utime + usage.ru_stime


def run(place, program, arguments, seconds, done=None):
    """Run a client of this program there; done: a function that waits for the server's end."""
    pids = place.workers + [place.server.pid(program)] + SOFT
    before = [cpu_seconds(pid) for pid in pids]
    begin, machine = time.monotonic(), machine_busy()
    text, cpu = run_client(place.prefix + [str(a) for a in arguments], place.env, seconds + 10)
    if done:
        text += done()
    cpu += sum(cpu_seconds(pid) - b for pid, b in zip(pids, before))
    return Ran(text, cpu, machine_busy() - machine, time.monotonic() - begin)


def measure_once(contestant, seconds):
    place = contestant.place()
    before = tx_dropped(place.tap) if place.tap else None
    figures = contestant.measure(place, seconds)
    if place.tap:
        contestant.drops = (contestant.drops or 0) + tx_dropped(place.tap) - before
    for name, value in figures.items():
        contestant.values.setdefault(name, []).append(value)


def warm_up(row, seconds):
    """Once round a row without counting: a machine that has rested is slow at first, whoever's turn it is."""
    for c in row.contestants:
        try:
            c.measure(c.place(), seconds * row.scale)
        except Failed:
            pass  # will be said when it counts


def measure_row(row, rounds, seconds, say):
    """All contestants in turns; who fails is not asked again."""
    try:
        if row.prepare:
            row.memory = row.prepare()
        take_turns(row, rounds, seconds, say)
    except Failed as e:
        row.error = str(e)
    finally:
        if row.release:
            row.release()


def take_turns(row, rounds, seconds, say):
    for i in range(row.rounds or rounds):
        for c in row.contestants:
            if c.error:
                continue
            say(f"{row.name}: {c.who} {c.way}, round {i + 1}")
            try:
                measure_once(c, seconds * row.scale)
            except Failed as e:
                c.error = str(e)
