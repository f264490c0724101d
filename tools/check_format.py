#!/usr/bin/env python3
"""Checks that clang-format would change nothing; --fix lets it change what it likes."""

import os
import re
import shutil
import subprocess
import sys

import csource

# Each release formats a little differently; the tree is written with this one.
VERSION = "14"


def main():
    parser = csource.arguments(__doc__)
    parser.add_argument("--fix", action="store_true", help="format the files")
    args = parser.parse_args()
    program = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    if program is None:
        print(f"clang-format {VERSION} is not installed")
        sys.exit(77)
    said = subprocess.run([program, "--version"], text=True, capture_output=True, check=True)
    version = re.search(r"version (\d+)", said.stdout)
    if version is None or version.group(1) != VERSION:
        print(f"the tree is formatted with clang-format {VERSION}, this is {said.stdout.strip()}")
        sys.exit(77)
    paths = csource.files(args.root, "include", "src", "tests", "fuzz", "bench", "examples")
    mode = ["-i"] if args.fix else ["--dry-run"]
    done = subprocess.run([program, *mode, *paths], cwd=args.root, text=True,
                          capture_output=True, check=False)
    problems = {}
    for path, line in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error)", done.stderr, re.M):
        problems.setdefault(os.path.normpath(path), line)
    csource.finish([f"{path}:{line}: not as clang-format writes it: "
                    "run tools/check_format.py --fix" for path, line in problems.items()])


if __name__ == "__main__":
    main()
