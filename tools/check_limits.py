#!/usr/bin/env python3
"""check_limits.py - docs/limits.md is the table of src/base/limits.h; this compares or writes it.

    tools/check_limits.py            fails if the page differs from the header
    tools/check_limits.py --update   writes the page
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "src/base/limits.h"
PAGE = ROOT / "docs/limits.md"

HEAD = """# Limits

Everything that a peer, a file or a caller could make large has a number here. The table is made
from `src/base/limits.h` by `tools/check_limits.py --update`. Where an option of the library
overrides a limit, its comment in the header names the default again.

| limit | default | what it bounds |
|---|---:|---|
"""


def value_of(text):
    """The constants are products of decimal numbers."""
    product = 1
    for factor in text.split("*"):
        product *= int(factor.strip())
    return product


def page():
    # One macro, continued over lines: join them, and the halves of split strings.
    text = re.sub(r"\\\n\s*", " ", HEADER.read_text())
    text = re.sub(r'"\s+"', "", text)
    rows = re.findall(r'X\((\w+), ([0-9* ]+), "([^"]*)"\)', text)
    if not rows:
        sys.exit("src/base/limits.h: no table found")
    lines = [f"| {name} | {value_of(value):,} | {what} |\n" for name, value, what in rows]
    return HEAD + "".join(lines)


def main():
    wanted = page()
    if "--update" in sys.argv[1:]:
        PAGE.write_text(wanted)
        return
    if not PAGE.exists() or PAGE.read_text() != wanted:
        sys.exit("docs/limits.md:1: differs from src/base/limits.h: run tools/check_limits.py --update")


if __name__ == "__main__":
    main()
