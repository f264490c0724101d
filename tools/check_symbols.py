#!/usr/bin/env python3
"""Checks that headers, src/weft.map and the built library export the same symbols.

    tools/check_symbols.py --update      writes src/weft.map anew from headers and build/

The map lists, below the name of its header, each function that a public header declares and the
library defines.  The lists of different headers stand apart, so that two branches which add to
different headers merge without a conflict.
"""

import os
import re
import subprocess

import csource

def symbols_of(path, *options):
    """Names of the defined global symbols of an archive or a shared object."""
    done = subprocess.run(["nm", "--defined-only", *options, path], text=True,
                          capture_output=True, check=True)
    found = set()
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "TDRBVWiu":
            found.add(words[2].split("@")[0])
    return found


def declared(root):
    """{name: (header, line)}, headers in the order of the umbrella."""
    umbrella = re.findall(r"<(weft/\w+\.h)>", csource.read(root, "include/weft.h"))
    found = {}
    for name in umbrella + ["weft/testing.h", "weft/testing_net.h"]:
        for one in csource.declarations(csource.read(root, os.path.join("include", name))):
            found[one.name] = (name, one.line)
    return found


def map_text(declarations, defined):
    text = "WEFT_0 {\nglobal:\n"
    for header in dict.fromkeys(header for header, _ in declarations.values()):
        names = sorted(n for n, (h, _) in declarations.items() if h == header and n in defined)
        text += f"    /* {header} */\n" + "".join(f"    {name};\n" for name in names) + "\n"
    return text + "local:\n    *;\n};\n"


def update(args):
    archive = os.path.join(args.build, "src", "libweft.a")
    subprocess.run(["ninja", "-C", args.build, "src/libweft.a"], check=True,
                   stdout=subprocess.DEVNULL)
    text = map_text(declared(args.root), symbols_of(archive, "-g"))
    with open(os.path.join(args.root, "src", "weft.map"), "w", encoding="utf-8") as file:
        file.write(text)
    print(f"src/weft.map: {text.count(';') - 2} symbols")


def check(args):
    problems = []
    declarations = declared(args.root)
    archive = symbols_of(os.path.join(args.build, "src", "libweft.a"), "-g")
    exported = symbols_of(os.path.join(args.build, "src", "libweft.so"), "-D")
    exported = {name for name in exported if name != "WEFT_0"}
    mapped = {}
    for number, line in enumerate(csource.read(args.root, "src/weft.map").splitlines(), 1):
        name = re.fullmatch(r"\s+(\w+);", line)
        if name and name.group(1) in mapped:
            problems.append(f"src/weft.map:{number}: {name.group(1)} stands twice")
        elif name:
            mapped[name.group(1)] = number

    for name in sorted(exported - set(declarations)):
        problems.append(f"src/weft.map:{mapped.get(name, 1)}: {name} is exported, "
                        "but no public header declares it")
    for name in sorted(set(mapped) - archive):
        problems.append(f"src/weft.map:{mapped[name]}: {name} is not defined")
    for name, (header, line) in declarations.items():
        where = f"include/{header}:{line}"
        if name in archive and name not in mapped:
            problems.append(f"{where}: {name} is not in src/weft.map: "
                            "run tools/check_symbols.py --update")
        elif name in mapped and name in archive and name not in exported:
            problems.append(f"{where}: {name} is in the map but not exported by libweft.so")
        elif name not in archive:
            problems.append(f"{where}: {name} is not defined")
    for name in sorted(archive):
        if name.startswith("weft_") or name.startswith(("__", "_Z", "DW.ref")):
            continue
        problems.append(f"src/weft.map:1: libweft.a defines {name}, which lacks the prefix")
    csource.finish(problems)


def main():
    parser = csource.arguments(__doc__.splitlines()[0])
    parser.add_argument("--build", help="the build folder, default ROOT/build")
    parser.add_argument("--update", action="store_true", help="write src/weft.map")
    args = parser.parse_args()
    args.build = args.build or os.path.join(args.root, "build")
    if args.update:
        update(args)
    else:
        check(args)


if __name__ == "__main__":
    main()
