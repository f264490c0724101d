"""What the documents show is true: programs compile and are the examples, options and files exist."""

import glob
import os
import re
import shlex

import tap


def documents():
    paths = [os.path.join(tap.SOURCE, name)
             for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
    paths += glob.glob(os.path.join(tap.SOURCE, "docs", "**", "*.md"), recursive=True)
    return [(os.path.relpath(path, tap.SOURCE), read(path)) for path in sorted(paths)]


def read(path):
    with open(os.path.join(tap.SOURCE, path), encoding="utf-8") as file:
        return file.read()


def programs(text):
    return re.findall(r"^```c compile\n(.*?)^```$", text, re.M | re.S)


@tap.test(limit=60)
def programs_in_documents_compile():
    compiler = shlex.split(os.environ.get("CC", "cc"))
    count = 0
    for path, text in documents():
        for number, program in enumerate(programs(text), 1):
            with open("snippet.c", "w", encoding="utf-8") as file:
                file.write(program)
            done = tap.run([*compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror",
                            "-Wno-missing-field-initializers",
                            "-I", os.path.join(tap.SOURCE, "include"), "-c", "snippet.c",
                            "-o", "snippet.o"])
            if done.returncode:
                raise AssertionError(f"{path}, program {number}:\n{done.stderr.decode()}")
            count += 1
    if not count:
        raise AssertionError("no program was found")


@tap.test
def programs_in_the_readme_are_examples():
    examples = []
    for path in glob.glob(os.path.join(tap.SOURCE, "examples", "*.c")):
        examples.append(read(path).split("\n", 1)[1])  # without the comment at its head
    found = programs(read("README.md"))
    tap.equal(len(found), 5, "programs in README.md")
    for program in found:
        if program not in examples:
            raise AssertionError(f"README.md shows a program that is no example:\n{program}")


@tap.test
def programs_in_the_guide_to_unreliable_apis_are_examples():
    found = programs(read("docs/guide/unreliable-api.md"))
    names = ("naive", "policy", "budget", "limits")
    tap.equal(len(found), len(names), "programs")
    for name, program in zip(names, found):
        example = read(f"examples/unreliable_{name}.c").split("\n", 1)[1]
        if program != example:
            raise AssertionError(f"the guide does not show examples/unreliable_{name}.c as it is")


@tap.test
def the_program_in_the_guide_to_testing_is_an_example():
    if programs(read("docs/guide/testing.md"))[0] != read("examples/testing_retry.c"):
        raise AssertionError("the guide does not show examples/testing_retry.c as it is")


@tap.test
def examples_are_short():
    for path in glob.glob(os.path.join(tap.SOURCE, "examples", "*.c")):
        lines = read(path).count("\n")
        # A test beside what it tests is as long as two.
        if lines > (115 if os.path.basename(path).startswith("testing_") else 80):
            raise AssertionError(f"{path} has {lines} lines")


@tap.test
def every_example_is_listed():
    text = read("examples/README.md")
    for path in glob.glob(os.path.join(tap.SOURCE, "examples", "*.c")):
        tap.has(text, f"({os.path.basename(path)})", "examples/README.md")


@tap.test
def every_header_is_in_the_readme():
    text = read("README.md")
    for path in glob.glob(os.path.join(tap.SOURCE, "include", "weft", "*.h")):
        tap.has(text, f"`{os.path.basename(path)}`", "README.md")


@tap.test
def every_option_is_documented():
    manual = read("docs/cli.md")
    for verb in ([], ["fetch"], ["serve"]):
        text = tap.run([tap.weft(), *verb, "--help"]).stdout.decode()
        options = re.findall(r"^  (?:(-\w),|   ) (--[\w-]+)", text, re.M)
        if not options:
            raise AssertionError(f"no options in the help of {verb}")
        for letter, name in options:
            if name in ("--help", "--version"):
                continue
            if not re.search(rf"(?<![\w-]){letter or name}(?![\w-])", manual) and \
                    name not in manual:
                raise AssertionError(f"docs/cli.md does not mention {letter or name}")


def anchors(text):
    """Of the headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ +(.*?) *$", prose, re.M)}


@tap.test
def links_lead_somewhere():
    for path, text in documents():
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text):
            if "://" in target:
                continue
            to = os.path.join(os.path.dirname(path), target) if target else path
            if not os.path.exists(os.path.join(tap.SOURCE, to)):
                raise AssertionError(f"{path}: {target} does not exist")
            if anchor and anchor not in anchors(read(to)):
                raise AssertionError(f"{path}: {target} has no heading #{anchor}")


tap.main()
