"""Every way of switching stacks: this machine's assembly, ucontext, and aarch64 under qemu."""

import glob
import os
import re

import tap

EXPECTED = b"count 15 sum 45 product 875.788\n"


def build_and_run(compiler, sources, defines, runner):
    src = os.path.join(tap.SOURCE, "src")
    program = os.path.join(os.getcwd(), "probe")
    built = tap.run([compiler, "-O2", "-static", "-D_GNU_SOURCE", "-DWEFT_HAVE_VALGRIND=0", *defines,
                     "-I", src, "-I", os.path.join(tap.SOURCE, "include"),
                     os.path.join(tap.SOURCE, "tests", "interop", "ctx_probe.c"),
                     *[os.path.join(src, "run", name) for name in sources], "-o", program])
    tap.equal((built.returncode, built.stderr), (0, b""))
    done = tap.run([*runner, program])
    tap.equal((done.returncode, done.stdout), (0, EXPECTED))


@tap.test
def x86_64_assembly_keeps_every_register():
    if os.uname().machine != "x86_64":
        tap.skip("this is no x86-64")
    build_and_run(tap.need("gcc"), ["ctx.c", "ctx_x86_64.S"], ["-DWEFT_USE_UCONTEXT=0"], [])


@tap.test
def ucontext_serves_where_there_is_no_assembly():
    build_and_run(tap.need("gcc"), ["ctx.c"], ["-DWEFT_USE_UCONTEXT=1"], [])


@tap.test
def aarch64_assembly_keeps_every_register():
    compiler = tap.need("aarch64-linux-gnu-gcc")
    runner = tap.need("qemu-aarch64")
    build_and_run(compiler, ["ctx.c", "ctx_aarch64.S"], ["-DWEFT_USE_UCONTEXT=0"], [runner])


def dump_of_tasks(compiler, assembly, runner):
    """The whole runtime, static and so without names: those are asked of addr2line."""
    src = os.path.join(tap.SOURCE, "src")
    sources = [path for module in ("base", "run")
               for path in glob.glob(os.path.join(src, module, "*.c"))]
    built = tap.run([compiler, "-O1", "-static", "-no-pie", "-D_GNU_SOURCE",
                     "-DWEFT_HAVE_VALGRIND=0", "-DWEFT_HAVE_URING=0",
                     f"-DWEFT_USE_UCONTEXT={0 if assembly else 1}", "-fno-omit-frame-pointer",
                     "-I", src, "-I", os.path.join(tap.SOURCE, "include"),
                     os.path.join(tap.SOURCE, "tests", "interop", "dump_probe.c"), *sources,
                     *[os.path.join(src, "run", name) for name in assembly], "-o", "probe"])
    if built.returncode:
        raise AssertionError(built.stderr.decode())
    done = tap.run([*runner, "./probe"])
    tap.equal((done.returncode, done.stderr), (0, b""))
    text = done.stdout.decode()
    tap.has(text, "4 tasks of thread ")
    found = re.search(r"^ *waiter #2: waits for sleep .*\n((?: +\(.*\)\n)+?) *waiter #3",
                      text, re.M)
    if not found:
        raise AssertionError(text)
    places = re.findall(r"\+(0x[0-9a-f]+)", found[1])
    names = tap.run([re.sub("gcc$", "addr2line", compiler), "-f", "-e", "probe", *places])
    tap.has(" ".join(names.stdout.decode().split()[::2]), "weft_sleep waits_inside waiter ")


@tap.test(limit=60)
def aarch64_tasks_have_call_stacks():
    compiler = tap.need("aarch64-linux-gnu-gcc")
    dump_of_tasks(compiler, ["ctx_aarch64.S"], [tap.need("qemu-aarch64")])


@tap.test(limit=60)
def ucontext_tasks_have_call_stacks():
    dump_of_tasks(tap.need("gcc"), [], [])


tap.main()
