# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The nacre authors
"""The sun and its four giant planets, advanced in small steps: plain arithmetic in Python.

usage: nbody.py WORK MILLISECONDS, speaking to who measures as ops.c does; an operation is a step.
"""
import math
import sys
import time

YEAR = 365.25
SUN = 4 * math.pi * math.pi
# position (astronomical units), velocity (units a year), mass (suns): J2000, rounded
BODIES = [
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], SUN],
    [[4.8414, -1.1603, -0.1036], [0.00166 * YEAR, 0.00770 * YEAR, -0.00007 * YEAR], 9.548e-4 * SUN],
    [[8.3434, 4.1248, -0.4035], [-0.00277 * YEAR, 0.00500 * YEAR, 0.00002 * YEAR], 2.859e-4 * SUN],
    [[12.894, -15.111, -0.2233], [0.00296 * YEAR, 0.00238 * YEAR, -0.00003 * YEAR], 4.366e-5 * SUN],
    [[15.380, -25.919, 0.1793], [0.00268 * YEAR, 0.00163 * YEAR, -0.00010 * YEAR], 5.151e-5 * SUN],
]
PAIRS = [(a, b) for i, a in enumerate(BODIES) for b in BODIES[i + 1:]]
STEP = 0.01


def advance(count):
    for _ in range(count):
        for (p, v, m), (q, w, n) in PAIRS:
            dx, dy, dz = p[0] - q[0], p[1] - q[1], p[2] - q[2]
            force = STEP / (dx * dx + dy * dy + dz * dz) ** 1.5
            v[0] -= dx * n * force
            v[1] -= dy * n * force
            v[2] -= dz * n * force
            w[0] += dx * m * force
            w[1] += dy * m * force
            w[2] += dz * m * force
        for p, v, _mass in BODIES:
            p[0] += STEP * v[0]
            p[1] += STEP * v[1]
            p[2] += STEP * v[2]


def meet(text):
    sys.stdout.write(text)
    sys.stdout.flush()
    if not sys.stdin.buffer.read(1):
        sys.exit("nbody: who measures is gone")


def main():
    target = int(sys.argv[2]) * 1000000
    count, spent = 0, 0
    while target:
        count = count * 2 or 16
        start = time.monotonic_ns()
        advance(count)
        took = time.monotonic_ns() - start
        spent += count
        if took >= target / 8:
            count = max(1, count * target // took)
            break
    meet("ready\n")
    start = time.monotonic_ns()
    advance(count)
    meet(f"done {time.monotonic_ns() - start} {count} {count + spent}\n")


main()
