#!/usr/bin/env python3
"""Checks that every #include keeps to the layers of the design.

A module is a folder of src/ together with its public header.  The table says what each module
stands directly on; what those stand on it may include too.
"""

import os
import re

import csource

LAYERS = {
    "base": [],
    "proto": ["base", "json"],
    "run": ["base"],
    "sync": ["run"],
    "thread": ["run"],
    "stream": ["run"],
    "retry": ["run"],
    "limit": ["stream"],
    "net": ["stream", "thread", "sync"],
    "tls": ["stream", "net"],
    "file": ["stream", "thread"],
    "process": ["stream", "thread"],
    "signal": ["stream", "thread"],
    "client": ["proto", "tls", "net", "stream", "sync", "file", "retry", "limit", "json"],
    "server": ["proto", "tls", "net", "stream", "sync", "json"],
    # json.h stands for itself, so that no other header needs a type of jansson.
    "json": [],
}
# Public headers that are not called as their module is.
HEADER_MODULE = {
    "auth": "client",
    "certificate": "tls",
    "channel": "sync",
    "cookie": "proto",
    "debug": "run",
    "error": "base",
    "exchange": "client",
    "file_more": "file",
    "fs": "file",
    "fs_root": "file",
    "fs_temp": "file",
    "fs_tree": "file",
    "fs_watch": "file",
    "group": "run",
    "hooks": "client",
    "http": "proto",
    "local": "run",
    "mock": "client",
    "response": "client",
    "save": "client",
    "scope": "run",
    "serve": "tls",
    "sse": "client",
    "transport": "client",
    "udp": "net",
    "url": "proto",
    "verbs": "client",
}
# A seam for tests, declared in one place for all modules.
FOR_ALL = {"testing", "testing_net"}
# What only these modules may include: the rest reaches it through them.
FOREIGN = {
    r"openssl/(?!evp)": {"tls"},
    r"openssl/evp": {"tls", "proto"},
    r"liburing": {"run"},
    r"nghttp2/": {"client", "server", "proto"},
    r"jansson": {"client", "server", "proto"},
    r"(sys/(socket|epoll|un)|netinet/\w+|netdb)\.h": {"run", "net"},
    r"poll\.h": {"run", "net", "stream", "file", "process", "signal"},
    r"(pthread|threads|ucontext)\.h": {"base", "run", "sync", "thread", "net", "file", "process",
                                       "signal", "client"},
}
# The codecs know neither files nor clocks.
NOT_IN_PROTO = r"(unistd|fcntl|time|sys/.*|signal|pthread)\.h"


def reach(module):
    """The module and all that it stands on."""
    found = {module}
    for below in LAYERS.get(module, []):
        found |= reach(below)
    return found


def check_public(path, where, name, problems):
    """include/weft/x.h may include the headers of its own module and of those below."""
    own = os.path.basename(path)[:-2]
    if own in FOR_ALL or path == os.path.join("include", "weft.h") or own == "json":
        return
    module = HEADER_MODULE.get(own, own)
    other = HEADER_MODULE.get(name, name)
    if other not in reach(module):
        problems.append(f"{where}: the header of {module} includes that of {other}, "
                        "which is not below it")


def check_source(module, where, quoted, included, problems):
    if included.startswith("weft/") or included == "weft.h":
        other = HEADER_MODULE.get(included[5:-2], included[5:-2])
        if included == "weft.h":
            problems.append(f"{where}: the library includes single headers, not weft.h")
        elif other not in FOR_ALL and other not in reach(module):
            problems.append(f"{where}: {module} includes {included} of {other}, "
                            "which is not below it")
    elif quoted:
        other = included.split("/")[0]
        if "/" not in included:
            problems.append(f"{where}: write \"{module}/{included}\", from src/")
        elif other not in reach(module):
            problems.append(f"{where}: {module} includes {included}, which is not below it")
    else:
        for pattern, modules in FOREIGN.items():
            if re.match(pattern, included) and module not in modules:
                problems.append(f"{where}: <{included}> is for {', '.join(sorted(modules))}")
        if module == "proto" and re.fullmatch(NOT_IN_PROTO, included):
            problems.append(f"{where}: a codec does not include <{included}>")


def check_outside(own, where, quoted, included, problems):
    """Programs see public headers and their own files only."""
    if quoted and not included.startswith(own) and "/" in included:
        problems.append(f"{where}: a program sees public headers only, not {included}")


def main():
    args = csource.arguments(__doc__).parse_args()
    problems = []
    for path in csource.files(args.root, "include", "src", "examples"):
        parts = path.split(os.sep)
        if parts[0] == "src" and parts[1] not in LAYERS and parts[1] != "cli":
            problems.append(f"{path}:1: module {parts[1]} is not in the table of check_layers.py")
            continue
        for number, line in enumerate(csource.read(args.root, path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            where, quoted, included = f"{path}:{number}", match.group(1) == '"', match.group(2)
            if parts[0] == "include":
                if included.startswith("weft/"):
                    check_public(path, where, included[5:-2], problems)
            elif parts[0] == "examples" or parts[1] == "cli":
                check_outside("cli/", where, quoted, included, problems)
            else:
                check_source(parts[1], where, quoted, included, problems)
    csource.finish(problems)


if __name__ == "__main__":
    main()
