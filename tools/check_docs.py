#!/usr/bin/env python3
"""Checks the comment of every public function: its sections, and parameters as in the prototype."""

import re

import csource

SECTIONS = ["Suspends", "Cancel", "Context", "Return", "Errors", "Source", "Since"]
OWNERSHIP = r"\b(borrows|copies|keeps|takes|gives|lends)\b"


def check_params(where, one, problems):
    documented = dict(re.findall(r"^ \* @(\w+):((?:.*\n)(?: \*  +.*\n)*)", one.doc, re.M))
    names = [name for name, _ in one.params]
    if list(documented) != names:
        problems.append(f"{where}: {one.name}: @{', @'.join(documented) or 'nothing'} documented, "
                        f"the prototype has {', '.join(names) or 'no parameters'}")
    for name, points in one.params:
        text = documented.get(name, "-")
        if not text.strip():
            problems.append(f"{where}: {one.name}: @{name} says nothing")
        elif points and name in documented and not re.search(OWNERSHIP, text):
            problems.append(f"{where}: {one.name}: @{name} does not say who owns it: borrows, "
                            "copies, keeps, takes, gives or lends")


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
    for path in csource.public_headers(args.root):
        problems += check(path, csource.read(args.root, path))
    csource.finish(problems)


if __name__ == "__main__":
    main()
