#!/usr/bin/env python3
"""Checks the comment of every public function: its sections, and parameters as in the prototype."""

import os
import re

import csource

# Headers whose comments are whole.
DONE = ["base.h", "error.h"]
SECTIONS = ["Suspends", "Cancel", "Context", "Return", "Errors", "Source", "Since"]
OWNERSHIP = r"\b(borrows|copies|keeps|takes|gives|lends)\b"


def check_params(where, one, problems):
    documented = re.findall(r"^ \* @(\w+):[ \t]*(.*)$", one.doc, re.M)
    names = [name for name, _ in documented]
    if names != one.params:
        problems.append(f"{where}: {one.name}: @{', @'.join(names) or 'nothing'} documented, "
                        f"the prototype has {', '.join(one.params) or 'no parameters'}")
    for name, text in documented:
        if not text.strip():
            problems.append(f"{where}: {one.name}: @{name} says nothing")


def check_sections(where, one, problems):
    found = re.findall(r"^ \* ([A-Z]\w+):[ \t]+(\S.*)$", one.doc, re.M)
    texts = {name: text for name, text in found if name in SECTIONS}
    order = [name for name, _ in found if name in SECTIONS]
    if order != sorted(order, key=SECTIONS.index):
        problems.append(f"{where}: {one.name}: sections stand in another order than "
                        f"{', '.join(SECTIONS)}")
    needed = ["Suspends", "Since"]
    if one.returns != "void":
        needed.append("Return")
    suspends = texts.get("Suspends", "")
    if suspends and not re.match(r"(never|maybe|yes)\b", suspends):
        problems.append(f"{where}: {one.name}: Suspends begins with never, maybe or yes")
    if re.match(r"(maybe|yes)\b", suspends):
        needed.append("Cancel")
    for name in needed:
        if name not in texts:
            problems.append(f"{where}: {one.name}: no section {name}")
    if not re.match(r"\d+\.\d+$", texts.get("Since", "0.0").strip()):
        problems.append(f"{where}: {one.name}: Since is a version, as 0.1")


def check(path, text):
    problems = []
    for one in csource.declarations(text):
        where = f"{path}:{one.line}"
        if not one.doc.startswith("/**\n"):
            problems.append(f"{where}: {one.name} has no /** comment")
            continue
        where = f"{path}:{one.doc_line}"
        if not re.match(rf"/\*\*\n \* {one.name}\(\) - \S", one.doc):
            problems.append(f"{where}: the first line is not \"{one.name}() - summary\"")
        check_params(where, one, problems)
        check_sections(where, one, problems)
    return problems


def main():
    args = csource.arguments(__doc__).parse_args()
    problems = []
    for name in DONE:
        path = os.path.join("include", "weft", name)
        problems += check(path, csource.read(args.root, path))
    csource.finish(problems)


if __name__ == "__main__":
    main()
