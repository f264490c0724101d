#!/bin/bash
# install.sh [PREFIX]: installs what was built, below DESTDIR if that is set, and says what programs
# still need to find it.  Without a prefix: where the build was configured to, /usr/local at first.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/sbin:/usr/sbin

if [ -n "${1:-}" ]; then
    log=$(mktemp)
    { meson configure build -Dprefix="$(realpath -m "$1")" && ninja -C build; } >"$log" 2>&1 ||
        { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
fi
meson install -C build --no-rebuild --quiet
[ -z "${DESTDIR:-}" ] || exit 0

pc=build/meson-private/weft.pc
prefix=$(sed -n 's/^prefix=//p' "$pc")
libdir=$(sed -n "s|^libdir=\${prefix}|$prefix|p" "$pc")
[ "$(id -u)" != 0 ] || ldconfig
echo "installed to $prefix"
if ! ldconfig -p | grep -q "$libdir/libweft.so"; then
    echo "The system does not look for libraries there. To use it in this shell:"
    echo "    export PATH=$prefix/bin:\$PATH PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir"
fi
