#!/usr/bin/env python3
"""Who kept a ticker beside file work waiting: the loop and its threads, or other programs.

    ticker.py BUILD/bench/bench_files_ticker FOLDER [TICKS [ROW...]]

For each row of the bench the kernel's scheduler is traced (perf, as root), and from what a tick was
late the time is taken off in which the loop's thread was ready to run and a thread of another
program had its processor.  Time of the loop's own workers, of the kernel's workers for its ring,
and of all threads of the kernel, which write for it, is not taken off.
"""

import os
import re
import subprocess
import sys
import tempfile

ROWS = 6
MS = 1_000_000
KERNEL = ("kworker/", "jbd2/", "ksoftirqd/", "migration/", "rcu_", "kswapd", "kcompactd", "kdamond",
          "swapper/")
LINE = re.compile(r"\s*\[(\d+)\]\s+(\d+)\.(\d+):\s+sched:(\w+):\s+(.*)")
SWITCH = re.compile(r"prev_comm=.* prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> "
                    r"next_comm=(.*) next_pid=\d+ next_prio=\d+$")
PAIR = re.compile(r"prev_pid=(\d+) .*next_pid=(\d+)")
WAKE = re.compile(r" pid=(\d+) prio=\d+ target_cpu=(\d+)")


def is_foreign(name, main):
    return name not in ("weft-worker", f"iou-wrk-{main}") and not name.startswith(KERNEL)


def foreign_time(trace, main):
    """Begin and end, in ns, of the times in which others kept the thread main from running."""
    running, since, cpu, name = {}, None, None, None
    for line in trace:
        event = LINE.match(line)
        if not event:
            continue
        where, now = int(event[1]), int(event[2]) * 1000 * MS + int(event[3].ljust(9, "0"))
        if event[4] == "sched_wakeup":
            woken = WAKE.search(event[5])
            if woken and woken[1] == main and since is None:
                since, cpu = now, int(woken[2])
                name = running.get(cpu, "swapper/")
            continue
        switch = SWITCH.match(event[5])
        if not switch:
            continue
        following = PAIR.search(event[5])[2]
        running[where] = switch[3]
        if since is not None and (where == cpu or following == main):
            if is_foreign(name, main):
                yield since, now
            since = now
            name = switch[3]
        if following == main:
            since = None
        elif switch[1] == main and switch[2].startswith("R"):
            since, cpu, name = now, where, switch[3]


def overlap(spans, begin, end):
    return sum(max(0, min(end, b) - max(begin, a)) for a, b in spans)


def quantile(values, per_mille):
    return sorted(values)[(len(values) - 1) * per_mille // 1000] / MS


def row(program, folder, ticks, number, place):
    data, listed = os.path.join(place, "perf.data"), os.path.join(place, "ticks")
    output = subprocess.run(["perf", "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-m", "4096",
                             "-e", "sched:sched_switch", "-e", "sched:sched_wakeup", "-o", data,
                             "--", program, folder, str(ticks), str(number), listed],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    with open(listed, encoding="ascii") as file:
        main, *lines = file.read().splitlines()
    trace = subprocess.Popen(["perf", "script", "--ns", "-i", data, "-F", "cpu,time,event,trace"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    spans = list(foreign_time(trace.stdout, main))
    trace.wait()
    late, ours, first = [], [], 0
    for begin, end in (map(int, line.split()) for line in lines):
        due = begin + MS
        while first < len(spans) and spans[first][1] < due:
            first += 1
        last = first
        while last < len(spans) and spans[last][0] < end:
            last += 1
        late.append(end - due)
        ours.append(max(0, end - due - overlap(spans[first:last], due, end)))
    what = output.splitlines()[-1].split("|")[1].strip()
    print(f"| {what} | {quantile(late, 990):.2f} | {quantile(late, 999):.2f} | "
          f"{quantile(ours, 990):.2f} | {quantile(ours, 999):.2f} | {max(ours) / MS:.2f} |",
          flush=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    ticks = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
    print("| 100 tasks that, ms late | p99 | p99.9 | less other programs: p99 | p99.9 | most |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        for number in sys.argv[4:] or range(ROWS):
            row(sys.argv[1], sys.argv[2], ticks, number, place)


if __name__ == "__main__":
    main()
