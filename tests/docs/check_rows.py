"""The rows of the pages for those who know a client: what stands in the second column compiles.

A page that begins with a block ```c names declares there what its rows use.  Each `code` of a row's
second column is compiled among these names: a statement as it stands, `.field = value` as the options
of a client or a request.  A single name needs to exist only; `name()` and words without weft_ are
text.  A row without code says "none", with the reason.
"""

import glob
import os
import re
import shlex

import tap

# Whose fields a row may set without saying so, in this order.
FIRST = ["weft_request_options", "weft_client_options", "weft_tls_options"]

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-Wno-unused-value",
            "-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-maybe-uninitialized"]


def pages():
    for path in sorted(glob.glob(os.path.join(tap.SOURCE, "docs", "from-python", "*.md"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        names = re.search(r"^```c names\n(.*?)^```$", text, re.M | re.S)
        if names:
            yield os.path.basename(path), names.group(1), text


def rows(text):
    """Line number, first cell, second cell, the rest of each row."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        following = lines[number] if number < len(lines) else ""
        if not line.startswith("| ") or following.startswith("|---"):
            continue
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        cells = [cell.strip().replace("\\|", "|") for cell in cells]
        yield number, cells[0], cells[1], " ".join(cells[2:])


def structs():
    """The fields of each option struct, those of general use first."""
    found = {}
    for path in sorted(glob.glob(os.path.join(tap.SOURCE, "include", "weft", "*.h"))):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        for body, name in re.findall(r"typedef struct \w+ \{(.*?)^\} (\w+);", text, re.M | re.S):
            found[name] = set(re.findall(r"(\w+)(?:\[\w+\])?;|\(\*(\w+)\)\(", body))
            found[name] = {one for pair in found[name] for one in pair if one}
    return sorted(found.items(), key=lambda item: FIRST.index(item[0]) if item[0] in FIRST else 99)


def fields(code):
    """The names that `.a = 1, .b = {.c = 2}` sets: a and b."""
    depth, names = 0, []
    for token in re.findall(r'"(?:\\.|[^"\\])*"|[({\[]|[)}\]]|\.\w+\s*=(?!=)', code):
        if token in "({[":
            depth += 1
        elif token in ")}]":
            depth -= 1
        elif token.startswith(".") and depth == 0:
            names.append(token[1:].rstrip("= "))
    return names


def statement(code, known):
    """C for the code of a cell, None for a mere name or a text."""
    if re.fullmatch(r"[.-]?\w+", code) or not re.search(r"\b(?:weft|WEFT|json)_|^\.", code):
        return None
    if not code.startswith("."):
        return code + ";"
    names = fields(code)
    for struct, has in known:
        if names and has.issuperset(names):
            return f"(void)(const {struct}){{.size = 0, {code}}};"
    raise AssertionError(f"no options have all of {', '.join(names) or code}")


@tap.test(limit=60)
def every_row_is_an_example_that_compiles():
    known = structs()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    count = 0
    for name, names, text in pages():
        lines = ["#include <jansson.h>", "#include <stdio.h>", "#include <string.h>",
                 "#include <weft.h>", names]
        for number, first, second, rest in rows(text):
            codes = [code.strip() for code in re.findall(r"`([^`]+)`", second)]
            try:
                made = [one for one in (statement(code, known) for code in codes) if one]
            except AssertionError as error:
                raise AssertionError(f"{name}:{number}: {error}") from None
            plain = re.sub(r"`[^`]+`", "", second).strip(" ,;")
            if not made and not (plain.startswith(("none", "not ", "the ", "no "))
                                 or (not second and rest)):
                raise AssertionError(f"{name}:{number}: no example and no reason for {first}")
            count += bool(made)
            for code in made:
                lines += [f'#line {number} "{name}"', f"void row_{len(lines)}(void) {{ {code} }}"]
        with open("rows.c", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        done = tap.run([*compiler, "-std=gnu17", *WARNINGS, "-I",
                        os.path.join(tap.SOURCE, "include"), "-c", "rows.c", "-o", "rows.o"])
        if done.returncode:
            raise AssertionError(f"{done.stderr.decode()}\n(the names of a row are declared in the "
                                 f"block at the head of {name})")
    if not count:
        raise AssertionError("no row was found")


tap.main()
