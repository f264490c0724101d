"""Each check of tools/ finds what it is there to find: small trees with one breach each."""

import os

import tap

HEADER = """/* weft/thing.h - things. */
#ifndef WEFT_THING_H
#define WEFT_THING_H
#include <weft/base.h>
#ifdef __cplusplus
extern "C" {
#endif
%s
#ifdef __cplusplus
}
#endif
#endif
"""


def tree(files):
    """Writes files into the test's folder."""
    for path, text in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def check(name, *expected, files=None, arguments=()):
    """Runs a check over the tree; without expected messages it must find nothing."""
    tree(files or {})
    tool = os.path.join(tap.SOURCE, "tools", f"check_{name}.py")
    done = tap.run(["/usr/bin/env", "python3", tool, "--root", os.getcwd(), *arguments])
    out = done.stdout.decode() + done.stderr.decode()
    for message in expected:
        tap.has(out, message, f"output of check_{name}")
    tap.equal(done.returncode, 1 if expected else 0, f"exit status of check_{name}, {out}")


@tap.test
def layers_reports_an_include_from_above():
    check("layers",
          "src/proto/a.c:2: proto includes run/task.h, which is not below it",
          "src/proto/a.c:3: proto includes weft/net.h of net",
          "src/proto/a.c:4: a codec does not include <unistd.h>",
          "src/net/b.c:1: <openssl/ssl.h> is for tls",
          "src/net/b.c:2: write \"net/c.h\", from src/",
          "src/cli/d.c:1: a program sees public headers only, not base/buf.h",
          "src/other/e.c:1: module other is not in the table",
          "include/weft/run.h:1: the header of run includes that of net",
          files={"src/proto/a.c": '#include "base/buf.h"\n#include "run/task.h"\n'
                                  '#include <weft/net.h>\n#include <unistd.h>\n',
                 "src/net/b.c": '#include <openssl/ssl.h>\n#include "c.h"\n',
                 "src/cli/d.c": '#include "base/buf.h"\n#include "cli/args.h"\n',
                 "src/other/e.c": "",
                 "include/weft/run.h": "#include <weft/net.h>\n"})


@tap.test
def layers_accepts_what_lies_below():
    check("layers", files={
        "src/client/a.c": '#include "base/buf.h"\n#include "run/run_int.h"\n'
                          '#include <weft/testing.h>\n#include <weft/http.h>\n',
        "src/proto/b.c": "#include <weft/http.h>\n#include <weft/error.h>\n#include <string.h>\n",
        "examples/c.c": "#include <weft.h>\n"})


@tap.test
def headers_reports_macros_types_and_what_does_not_compile():
    check("headers",
          "include/weft/thing.h:8: macro thing is not called WEFT_",
          "include/weft/thing.h:9: ssize_t in a public header",
          "include/weft/thing.h:10: weft_thing_t ends in _t",
          "include/weft/thing.h:1: does not compile alone as c99",
          "include/meson.build:1: weft/thing.h is not installed",
          "include/weft.h:1: weft/thing.h is missing",
          files={"include/weft/thing.h": HEADER % "#define thing 1\nssize_t thing_size(void);\n"
                                                  "typedef struct weft_thing weft_thing_t;",
                 "include/weft/base.h": HEADER.replace("#include <weft/base.h>", "") % "",
                 "include/weft.h": "#include <weft/base.h>\n",
                 "include/meson.build": "'weft.h' 'weft/base.h'\n"})


@tap.test
def banned_reports_calls_and_words_but_not_in_comments_or_strings():
    check("banned",
          "src/run/a.c:2: sprintf() is banned here",
          "src/run/a.c:3: malloc() is banned here",
          "src/run/a.c:4: TO" "DO",
          "src/run/a.c:5: comments are written",
          files={"src/run/a.c": '/* sprintf(x) */ char *s = "strcpy(a, b)";\nsprintf(a, b);\n'
                                "p = malloc(3);\n/* TO" "DO */\nint a; // one\nclose(fd);\n"
                                "table->free(p);\nweft__free(p);\n",
                 "src/base/alloc.c": "p = malloc(3);\nfree(p);\n"})


@tap.test
def sizes_reports_long_files_long_functions_and_deep_nesting():
    body = "    x();\n"
    nested = "".join("    " * i + "if (x) {\n" for i in range(1, 6))
    closing = "".join("    " * i + "}\n" for i in range(5, 0, -1))
    check("sizes",
          "src/a.c:1: longer has 71 lines, the limit is 70",
          "src/a.c:74: deep nests 5 deep, the limit is 4",
          "src/b.c:801: 801 lines, the limit is 800",
          files={"src/a.c": f"int longer(int a,\n           int b)\n{{\n{body * 67}}}\n\n\n"
                            f"void deep(void)\n{{\n{nested}{closing}}}\n\n"
                            f"int fits(void)\n{{\n{body * 67}}}\n",
                 "src/b.c": "\n" * 801})


@tap.test
def docs_reports_what_is_missing():
    good = ("/**\n * weft_a() - does a\n * @x: borrows.\n *\n * Suspends: never.\n"
            " * Return:   0.\n * Since:    0.1\n */\nWEFT_API int weft_a(void (*x)(int a, int b));\n")
    bad = ("/**\n * weft_b() - does b\n * @y: borrows.\n *\n * Suspends: yes.\n"
           " * Since:    0.1\n */\nWEFT_API int weft_b(const char *name,\n"
           "                    int n[2]);\nWEFT_API void weft_c(void);\n"
           "/**\n * weft_d() - does d\n * @path: bytes,\n *        borrows.\n * @ret: the d.\n"
           " *\n * Suspends: never.\n * Since:    0.1\n */\n"
           "WEFT_API void weft_d(const char *path, void **ret);\n")
    check("docs", files={"include/weft/base.h": good})
    check("docs",
          "include/weft/base.h:1: weft_b: @y documented, the prototype has name, n",
          "include/weft/base.h:1: weft_b: no section Return",
          "include/weft/base.h:1: weft_b: no section Cancel",
          "include/weft/base.h:10: weft_c has no /** comment",
          "include/weft/base.h:11: weft_d: @ret does not say who owns it",
          files={"include/weft/base.h": bad})


@tap.test
def symbols_reports_what_map_headers_and_library_do_not_share():
    compiler = tap.need("cc")
    header = HEADER % ("WEFT_API int weft_mapped(void);\nWEFT_API int weft_left_out(void);\n"
                       "WEFT_API int weft_gone(void);")
    tree({"include/weft/thing.h": header,
          "include/weft/testing.h": "",
          "include/weft/testing_net.h": "",
          "include/weft.h": "#include <weft/thing.h>\n",
          "src/weft.map": "WEFT_0 {\nglobal:\n    weft_mapped;\n    weft_secret;\n    weft_gone;\n"
                          "local:\n    *;\n};\n",
          "./a.c": "int weft_mapped(void) { return 0; }\nint weft_left_out(void) { return 0; }\n"
                 "int weft_secret(void) { return 0; }\nint loose(void) { return 0; }\n"})
    os.makedirs("build/src")
    tap.run([compiler, "-fPIC", "-c", "a.c"])
    tap.run(["ar", "rcs", "build/src/libweft.a", "a.o"])
    tap.run([compiler, "-shared", "-Wl,--version-script=src/weft.map", "-o",
             "build/src/libweft.so", "a.o"])
    check("symbols",
          "src/weft.map:4: weft_secret is exported, but no public header declares it",
          "src/weft.map:5: weft_gone is not defined",
          "include/weft/thing.h:9: weft_left_out is not in src/weft.map",
          "libweft.a defines loose, which lacks the prefix")


tap.main()
