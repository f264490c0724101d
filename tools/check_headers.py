#!/usr/bin/env python3
"""Checks each public header: it compiles alone as C99, C11 and C++17, and keeps to its rules."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import csource

LANGUAGES = (("c", "c99"), ("c", "c11"), ("c++", "c++17"))
SYSTEM_HEADERS = {"stdbool.h", "stddef.h", "stdint.h"}
# Beyond those: error.h gives the -errno codes a meaning, json.h is there for jansson's type.
MORE_HEADERS = {"error.h": {"errno.h"}, "json.h": {"jansson.h"}}
FORBIDDEN_TYPES = r"\b(ssize_t|off_t|time_t|long|SSL|SSL_CTX)\b"


def compile_alone(root, path, language, standard):
    compiler = shutil.which("c++" if language == "c++" else "cc")
    if compiler is None:
        return [f"{path}:1: no compiler for {standard}"]
    name = os.path.relpath(path, "include")
    command = [compiler, "-x", language, f"-std={standard}", "-pedantic", "-Wall", "-Wextra",
               "-Werror", "-fsyntax-only", "-I", os.path.join(root, "include"), "-"]
    done = subprocess.run(command, input=f"#include <{name}>\n", text=True, capture_output=True,
                          check=False)
    if done.returncode == 0:
        return []
    return [f"{path}:1: does not compile alone as {standard}:\n{done.stderr.rstrip()}"]


def check_text(path, text):
    problems = []
    code = csource.strip_comments(text)
    allowed = SYSTEM_HEADERS | MORE_HEADERS.get(os.path.basename(path), set())
    for number, line in enumerate(code.splitlines(), 1):
        macro = re.match(r"\s*#\s*define\s+(\w+)", line)
        if macro and not re.fullmatch(r"WEFT_[A-Z0-9_]+", macro.group(1)):
            problems.append(f"{path}:{number}: macro {macro.group(1)} is not called WEFT_…")
        kind = re.search(FORBIDDEN_TYPES, line)
        if kind and not line.lstrip().startswith("#"):
            problems.append(f"{path}:{number}: {kind.group(1)} in a public header")
        for typedef in re.findall(r"\bweft_\w+_t\b", line):
            problems.append(f"{path}:{number}: {typedef} ends in _t")
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if include and not include.group(1).startswith("weft/") and include.group(1) not in allowed:
            problems.append(f"{path}:{number}: <{include.group(1)}> in a public header")
    if '#ifdef __cplusplus' not in text and path != os.path.join("include", "weft.h"):
        problems.append(f"{path}:1: no extern \"C\" for C++")
    return problems


def check_lists(root, paths):
    """Every header is installed, and is in the umbrella unless it is for tests."""
    problems = []
    build = csource.read(root, "include/meson.build")
    umbrella = csource.read(root, "include/weft.h")
    for path in paths:
        name = os.path.relpath(path, "include")
        if f"'{name}'" not in build:
            problems.append(f"include/meson.build:1: {name} is not installed")
        if f"<{name}>" not in umbrella and name not in ("weft.h", "weft/testing.h",
                                                       "weft/testing_net.h"):
            problems.append(f"include/weft.h:1: {name} is missing")
    return problems


def main():
    args = csource.arguments(__doc__).parse_args()
    paths = csource.public_headers(args.root)
    problems = check_lists(args.root, paths)
    for path in paths:
        problems += check_text(path, csource.read(args.root, path))
    jobs = [(args.root, path, *language) for path in paths for language in LANGUAGES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda job: compile_alone(*job), jobs):
            problems += found
    csource.finish(problems)


if __name__ == "__main__":
    main()
