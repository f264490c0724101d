"""What the check_*.py tools share: finding C files, reading them without comments, reporting."""

import argparse
import os
import re
import sys
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Declaration = namedtuple("Declaration", "name line returns params doc doc_line")


def arguments(description):
    """The parser that every tool starts from: --root is the tree to look at."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", default=ROOT, help="the project's folder")
    return parser


def files(root, *folders, ends=(".c", ".h")):
    """Paths below root's folders, relative to root, sorted."""
    found = []
    for folder in folders:
        for path, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs if not d.startswith((".", "build", "__pycache__")))
            found += [os.path.relpath(os.path.join(path, n), root)
                      for n in sorted(names) if n.endswith(ends)]
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def blank(match):
    """The same number of lines, without the text."""
    return re.sub(r"[^\n]", " ", match.group(0))


def strip_comments(text):
    """Code with comments, string and character literals blanked; lines keep their numbers."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, blank, text, flags=re.S)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def param_name(param):
    """The name in one parameter of a prototype, also of a function pointer or an array."""
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)", param)
    if pointer:
        return pointer.group(1)
    words = re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", param))
    return words[-1] if words else ""


def split_params(text):
    """[(name, whether it points to something)] for the text between a prototype's parentheses."""
    params, depth, current = [], 0, ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            params.append(current)
            current = ""
        else:
            current += c
    params = [p.strip() for p in params + [current]]
    if params == ["void"]:
        return []
    return [(param_name(p), bool(re.search(r"\*|\[", p)) and "(" not in p)
            for p in params if p != "..."]


def declarations(text):
    """Every WEFT_API function of a header, with the comment right before it."""
    code = strip_comments(text)
    found = []
    for match in re.finditer(r"^WEFT_API\s+([^;{]+?)(\w+)\s*\(([^;]*)\)([^;()]*(\(.*?\))?)*;",
                             code, re.M):
        params = match.group(3)
        # Attributes behind the parameters begin after the first balanced parenthesis.
        depth = 0
        for end, c in enumerate(params):
            depth += (c == "(") - (c == ")")
            if depth < 0:
                params = params[:end]
                break
        before = text[:match.start()].rstrip()
        start = before.rfind("/*") if before.endswith("*/") else len(before)
        found.append(Declaration(match.group(2), line_of(text, match.start()),
                                 match.group(1).strip(), split_params(params),
                                 before[start:], line_of(text, start)))
    return found


def public_headers(root):
    return files(root, "include", ends=(".h",))


def finish(problems):
    """Prints path:line: message for each problem and ends the program."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
    sys.exit(1 if problems else 0)
