#!/usr/bin/env python3
"""Checks the source for functions that have a safe counterpart here, and for words that do not land."""

import os
import re

import csource

EVERYWHERE = {
    "sprintf vsprintf strcpy strcat strncpy strncat stpcpy gets": "snprintf, or base/buf.h",
    "strtok strtok_r strsep": "a parser that does not write into its input",
    "atoi atol atoll atof strtol strtoll strtoul strtoull sscanf scanf": "weft__parse_u64",
    "alloca": "a buffer of fixed size or weft__alloc",
    "rand srand random srandom drand48 rand_r": "base/rand.h",
    "gmtime localtime asctime ctime mktime": "the _r function, or proto/date.h",
    "strerror strerror_r perror": "weft_error_text, weft__fail_with",
    "signal system popen": "sigaction, or a process module",
    "setjmp longjmp sigsetjmp siglongjmp": "returning errors",
    "usleep sleep nanosleep": "weft_sleep",
    "mktemp tmpnam tempnam": "mkstemp",
}
# For a group of functions: the folders of src/ that may use them.  Programs see public headers
# only and thus use plain malloc.
IN_FOLDERS = {
    "malloc calloc realloc free strdup strndup asprintf vasprintf reallocarray aligned_alloc "
    "posix_memalign": (("base", "cli"), "base/alloc.h"),
    "socket accept accept4 connect bind listen send recv sendmsg recvmsg sendto recvfrom "
    "setsockopt getsockopt": (("run", "net"), "run or net"),
    "close": (("run", "net", "stream", "file", "process", "signal", "cli"),
              "weft_stream_close, weft_file_close"),
    "pthread_create": (("thread",), "the worker pool of thread"),
}
# (path, function): why it is right there.
ALLOWED = {
    ("src/base/alloc.c", "free"): "the seam itself",
    ("src/run/watchdog.c", "pthread_create"): "watches the loops from outside; there is one",
    ("src/server/static.c", "close"): "opens below a folder, for which file has no call",
}
WORDS = r"\b(TODO|FIXME|XXX|HACK|not implemented|unimplemented)\b"


def call(name):
    """name( that is a call: not a member, not part of another word."""
    return re.compile(rf"(?<![\w.>]){name}\s*\(")


def rules_for(path):
    """[(compiled pattern, function, what to use)] for a file."""
    rules = [(name, use) for names, use in EVERYWHERE.items() for name in names.split()]
    parts = path.split(os.sep)
    if parts[0] == "src":
        for names, (folders, use) in IN_FOLDERS.items():
            if parts[1] not in folders:
                rules += [(name, use) for name in names.split()]
    return [(call(name), name, use) for name, use in rules if (path, name) not in ALLOWED]


def check(path, text):
    problems = []
    code = csource.strip_comments(text)
    rules = rules_for(path)
    for number, (line, raw) in enumerate(zip(code.split("\n"), text.split("\n")), 1):
        for pattern, name, use in rules:
            if pattern.search(line):
                problems.append(f"{path}:{number}: {name}() is banned here: use {use}")
        word = re.search(WORDS, raw)
        if word:
            problems.append(f"{path}:{number}: {word.group(0)}")
        comment = re.match(r"\s*//|.*[;{}]\s*//", raw)
        if comment and "//" not in line:
            problems.append(f"{path}:{number}: comments are written /* so */")
    return problems


def main():
    args = csource.arguments(__doc__).parse_args()
    problems = []
    for path in csource.files(args.root, "include", "src"):
        problems += check(path, csource.read(args.root, path))
    for path, name in ALLOWED:
        full = os.path.join(args.root, path)
        if os.path.exists(full) and not call(name).search(csource.read(args.root, path)):
            problems.append(f"tools/check_banned.py:1: {path} does not call {name}() any more")
    csource.finish(problems)


if __name__ == "__main__":
    main()
