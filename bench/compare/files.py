#!/usr/bin/env python3
"""Prints the tables of docs/performance-files.md: bench_files, then aiofiles and Node for the same.

usage: files.py BENCH_FILES FOLDER [MIB]     as build/bench/bench_files /tmp
"""

import asyncio
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time

FILES = 10000
AT_ONCE = 100
LINES = 100000

NODE = r"""
const fs = require('fs/promises'), readline = require('readline'), {createReadStream} = require('fs');
const [folder, files, atOnce] = [process.argv[1], +process.argv[2], +process.argv[3]];
const now = () => { const c = process.cpuUsage(); return [performance.now() * 1e3, c.user + c.system]; };
async function timed(name, n, work) {
  const a = now(); await work(); const b = now();
  console.log(`| ${name} | ${((b[0] - a[0]) / n).toFixed(2)} | ${((b[1] - a[1]) / n).toFixed(2)} |`);
}
async function readAll() {
  let next = 0;
  const worker = async () => { while (next < files) await fs.readFile(`${folder}/f${next++}`); };
  await Promise.all(Array.from({length: atOnce}, worker));
}
async function lines() {
  for await (const line of readline.createInterface({input: createReadStream(`${folder}/lines`)})) line;
}
(async () => {
  const name = 'Node ' + process.version;
  await readAll();
  await timed(`${name}: a file of 4 KiB, 100 at once`, files, readAll);
  await timed(`${name}: a line`, +process.argv[4], lines);
})();
"""


def make(folder):
    for i in range(FILES):
        with open(f"{folder}/f{i}", "wb") as file:
            file.write(bytes(4096))
    with open(f"{folder}/lines", "w", encoding="utf-8") as file:
        file.write("a line of a text that is read again\n" * LINES)


async def timed(name, count, work):
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"| {name} | {wall * 1e6 / count:.2f} | {cpu * 1e6 / count:.2f} |", flush=True)


async def run_aiofiles(folder):
    try:
        import aiofiles
    except ImportError:
        print("| aiofiles: not installed | | |")
        return
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(i):
        async with gate, aiofiles.open(f"{folder}/f{i}", "rb") as file:
            await file.read()

    async def read_all():
        await asyncio.gather(*(read(i) for i in range(FILES)))

    async def lines():
        async with aiofiles.open(f"{folder}/lines") as file:
            async for _ in file:
                pass

    name = f"aiofiles {importlib.metadata.version('aiofiles')}"
    await timed(f"{name}: a file of 4 KiB, 100 at once", FILES, read_all)
    await timed(f"{name}: a line", LINES, lines)


def run_node(folder):
    if shutil.which("node") is None:
        print("| Node: not installed | | |")
        return
    subprocess.run(["node", "-e", NODE, folder, str(FILES), str(AT_ONCE), str(LINES)], check=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    subprocess.run([sys.argv[1], *sys.argv[2:]], check=True)
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder:
        make(folder)
        os.sync()
        print("\n| others, hot, us | wall | CPU |\n|---|---:|---:|", flush=True)
        asyncio.run(run_aiofiles(folder))
        run_node(folder)


main()
