"""The table that weft's waits and stops are tested by is what tenacity itself says."""

import importlib.util
import os
import sys

import tap

FOLDER = os.path.join(tap.SOURCE, "tests", "unit", "retry")


@tap.test
def table_of_waits_and_stops_is_tenacitys():
    if importlib.util.find_spec("tenacity") is None:
        tap.skip("Python's tenacity is not installed")
    done = tap.run([sys.executable, os.path.join(FOLDER, "tenacity_table.py")])
    tap.equal(done.returncode, 0, done.stderr.decode())
    with open(os.path.join(FOLDER, "tenacity.tsv"), "rb") as table:
        tap.equal(done.stdout, table.read())


tap.main()
