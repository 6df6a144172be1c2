# SPDX-License-Identifier: MIT
"""The places of measure.py: namespaces, interfaces, daemons, servers, the other stacks.

Each is made when it is first asked for. We are in a network namespace of our own; there the kernel serves all that
have a TAP interface here, and loopback. The kernel over veth has two namespaces, slirp4netns and pasta one each.
All of the kernel's sockets use cubic, by their routes: its default may be one that paces itself to half.
"""

import os
import shutil
import signal
import subprocess
import time

from measure import Failed, Place

PORTS = {"bulk": 5001, "pingpong": 5002, "requests": 5003, "connects": 5004, "idle": 5005}
QUEUE = 40000  # frames, as the daemon's


def ip(*arguments, ns=None):
    command = ["ip"] + (["-n", ns] if ns else []) + [str(a) for a in arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")


def until(seconds, true):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def inside(ns):
    return ["nsenter", f"--net=/run/netns/{ns}"] if ns else []


class Servers:
    """The programs at the kernel's end, in a namespace or behind a prefix; each started when it is needed."""

    def __init__(self, world, name, prefix):
        self.world, self.name, self.prefix, self.started = world, name, prefix, {}

    def start(self, program):
        path = os.path.join(self.world.folder, f"{self.name}-{program}")
        command = self.prefix + [self.world.program(program), "serve", str(PORTS[program])]
        process = self.world.spawn(command, path)

        def listening():
            if process.poll() is not None:
                raise Failed(f"{program} at {self.name}: {self.world.last_words(path)}")
            return "listening" in open(path, encoding="utf-8").read()
        if not until(5, listening):
            raise Failed(f"{program} at {self.name} does not listen")
        self.started[program] = process.pid, path

    def pid(self, program):
        if program == "raw":
            program = "bulk"
        if program not in self.started:
            self.start(program)
        return self.started[program][0]

    def lines(self, program, run):
        """What the server has said of this run."""
        path = self.started[program][1]
        return [line for line in open(path, encoding="utf-8") if line.split()[1:2] == [str(run)]]


class World:
    def __init__(self, build, folder, namespace, daemon_options):
        self.build, self.folder, self.namespace = build, folder, namespace
        self.daemon_options = daemon_options
        self.spawned, self.namespaces, self.places, self.daemons = [], [], {}, {}
        self.ports_wide(None)
        ip("route", "change", "local", "127.0.0.0/8", "dev", "lo", "table", "local", "src", "127.0.0.1",
           "congctl", "cubic")
        self.here = Servers(self, "here", [])

    # ---------------------------------------------------------------------------- processes

    def program(self, name, folder=""):
        return os.path.join(self.build, "tests/bench", folder, name)

    def spawn(self, command, path, **more):
        with open(path, "w", encoding="utf-8") as out:
            process = subprocess.Popen(command, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=out,
                                       stderr=subprocess.STDOUT, **more)
        self.spawned.append(process)
        return process

    @staticmethod
    def last_words(path):
        with open(path, encoding="utf-8", errors="replace") as f:
            return (f.read().strip().splitlines() or ["it said nothing"])[-1]

    def new_namespace(self, name):
        name = f"{self.namespace}-{name}"
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("link", "set", "lo", "up", ns=name)
        self.ports_wide(name)
        return name

    @staticmethod
    def ports_wide(ns):
        """Clients use up ports faster than TIME-WAIT gives them back. Servers are below: a client's port is taken."""
        subprocess.run(inside(ns) + ["sysctl", "-qw", "net.ipv4.ip_local_port_range=10000 65535",
                                     "net.ipv4.tcp_tw_reuse=1"], check=True)

    def place(self, key, make):
        """The place of that name, made now if it is asked for the first time. A failure stays one."""
        if key not in self.places:
            try:
                self.places[key] = make()
            except Failed as e:
                self.places[key] = e
        if isinstance(self.places[key], Failed):
            raise self.places[key]
        return self.places[key]

    # ---------------------------------------------------------------------------- ours

    def daemon(self, mtu, offload, spin, tag):
        """One for each set of options, on an interface and a network of its own."""
        key = (mtu, offload, spin, tag)
        if key in self.daemons:
            return self.daemons[key]
        n = len(self.daemons)
        socket, log = os.path.join(self.folder, f"ts{n}.sock"), os.path.join(self.folder, f"ts{n}.log")
        command = [os.path.join(self.build, "tapstackd"), "--tap", f"ts{n}", "--address", f"10.77.{n}.2/24",
                   "--host-address", f"10.77.{n}.1/24", "--socket", socket, "--mtu", str(mtu)]
        command += ([] if offload else ["--no-offload"]) + ([] if spin else ["--busy-poll", "0"])
        process = self.spawn(command + self.daemon_options, log)

        def ready():
            if process.poll() is not None:
                raise Failed(f"tapstackd: {self.last_words(log)}")
            return os.path.exists(socket) and not self.tool(socket, "stats")
        if not until(10, ready):
            raise Failed("tapstackd does not start")
        ip("route", "change", f"10.77.{n}.0/24", "dev", f"ts{n}", "src", f"10.77.{n}.1", "congctl", "cubic")
        # As tcp_tw_reuse does for the kernel's clients: a port is free again after a second.
        self.tool(socket, "set", "ip_local_port_range_min=10000", "ip_local_port_range_max=65535", "tcp_time_wait=1")
        self.daemons[key] = n, socket, process
        return self.daemons[key]

    def tool(self, socket, *arguments):
        return subprocess.run([os.path.join(self.build, "tapstack"), "--socket", socket, *arguments],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode

    def ours(self, way="plain", mtu=1500, offload=True, spin=True, tag=""):
        def make():
            n, socket, process = self.daemon(mtu, offload, spin, tag)
            run = [os.path.join(self.build, "tapstack"), "--socket", socket, "run", "--"]
            return Place("ours", f"10.77.{n}.1", self.here, prefix=run if way == "plain" else [],
                         env={"TAPSTACK_SOCKET": socket}, workers=[process.pid], tap=(f"ts{n}", os.getpid()))
        return self.place(("ours", way, mtu, offload, spin, tag), make)

    def ours_serving(self):
        """The client is the kernel's, the server ours."""
        def make():
            n, socket, process = self.daemon(1500, True, True, "")
            run = [os.path.join(self.build, "tapstack"), "--socket", socket, "run", "--"]
            return Place("ours", f"10.77.{n}.2", Servers(self, "ours", run), workers=[process.pid],
                         tap=(f"ts{n}", os.getpid()))
        return self.place(("ours serving",), make)

    # ---------------------------------------------------------------------------- the kernel

    def loopback(self):
        return self.place(("loopback",), lambda: Place("loopback", "127.0.0.1", self.here))

    def kernel_namespaces(self):
        def make():
            server, client = self.new_namespace("server"), self.new_namespace("client")
            return server, client, Servers(self, "veth", inside(server))
        return self.place(("namespaces",), make)

    def veth(self, mtu=1500, offload=True):
        def make():
            server, client, servers = self.kernel_namespaces()
            n = sum(1 for key in self.places if key[0] == "veth")
            name = f"tsv{n}"
            ip("link", "add", name, "netns", server, "type", "veth", "peer", "name", name, "netns", client)
            for ns, host in ((server, 1), (client, 2)):
                ip("addr", "add", f"10.88.{n}.{host}/24", "dev", name, ns=ns)
                ip("link", "set", name, "mtu", mtu, "up", ns=ns)
                ip("route", "change", f"10.88.{n}.0/24", "dev", name, "src", f"10.88.{n}.{host}", "congctl", "cubic",
                   ns=ns)
                if not offload:
                    self.no_offload(ns, name)
            return Place("veth", f"10.88.{n}.1", servers, prefix=inside(client))
        return self.place(("veth", mtu, offload), make)

    @staticmethod
    def no_offload(ns, name):
        done = subprocess.run(inside(ns) + ["ethtool", "-K", name, "tx", "off", "rx", "off", "sg", "off", "tso", "off",
                                            "gso", "off", "gro", "off"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"ethtool: {done.stderr.strip()}")

    # ---------------------------------------------------------------------------- others

    def new_tap(self, name, network, mtu, *flags):
        ip("tuntap", "add", name, "mode", "tap", *flags)
        ip("addr", "add", f"{network}.1/24", "dev", name)
        ip("link", "set", name, "mtu", mtu, "txqueuelen", QUEUE, "up")
        ip("route", "change", f"{network}.0/24", "dev", name, "src", f"{network}.1", "congctl", "cubic")

    def raw(self, mtu=1500, offload=True):
        def make():
            n = sum(1 for key in self.places if key[0] == "raw")
            name, network = f"raw{n}", f"10.78.{n}"
            self.new_tap(name, network, mtu, *(["vnet_hdr"] if offload else []))
            ip("neigh", "add", f"{network}.2", "lladdr", "02:00:00:00:00:09", "dev", name, "nud", "permanent")
            return Place("raw", f"{network}.1", self.here, tap=(name, os.getpid()),
                         raw=[name, f"{network}.2"] + ([] if offload else ["frames"]))
        return self.place(("raw", mtu, offload), make)

    def lwip(self):
        def make():
            if not os.path.exists(self.program("bulk", "lwip")):
                raise Failed("not built (liblwip-dev)")
            self.new_tap("lw0", "10.79.0", 1500)
            return Place("lwip", "10.79.0.1", self.here, tap=("lw0", os.getpid()),
                         env={"BENCH_LWIP_TAP": "lw0", "BENCH_LWIP_ADDRESS": "10.79.0.2"})
        return self.place(("lwip",), make)

    def other(self, name, address, ns, command):
        """A program that is the stack of a namespace, on an interface tap0 there."""
        if not shutil.which(command[0]):
            raise Failed(f"{command[0]} is not installed")
        log = os.path.join(self.folder, f"{ns}.log")
        process = self.spawn(command, log)
        witness = self.spawn(inside(ns) + ["sleep", "infinity"], os.devnull)

        def up():
            if process.poll() is not None:
                raise Failed(f"{name}: {self.last_words(log)}")
            return " tap0 " in subprocess.run(["ip", "-n", ns, "-4", "addr"], capture_output=True, text=True,
                                              check=False).stdout.replace(":", "")
        if not until(5, up):
            raise Failed(f"{name} makes no interface")
        return Place(name, address, self.here, prefix=inside(ns), workers=[process.pid], tap=("tap0", witness.pid),
                     inverted=True)

    def slirp4netns(self, mtu=1500):
        def make():
            ns = self.new_namespace(f"slirp{mtu}")
            return self.other("slirp4netns", "10.0.2.2", ns,
                              ["slirp4netns", "-c", "-m", str(mtu), "--netns-type=path", f"/run/netns/{ns}", "tap0"])
        return self.place(("slirp4netns", mtu), make)

    def pasta(self, mtu=1500):
        def make():
            ns = self.new_namespace(f"pasta{mtu}")
            self.outward()
            found = self.other("pasta", "10.75.0.1", ns,
                               ["pasta", "-f", "--config-net", "-a", "10.75.0.2", "-n", "24", "-g", "10.75.0.1",
                                "-m", str(mtu), "-I", "tap0", "-t", "none", "-u", "none", "-T", "none", "-U", "none",
                                "--runas", "0", "--netns", f"/run/netns/{ns}"])
            ip("link", "set", "tap0", "mtu", mtu, ns=ns)
            return found
        return self.place(("pasta", mtu), make)

    def outward(self):
        """pasta wants an interface with a default route."""
        def make():
            ip("link", "add", "up0", "type", "veth", "peer", "name", "up1")
            ip("addr", "add", "10.76.0.1/24", "dev", "up0")
            ip("link", "set", "up1", "up")
            ip("link", "set", "up0", "up")
            ip("route", "add", "default", "via", "10.76.0.254", "dev", "up0")
            return True
        return self.place(("outward",), make)

    # ---------------------------------------------------------------------------- the end

    def close(self):
        """Everything ends; gives what a daemon of ours did not do in order."""
        faults = []
        for key, (n, _, process) in self.daemons.items():
            if process.poll() is not None:
                faults.append(f"tapstackd ts{n} {key} had ended, status {process.returncode}")
        for process in self.spawned:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.spawned:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for n, _, process in self.daemons.values():
            if process.returncode:
                faults.append(f"tapstackd ts{n}: status {process.returncode}: "
                              + self.last_words(os.path.join(self.folder, f"ts{n}.log")))
        for ns in self.namespaces:
            subprocess.run(["ip", "netns", "del", ns], check=False)
        return faults
