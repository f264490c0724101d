#!/usr/bin/env python3
"""Prints the tables of docs/performance-files.md: bench_files, then aiofiles and Node for the same.

usage: files.py BENCH_FILES FOLDER [MIB]     as build/bench/bench_files /tmp
       files.py --ticker BENCH_FILES FOLDER  only what a ticker beside file work sees
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
TICKED = 2000  # files, and ticks, of the ticker's table

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

# As bench_files_ticker.c does it; the first thread of a process is the one with the loop.
NODE_TICKER = r"""
const fs = require('fs'), files = require('fs/promises');
const [folder, n, atOnce] = [process.argv[1], +process.argv[2], +process.argv[3]];
const content = Buffer.alloc(4096);
const queue = () => +fs.readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1] / 1e6;
const sleep = () => new Promise(done => setTimeout(done, 1));
const sorted = a => a.sort((x, y) => x - y);
const at = (a, p) => a[Math.floor((a.length - 1) * p)].toFixed(2);
async function row(name, work) {
  let over = false, done = 0;
  const hammer = async i => {
    while (!over) { i = (i + 97) % n; await work(`${folder}/f${i}`); done++; }
  };
  const all = Array.from({length: atOnce}, (_, i) => hammer(i));
  const late = [], own = [], begun = performance.now();
  for (let i = 0; i < n; i++) {
    const waited = queue(), before = performance.now();
    await sleep();
    late.push(performance.now() - before - 1);
    own.push(Math.max(0, late[i] - (queue() - waited)));
  }
  const rate = done / (performance.now() - begun);
  over = true;
  await Promise.all(all);
  sorted(late); sorted(own);
  console.log(`| Node ${process.version}: ${name} | ${rate.toFixed(1)} | ${at(late, 0.5)} | ${at(late, 0.99)} | ` +
              `${at(late, 0.999)} | ${at(own, 0.99)} | ${at(own, 0.999)} | ${at(own, 1)} |`);
}
(async () => {
  await row('read whole files', path => files.readFile(path));
  await row('write whole files', path => files.writeFile(path, content));
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


def run_queue():
    with open("/proc/self/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e6


async def tick(name, work):
    over, done, late, own = False, 0, [], []

    async def hammer(i):
        nonlocal done
        while not over:
            i = (i + 97) % TICKED
            await work(i)
            done += 1

    tasks = [asyncio.create_task(hammer(i)) for i in range(AT_ONCE)]
    begun = time.perf_counter()
    for _ in range(TICKED):
        waited, before = run_queue(), time.perf_counter()
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - before) * 1e3 - 1)
        own.append(max(0, late[-1] - (run_queue() - waited)))
    rate = done / (time.perf_counter() - begun) / 1e3
    over = True
    await asyncio.gather(*tasks)
    values = [sorted(a)[int((TICKED - 1) * p)] for a, p in
              [(late, 0.5), (late, 0.99), (late, 0.999), (own, 0.99), (own, 0.999), (own, 1)]]
    print(f"| {name} | {rate:.1f} | " + " | ".join(f"{v:.2f}" for v in values) + " |", flush=True)


async def tick_aiofiles(folder):
    try:
        import aiofiles
    except ImportError:
        print("| aiofiles: not installed | | | | | | | |")
        return
    content = bytes(4096)

    async def read(i):
        async with aiofiles.open(f"{folder}/f{i}", "rb") as file:
            await file.read()

    async def write(i):
        async with aiofiles.open(f"{folder}/f{i}", "wb") as file:
            await file.write(content)

    name = f"aiofiles {importlib.metadata.version('aiofiles')}"
    await tick(f"{name}: read whole files", read)
    await tick(f"{name}: write whole files", write)


def tick_all(program, folder):
    print(flush=True)
    subprocess.run([os.path.join(os.path.dirname(program), "bench_files_ticker"), folder], check=True)
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        make(inside)
        os.sync()
        asyncio.run(tick_aiofiles(inside))
        if shutil.which("node") is not None:
            subprocess.run(["node", "-e", NODE_TICKER, inside, str(TICKED), str(AT_ONCE)], check=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--ticker":
        tick_all(sys.argv[2], sys.argv[3])
        return
    subprocess.run([sys.argv[1], *sys.argv[2:]], check=True)
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder:
        make(folder)
        os.sync()
        print("\n| others, hot, us | wall | CPU |\n|---|---:|---:|", flush=True)
        asyncio.run(run_aiofiles(folder))
        run_node(folder)
    tick_all(sys.argv[1], sys.argv[2])


main()
