#!/usr/bin/env python3
"""Checks the length of files and functions and the depth of nesting."""

import re

import csource

FILE_LINES = 800
FUNCTION_LINES = 70
NESTING = 4
# path, or path:function: why it may be larger.
ALLOWED = {
    "src/proto/status.c:weft_status_reason": "a table: one line for each status of RFC 9110",
}


def functions(code):
    """(name, first line, last line, lines of the body); a function's braces stand in column 0."""
    lines = code.split("\n")
    start = None
    for index, line in enumerate(lines):
        if line.rstrip() == "{":
            start = index
        elif line.rstrip() == "}" and start is not None:
            head = start - 1
            while head > 0 and (not lines[head].strip() or lines[head][0] in " \t)"):
                head -= 1
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head:start]))
            yield name.group(1) if name else "?", head + 1, index + 1, lines[start + 1:index]
            start = None


def depth(body):
    """How many blocks lie within each other; initialisers do not count."""
    now = deepest = 0
    for line in body:
        text = line.strip()
        if text.startswith("}"):
            now -= 1
        if text.endswith("{") and not text.endswith("= {"):
            now += 1
            deepest = max(deepest, now)
        elif text.endswith("= {"):
            now += 1
    return deepest


def check(path, text):
    problems = []
    count = text.count("\n")
    if count > FILE_LINES and path not in ALLOWED:
        problems.append(f"{path}:{count}: {count} lines, the limit is {FILE_LINES}")
    if not path.endswith((".c", ".h")):
        return problems
    for name, first, last, body in functions(csource.strip_comments(text)):
        if f"{path}:{name}" in ALLOWED:
            continue
        if last - first + 1 > FUNCTION_LINES:
            problems.append(f"{path}:{first}: {name} has {last - first + 1} lines, "
                            f"the limit is {FUNCTION_LINES}")
        if depth(body) > NESTING:
            problems.append(f"{path}:{first}: {name} nests {depth(body)} deep, "
                            f"the limit is {NESTING}")
    return problems


def main():
    args = csource.arguments(__doc__).parse_args()
    problems = []
    for path in csource.files(args.root, "include", "src", "tests", "fuzz", "bench", "examples",
                              "tools", ends=(".c", ".h", ".S", ".py", ".sh")):
        problems += check(path, csource.read(args.root, path))
    csource.finish(problems)


if __name__ == "__main__":
    main()
