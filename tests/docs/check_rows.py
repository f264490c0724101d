"""The rows of the pages for those who know another library: each has an example that compiles.

A page begins with a block ```c names, which declares what its rows use.  Each `code` of a row's second
column is compiled among these names: a statement as it stands, `.field = value` as the options of a
request or a client.  A single name must occur in another example of the page: `_name` stands for any
that ends so.  A row without code gives the reason.
"""

import glob
import os
import re
import shlex

import tap

# Whose fields a row may set without saying so, in this order.
FIRST = ["weft_request_options", "weft_client_options", "weft_retry_policy"]

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


def names_of(cell):
    return [name for code in re.findall(r"`([^`]+)`", cell)
            for name in re.findall(r"(?<!\w)(?:weft|WEFT)_\w+|(?<!\w)_[A-Za-z]\w*", code)]


def is_shown(name, used):
    if name.startswith("_") or name.endswith("_"):
        return any(one.endswith(name) or one.startswith(name) for one in used)
    return name in used


def examples_of(name, text, known):
    """Lines of C for the codes of all rows, and the rows that have none."""
    lines, bare = [], []
    for number, first, second, rest in rows(text):
        try:
            made = [statement(code.strip(), known) for code in re.findall(r"`([^`]+)`", second)]
        except AssertionError as error:
            raise AssertionError(f"{name}:{number}: {error}") from None
        made = [one for one in made if one]
        plain = re.sub(r"`[^`]+`", "", second).strip(" ,;")
        if not made and not names_of(second):
            strict = name in ("httpx.md", "requests.md", "libcurl.md")
            if strict and not plain.startswith(("none", "not ", "the ")) or not second + rest:
                bare.append(f"{name}:{number}: no example and no reason for {first}")
        for code in made:
            lines += [f'#line {number} "{name}"', f"void row_{len(lines)}(void) {{ {code} }}"]
    return lines, bare


@tap.test(limit=60)
def every_row_has_an_example_that_compiles():
    known = structs()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    found = []
    for name, names, text in pages():
        lines, bare = examples_of(name, text, known)
        used = "\n".join(lines + re.findall(r"^```c compile\n(.*?)^```$", text, re.M | re.S))
        used = set(re.findall(r"\b(?:weft|WEFT)_\w+", used))
        found += bare
        found += [f"{name}:{number}: no example of {one}" for number, _, second, _ in rows(text)
                  for one in names_of(second) if not is_shown(one, used)]
        with open("rows.c", "w", encoding="utf-8") as file:
            file.write("\n".join(["#include <jansson.h>", "#include <stdio.h>", "#include <string.h>",
                                  "#include <unistd.h>", "#include <weft.h>",
                                  "#include <weft/testing.h>", "#include <weft/testing_net.h>", names, *lines, ""]))
        done = tap.run([*compiler, "-std=gnu17", "-D_GNU_SOURCE", *WARNINGS, "-I",
                        os.path.join(tap.SOURCE, "include"), "-c", "rows.c", "-o", "rows.o"])
        if done.returncode:
            found.append(f"{done.stderr.decode()}\n(the block at the head of {name} declares what "
                         "its rows use)")
    if found:
        raise AssertionError("\n" + "\n".join(found))


@tap.test
def every_page_has_names_for_its_rows():
    every = glob.glob(os.path.join(tap.SOURCE, "docs", "from-python", "*.md"))
    tap.equal(sorted(name for name, _, _ in pages()), sorted(map(os.path.basename, every)), "pages")


tap.main()
