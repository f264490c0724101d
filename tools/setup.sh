#!/bin/sh
# setup.sh - makes a Debian 12 machine ready: installs what is missing, configures build/.
#
#   tools/setup.sh          what the build, the demo and most tests need
#   tools/setup.sh --full   also the programs that other suites run against (nginx, squid, ...)
#
# It asks nothing, is silent when nothing is missing, and says what it does otherwise.
set -eu
cd "$(dirname "$0")/.."

packages="gcc g++ libc6-dev make meson ninja-build pkg-config python3 ca-certificates openssl
libssl-dev libjansson-dev zlib1g-dev libbrotli-dev libzstd-dev libidn2-dev libpsl-dev
libnghttp2-dev liburing-dev"
full="apache2 caddy clang clang-format clang-tidy curl dante-server gdb gunicorn h2o
libio-socket-socks-perl microsocks nghttp2-client nghttp2-server nginx gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3-aiohttp
python3-h2 python3-httpbin python3-httpx python3-requests qemu-user squid strace tinyproxy tmux
valgrind wrk"

[ "${1:-}" = --full ] && packages="$packages $full"

# The names of the packages that are not installed.
missing_packages()
{
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package} \n' | grep '^installed ' || true)
    for package in $packages; do
        echo "$installed" | grep -q " $package \$" || echo "$package"
    done
}

install_packages()
{
    line="apt-get install -y --no-install-recommends $*"
    if [ "$(id -u)" != 0 ]; then
        echo "setup: packages are missing, and only root may install them. Please run:" >&2
        echo "    sudo $line" >&2
        exit 1
    fi
    echo "setup: $line"
    log=$(mktemp)
    # RUNLEVEL=1: servers that only tests use are not started as services.
    if ! { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $line; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "setup: that failed. Please run it by hand:" >&2
        echo "    apt-get update && $line" >&2
        exit 1
    fi
    rm -f "$log"
}

if command -v dpkg-query >/dev/null; then
    missing=$(missing_packages | tr '\n' ' ')
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_packages ${missing% }
else
    for program in cc meson ninja pkg-config python3; do
        command -v "$program" >/dev/null && continue
        echo "setup: $program is missing. This is not a Debian system: please install the" >&2
        echo "    counterparts of these packages: $packages" >&2
        exit 1
    done
fi

if [ ! -f build/build.ninja ]; then
    echo "setup: meson setup build"
    log=$(mktemp)
    meson setup build >"$log" 2>&1 </dev/null || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
fi
