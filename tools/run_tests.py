#!/usr/bin/env python3
"""Runs `meson test` in a build folder and ends with the line "N passed, N failed, N skipped".

    tools/run_tests.py BUILD [--tally FILE] [--brief] [options of meson test]
    tools/run_tests.py --sum FILE

Every test in a test program counts by itself.  --tally adds the counts to a file, --sum prints
the sums of such a file.
"""

import argparse
import json
import os
import re
import subprocess
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def count(entry):
    """(passed, failed, skipped) of one line of testlog.json."""
    out = entry.get("stdout") or ""
    result = entry["result"]
    if not re.search(r"^1\.\.\d+", out, re.M):
        if result == "SKIP":
            return 0, 0, 1
        return (1, 0, 0) if result in PASSED else (0, 1, 0)
    skipped = len(re.findall(r"^ok\b.*# *SKIP", out, re.M | re.I))
    passed = len(re.findall(r"^ok\b", out, re.M)) - skipped
    failed = len(re.findall(r"^not ok\b", out, re.M))
    if failed == 0 and result not in PASSED | {"SKIP"}:
        failed = 1
    return passed, failed, skipped


def skip_reasons(entries):
    """{reason: how many tests}"""
    reasons = {}
    for entry in entries:
        found = re.findall(r"^ok\b.*# *SKIP *(.*)$", entry.get("stdout") or "", re.M | re.I)
        if entry["result"] == "SKIP" and not found:
            found = [((entry.get("stdout") or "").strip().splitlines() or ["no reason"])[-1]]
        for reason in found:
            reasons[reason] = reasons.get(reason, 0) + 1
    return reasons


def line(counts):
    return "{} passed, {} failed, {} skipped".format(*counts)


def add_up(tally):
    """The sums of a tally file; a stage that could not run at all has failed."""
    with open(tally, encoding="utf-8") as file:
        rows = [json.loads(row) for row in file]
    return [sum(row[i] for row in rows) for i in range(3)]


def run(args, options):
    setup = "-" + options[options.index("--setup") + 1] if "--setup" in options else ""
    log = os.path.join(args.build, "meson-logs", f"testlog{setup}.json")
    if os.path.exists(log):
        os.remove(log)
    # Tests wait for clocks and peers as much as they compute, but under Valgrind they compute.
    processes = str((1 if "valgrind" in setup else 2) * (os.cpu_count() or 1))
    command = ["meson", "test", "-C", args.build, "--print-errorlogs",
               "--num-processes", processes, *options]
    if args.brief:
        command.append("--quiet")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    entries = []
    if os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            entries = [json.loads(row) for row in file]
    counts = [sum(column) for column in zip((0, 0, 0), *map(count, entries))]
    if sum(counts) == 0:
        print("no test was run")
    if counts[1] == 0 and (done.returncode != 0 or sum(counts) == 0):
        counts[1] = 1
    for reason, times in sorted(skip_reasons(entries).items()):
        print(f"skipped {times}: {reason}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?")
    parser.add_argument("--tally")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--sum")
    args, options = parser.parse_known_args()
    counts = add_up(args.sum) if args.sum else run(args, options)
    if args.tally:
        with open(args.tally, "a", encoding="utf-8") as file:
            file.write(json.dumps(counts) + "\n")
    print(line(counts) + (" in this stage" if args.tally else ""), flush=True)
    sys.exit(1 if counts[1] else 0)


if __name__ == "__main__":
    main()
