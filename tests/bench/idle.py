# SPDX-License-Identifier: MIT
"""Rows of idle connections: what they occupy, and how fast a busy one is beside them.

The memory is that of one moment with all of them there: the resident memory of our daemon and of the program beyond
what it was before, and the kernel's slabs, page tables and per-processor memory beyond that. The kernel's own TCP
comes first and stays until ours has been measured, so that nothing that it gave back is used again.
"""

import os
import subprocess
import time

import bulk
from measure import Contestant, Failed, Row, need_descriptors
from world import PORTS

KERNEL_FIELDS = ("Slab", "PageTables", "SecPageTables", "Percpu")


def kernel_bytes():
    with open("/proc/meminfo", encoding="ascii") as f:
        fields = dict(line.split(":") for line in f)
    return sum(int(fields[name].split()[0]) * 1024 for name in KERNEL_FIELDS if name in fields)


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Held:
    """So many connections, made by a program at this place, until close()."""

    def __init__(self, place, count):
        self.place = place
        place.server.pid("idle")
        before, daemon = kernel_bytes(), sum(resident(pid) for pid in place.workers)
        command = place.prefix + [place.server.world.program("idle"), "hold", place.address, str(PORTS["idle"]),
                                  str(count)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **place.env}, text=True)
        said = self.process.stdout.readline().split()
        if said[:1] != ["held"]:
            raise Failed(f"{count} connections: " + (self.process.stderr.read().strip() or "the program ended"))
        time.sleep(1)  # the daemon gives back what it does not need
        self.count, self.per_s = int(said[1]), int(said[1]) / float(said[2])
        self.kernel = (kernel_bytes() - before) / self.count
        self.daemon = (sum(resident(pid) for pid in place.workers) - daemon) / self.count

    def close(self):
        self.process.communicate()


def hold(world, count, held):
    """The figures of memory; who holds them is added to held, to be closed behind the row."""
    need_descriptors(count + 1900)
    kernel = Held(world.veth(), count)
    held.append(kernel)
    ours = Held(world.ours(tag="idle"), count)
    held.append(ours)
    socket = kernel.kernel / 2  # both ends are the kernel's
    return {"connections": ours.count,
            "ours_daemon_bytes_each": round(ours.daemon),
            "ours_kernel_bytes_each": round(ours.kernel - socket),
            "ours_all_bytes_each": round(ours.daemon + ours.kernel - socket),
            "kernel_tcp_bytes_each": round(socket),
            "ours_connects_per_s": round(ours.per_s), "kernel_connects_per_s": round(kernel.per_s)}


def rows(world, count):
    held = []

    def beside(way):
        return Contestant("ours", f"{way}, beside", lambda: world.ours(way, tag="idle"),
                          lambda at, s: bulk.transfer(at, "send", 1, bulk.PIECE, way, s))

    def alone(way):
        return Contestant("ours", f"{way}, alone", lambda: world.ours(way),
                          lambda at, s: bulk.transfer(at, "send", 1, bulk.PIECE, way, s))

    def release():
        while held:
            held.pop().close()

    yield Row("idle", f"bulk, we send, 1 connection beside {count} idle ones, and a daemon without them", "gbit_s",
              {"kind": "idle", "connections": count},
              [c(way) for way in ("plain", "zero") for c in (beside, alone)],
              prepare=lambda: hold(world, count, held), release=release)


def simulator(world, count):
    """The core alone, in virtual time: bytes of an idle connection among so many (the program of `make cost`)."""
    def ask(_place, _seconds):
        program = os.path.join(world.build, "tests/sim/cost")
        done = subprocess.run([program, str(count)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.strip() or f"cost: status {done.returncode}")
        said = dict(line.split() for line in done.stdout.splitlines())
        return {"bytes_each": float(said["charged_each"]), "resident_bytes_each": float(said["resident_each"])}

    nowhere = type("Nowhere", (), {"tap": None})
    yield Row("simulator", f"memory of an idle connection in the simulator, among {count}", "bytes_each",
              {"kind": "simulator", "connections": count}, [Contestant("ours", "core", nowhere, ask)], rounds=1)
