#!/usr/bin/env python3
"""Prints, as TAP, whether every test that a table of tests/origins/ names is there."""

import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KINDS = r"^(?:(?:FILE_|FS_)?TEST(?:_IN_MEMORY)?|TEST_IN_LOOP|TASK_TEST|VIRTUAL_TEST|TEST_WITH|CONVERSATION(?:_WITH)?)\((\w+)"


def tests_here():
    found = set()
    for path in glob.glob(os.path.join(ROOT, "tests", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as file:
            found |= set(re.findall(KINDS, file.read(), re.M))
    for path in glob.glob(os.path.join(ROOT, "tests", "**", "*.case"), recursive=True):
        with open(path, encoding="utf-8") as file:
            found |= set(re.findall(r"^=== (\w+)", file.read(), re.M))
    return found


def main():
    known = tests_here()
    tables = sorted(glob.glob(os.path.join(ROOT, "tests", "origins", "*.md")))
    print(f"1..{len(tables)}")
    failed = False
    for number, table in enumerate(tables, 1):
        with open(table, encoding="utf-8") as file:
            rows = [line.split("|") for line in file if line.startswith("| ")]
        names = [name for row in rows for name in re.findall(r"`(\w+)`", row[2])]
        missing = [name for name in names if name not in known and not name.startswith("weft_")]
        for name in missing:
            print(f"# there is no test {name}")
        failed |= bool(missing)
        print(f"{'not ok' if missing else 'ok'} {number} {os.path.basename(table)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
