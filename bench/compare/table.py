#!/usr/bin/env python3
"""table.py FOLDER [DOCUMENT]: the rows of run.sh as tables of Markdown, printed or put into a document."""

import glob
import os
import statistics
import sys

BEGIN = "<!-- written by bench/compare/run.sh --update -->\n"
END = "<!-- end of what is written -->\n"
TARGETS = {  # ns
    "weft: retry, success at the first attempt": 50,
    "weft: retry with a policy, success": 50,
    "weft: retry as a block, success": 50,
    "weft: rate limiter, acquire": 30,
    "weft: rate limiter, try_acquire": 30,
    "weft: exact window, acquire": 30,
    "weft: keyed limiter, acquire, one key": 30,
    "weft: shared limiter, acquire": 30,
}


def read(folder, kind):
    """Each row's name, unit and the values of all runs; an indented row belongs to the one above."""
    rows = {}
    for path in sorted(glob.glob(os.path.join(folder, kind + ".*"))):
        above = ""
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                name, value, unit = line.rstrip("\n").rsplit(None, 2)
                if not line.startswith(" "):
                    above = name
                rows.setdefault((above, name, unit), []).append(value)
    return rows


def table(rows, runs):
    lines = [f"| what | target | median of {runs} | least to most |", "|---|---:|---:|---:|"]
    for (_, name, unit), values in rows.items():
        if unit == "installed":
            lines.append(f"| {name} | | not installed | |")
            continue
        ordered = sorted(values, key=float)
        middle = statistics.median_low([float(value) for value in values])
        median = next(value for value in ordered if float(value) == middle)
        target = f"{TARGETS[name]} ns" if name in TARGETS else ""
        lines.append(f"| {name.strip()} | {target} | {median} {unit} | {ordered[0]} to {ordered[-1]} {unit} |")
    return "\n".join(lines) + "\n"


def main():
    folder = sys.argv[1]
    wall = read(folder, "wall")
    cpu = read(folder, "cpu")
    runs = len(glob.glob(os.path.join(folder, "wall.*")))
    with open(os.path.join(folder, "load"), encoding="utf-8") as load:
        loads = sorted((line.strip() for line in load), key=float)
    text = (f"Wall time; the machine's load was {loads[0]} to {loads[-1]}.\n\n" + table(wall, runs) +
            "\nThe same loops of weft in processor time.\n\n" + table(cpu, runs))
    if len(sys.argv) < 3:
        print(text, end="")
        return
    with open(sys.argv[2], encoding="utf-8") as document:
        before, rest = document.read().split(BEGIN)
    after = rest.split(END)[1]
    with open(sys.argv[2], "w", encoding="utf-8") as document:
        document.write(before + BEGIN + "\n" + text + "\n" + END + after)


if __name__ == "__main__":
    main()
