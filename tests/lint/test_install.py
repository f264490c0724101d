"""What is installed is whole: a program elsewhere builds with pkg-config, as C and as C++, and runs."""

import glob
import os

import tap

PROGRAM = """#include <stdio.h>
#include <weft.h>
#include <weft/testing.h>

int main(void)
{
    printf("%s %s\\n", weft_version(), weft_error_name(WEFT_EDNS));
    return 0;
}
"""


def install():
    """Installs into ./root; returns the folder of the library."""
    done = tap.run(["meson", "install", "-C", tap.BUILD, "--no-rebuild", "--quiet",
                    "--destdir", os.path.abspath("root")])
    tap.equal(done.returncode, 0, done.stderr.decode())
    return os.path.dirname(glob.glob("root/**/libweft.so", recursive=True)[0])


def pkg_config(library, *options):
    done = tap.run(["pkg-config", *options, "weft"], env={
        **os.environ, "PKG_CONFIG_PATH": os.path.join(library, "pkgconfig")})
    tap.equal(done.returncode, 0, done.stderr.decode())
    return done.stdout.decode().split()


@tap.test
def install_puts_headers_library_and_pkg_config_file_in_place():
    library = install()
    headers = {os.path.relpath(path, "include")
               for path in glob.glob("include/**/*.h", root_dir=tap.SOURCE, recursive=True)}
    prefix = library[:library.index("/lib")]
    found = {os.path.relpath(path, f"{prefix}/include")
             for path in glob.glob(f"{prefix}/include/**/*.h", recursive=True)}
    tap.equal(found, headers, "installed headers")
    names = set(os.listdir(library))
    tap.equal(names, {"libweft.a", "libweft.so", "libweft.so.0", "libweft.so.0.1.0", "pkgconfig"})
    dynamic = tap.run(["readelf", "-d", f"{library}/libweft.so"]).stdout.decode()
    tap.has(dynamic, "Library soname: [libweft.so.0]")
    tap.equal(pkg_config(library, "--modversion"), ["0.1.0"])


@tap.test
def installed_library_serves_a_c_and_a_cpp_program():
    library = install()
    prefix = os.path.abspath(library[:library.index("/lib")])
    flags = pkg_config(library, f"--define-variable=prefix={prefix}", "--cflags", "--libs")
    for compiler, name in (("cc", "program.c"), ("c++", "program.cpp")):
        with open(name, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        done = tap.run([tap.need(compiler), name, "-Wall", "-Wextra", "-Werror", "-pedantic",
                        "-o", "program", *flags])
        tap.equal(done.returncode, 0, done.stderr.decode())
        done = tap.run(["./program"], env={**os.environ, "LD_LIBRARY_PATH": library})
        tap.equal(done.stdout, b"0.1.0 WEFT_EDNS\n")


tap.main()
