#!/usr/bin/env python3
"""runtime.py: what tasks cost in weft, Go, uvloop, asyncio and trio, in one run, as a table.

    bench/compare/runtime.py [--build build] [--rounds 3] [--requests 200000]

It installs nothing: a peer that is missing is named. On Debian the peers are golang-go,
python3-uvloop and python3-trio; libdill and neco have no package there. Any program that
prints the same "key value" lines is one more column: --peer libdill=./tasks_dill.

The server table is taken with the server on one CPU and the load on another one. System calls
are counted by strace in a run of their own, where it is there: the difference of two runs of
unlike length, so that what the start needs is not in it.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROWS = [
    ("yield_ns", "yield between two tasks, ns"),
    ("spawn_ns", "spawn, run and join, ns"),
    ("message_ns", "message through a channel of 64, ns"),
    ("rendezvous_ns", "message handed over, channel without capacity, ns"),
    ("scope_ns", "scope with a timeout that does not fire, ns"),
    ("skynet_ns", "skynet, a task, ns (1,000,000 tasks; Python 10,000)"),
    ("sleeper_us", "start a sleeping task, us"),
    ("sleeper_bytes", "a sleeping task, bytes"),
    ("offload_us", "blocking function on a thread and back, us"),
    ("echo_us", "64 bytes there and back, both sides in the process, 50 connections, us"),
]
CONNECTIONS = 256


def python_with(module):
    """An interpreter that has the module; Debian's modules are those of its own."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    return None


def find_peers(build, work):
    """[(name, command, environment)] and the names of those that are not there."""
    weft = build / "bench/tasks_weft"
    peers = [("weft", [str(weft)], {}), ("weft, epoll", [str(weft)], {"WEFT_BACKEND": "epoll"})]
    missing = []
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", f"{work}/tasks_go", str(HERE / "tasks.go")], check=True,
                       env={**os.environ, "GO111MODULE": "off", "GOCACHE": f"{work}/go"})
        peers.append(("Go", [f"{work}/tasks_go"], {}))
    else:
        missing.append("Go")
    for name in ("uvloop", "asyncio", "trio"):
        python = python_with(name)
        if python:
            peers.append((name, [python, str(HERE / "tasks.py"), name], {}))
        else:
            missing.append(name)
    return peers, missing


def measure_once(command, environment):
    result = subprocess.run([*command, "1"], stdout=subprocess.PIPE, text=True, check=True,
                            env={**os.environ, **environment})
    return dict(line.split() for line in result.stdout.splitlines() if len(line.split()) == 2)


def measure_tasks(peers, rounds):
    """{name: {key: the least of the rounds}}; the peers take turns, so that all see the same machine."""
    values = {name: {} for name, _, _ in peers}
    for _ in range(rounds):
        for name, command, environment in peers:
            for key, value in measure_once(command, environment).items():
                values[name][key] = min(values[name].get(key, value), value, key=float)
    return values


# ---- the server ----

def pinned(command, cpu):
    return ["taskset", "-c", str(cpu), *command] if os.cpu_count() > 1 else command


class Server:
    def __init__(self, command, environment, wrapper=()):
        self.process = subprocess.Popen([*wrapper, *pinned([*command, "serve"], 0)],
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})
        self.port = int(self.process.stdout.readline())

    def cpu_us(self):
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e3

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def load(floor, port, requests):
    subprocess.run(pinned([str(floor), "load", str(port), str(CONNECTIONS), str(requests)], 1),
                   check=True)


def server_cpu(command, environment, floor, requests):
    server = Server(command, environment)
    load(floor, server.port, requests // 10)
    before = server.cpu_us()
    load(floor, server.port, requests)
    took = (server.cpu_us() - before) / requests
    server.stop()
    return took


def calls_of(command, environment, floor, requests, work):
    """How many system calls the server makes from its start on, its children's too."""
    report = pathlib.Path(work) / "strace"
    server = Server(command, environment, ["strace", "-f", "-c", "-qq", "-o", str(report)])
    load(floor, server.port, requests)
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    for child in children.read_text().split():
        os.kill(int(child), 15)
    server.process.wait()
    server.process.stdout.close()
    for line in report.read_text().splitlines():
        if line.split()[-1:] == ["total"]:
            return int(line.split()[3 if len(line.split()) > 5 else 2])
    raise ValueError(f"no total in {report}")


def server_calls(command, environment, floor, requests, work):
    if not shutil.which("strace"):
        return None
    short, long = requests // 20, requests // 4
    return (calls_of(command, environment, floor, long, work) -
            calls_of(command, environment, floor, short, work)) / (long - short)


# ---- tables ----

def print_table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200000)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    with tempfile.TemporaryDirectory() as work:
        peers, missing = find_peers(build, work)
        others = [(name, [command], {}) for name, command in
                  (one.split("=", 1) for one in options.peer)]
        values = measure_tasks(peers + others, options.rounds)
        print_table(["", *values], [[title, *(values[name].get(key, "-") for name in values)]
                                    for key, title in ROWS])
        floor = build / "bench/echo_floor"
        servers = [("epoll in C, the floor", [str(floor)], {}), *peers]
        n_of = {name: options.requests // (10 if "tasks.py" in command[-2:][0] else 1)
                for name, command, _ in servers}
        cpu_of = {}
        for _ in range(options.rounds):
            for name, command, environment in servers:
                took = server_cpu(command, environment, floor, n_of[name])
                cpu_of[name] = min(took, cpu_of.get(name, took))
        rows = []
        for name, command, environment in servers:
            cpu = cpu_of[name]
            calls = server_calls(command, environment, floor, n_of[name], work)
            rows.append((cpu, [name, f"{cpu:.2f}", "-" if calls is None else f"{calls:.3f}"]))
        print_table([f"echo server, {CONNECTIONS} connections", "CPU us/request",
                     "system calls/request"], [cells for _, cells in sorted(rows)])
        for name in missing:
            print(f"{name} is not installed.")


if __name__ == "__main__":
    main()
