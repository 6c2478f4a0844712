#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fork with a hostile host between the two enclaves (fork_relay.c): the child gets nothing, fork is
EAGAIN, and the next, honest one works."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

NACRE = os.environ["NACRE"]
TWICE = os.environ["FORK_TWICE"]
RELAY = os.environ["FORK_RELAY_LIB"]
REFUSED = "fork 1: EAGAIN\nchild 2 runs\nfork 2: exit 2\n"
HONEST = "child 1 runs\nfork 1: exit 1\nchild 2 runs\nfork 2: exit 2\n"


def run(attack=None, file=None):
    env = dict(os.environ)
    if attack is not None:
        env.update(LD_PRELOAD=RELAY, FORK_RELAY=attack, FORK_RELAY_FILE=file or "/dev/null")
    return subprocess.run([NACRE, "exec", "-q", "--", TWICE], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, text=True)


def is_gone(pid):
    """Ended, though whoever inherited it may not have waited for it."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


def wait_for_children(pid, count):
    """The host processes of the family: each is there some time after the shell has its number."""
    until = time.monotonic() + 10
    while len(children_of(pid)) < count and time.monotonic() < until:
        time.sleep(0.01)
    return children_of(pid)


class Attacks(unittest.TestCase):
    def refused(self, attack):
        with self.subTest(attack):
            p = run(attack)
            self.assertEqual(p.stdout, REFUSED, p.stderr)
            self.assertEqual(p.returncode, 0)

    def test_no_attack(self):
        self.assertEqual(run().stdout, HONEST)

    def test_a_relay_that_changes_nothing_is_no_attack(self):
        self.assertEqual(run("flip").stdout, HONEST)

    def test_changed_bytes(self):
        # hello: nonce, key; report: identity, key id, MAC; frames: size, tag, head, pages
        for at in (0, 4, 8, 40, 72, 72 + 64, 72 + 320, 72 + 416, 504, 504 + 8, 504 + 24, 600, 5000,
                   200000, 1000000):
            self.refused("flip:%d" % at)

    def test_changed_bytes_on_the_way_back(self):
        # hello, report, and the child's word that it stands: size, tag, word
        for at in (0, 8, 40, 72, 72 + 64, 72 + 416, 504, 504 + 8, 504 + 24):
            self.refused("back-flip:%d" % at)

    def test_cut(self):
        for at in (0, 10, 72, 300, 504, 510, 600, 100000):
            self.refused("cut:%d" % at)

    def test_frames_dropped_repeated_swapped(self):
        for kind in ("drop", "repeat", "swap"):
            for frame in (0, 1, 2, 9):
                self.refused("%s:%d" % (kind, frame))

    def test_nobody_there(self):
        self.refused("garbage")

    def test_an_old_snapshot(self):
        with tempfile.TemporaryDirectory() as d:
            p = run("replay", os.path.join(d, "recorded"))
            self.assertGreater(os.path.getsize(os.path.join(d, "recorded")), 100000)
        self.assertEqual(p.stdout, "child 1 runs\nfork 1: exit 1\nfork 2: EAGAIN\n", p.stderr)


class Killed(unittest.TestCase):
    def test_a_child_the_host_kills_was_killed(self):
        script = "sleep 30 & p=$!; echo $p; wait $p; echo $?"
        p = subprocess.Popen([NACRE, "exec", "-q", "--", "/bin/sh", "-c", script],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        p.stdout.readline()
        children = wait_for_children(p.pid, 1)
        self.assertEqual(len(children), 1)
        os.kill(children[0], signal.SIGKILL)
        out, err = p.communicate(timeout=30)
        self.assertEqual(out, "137\n", err)

    def test_memory_a_killed_child_held_is_lost(self):
        p = subprocess.Popen([NACRE, "exec", "-q", "--", os.environ["SHARED_KILLED"]],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.stdout.readline(), "ready\n")
        children = wait_for_children(p.pid, 1)
        self.assertEqual(len(children), 1)
        os.kill(children[0], signal.SIGKILL)
        out, err = p.communicate(timeout=30)
        self.assertEqual(out, "killed by 9\nheld: SIGBUS\nagain: SIGBUS\nwrite: EFAULT\n"
                         "read by it: 1, never touched by it: 1\nanother child: 5\n", err)

    def test_the_family_ends_with_its_first_process(self):
        p = subprocess.Popen([NACRE, "exec", "-q", "--", "/bin/sh", "-c",
                              "sleep 30 & sleep 30 & echo up; wait"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.stdout.readline(), "up\n")
        children = wait_for_children(p.pid, 2)
        self.assertEqual(len(children), 2)
        p.kill()
        p.communicate(timeout=30) # the children hold the pipes: their end is the end of it
        until = time.monotonic() + 10
        while not all(map(is_gone, children)) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertTrue(all(map(is_gone, children)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
