# Forwards to Meson.  `make demo` and `make test` work on a machine that has nothing but make:
# tools/setup.sh installs what is missing.

.PHONY: all setup demo test lint bench install clean check-asan check-tsan check-valgrind

all: setup
	@ninja -C build

setup:
	@tools/setup.sh

# The demo needs the program only; tests, examples and benchmarks wait for `make test`.
demo: setup
	@echo "Building weft ..."
	@ninja -C build --quiet src/cli/weft
	@tools/demo.sh

test: all
	@tools/run_tests.py build $(TEST_OPTIONS)

lint: all
	@tools/run_tests.py build --suite lint

bench: all
	@meson test -C build --benchmark --verbose

install: all
	@tools/install.sh $(PREFIX)

check-asan: setup
	@tools/check_build.sh asan

check-tsan: setup
	@tools/check_build.sh tsan

check-valgrind: all
	@tools/check_build.sh valgrind

clean:
	rm -rf build build-asan build-tsan build-fuzz
