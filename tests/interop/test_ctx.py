"""Every way of switching stacks: this machine's assembly, ucontext, and aarch64 under qemu."""

import os

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


tap.main()
