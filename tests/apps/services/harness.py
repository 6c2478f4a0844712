# SPDX-License-Identifier: Apache-2.0
"""A program as it is and in the enclave, seen the same way from outside.

A case's check(side, box) starts and drives the program and returns what it saw, without anything that
differs between two native runs (ports, dates, pids). It is called with both sides; native Linux is the
oracle. A case's load(side, box) returns how much work was done in how many seconds.
"""
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 30
RUN_SECONDS = 60
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
       "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Failed(Exception):
    """The program did not do what a check needs in order to go on."""


@dataclasses.dataclass
class Load:
    """Work done: `ops` operations in `seconds`, and as many more before that only count for exits."""
    ops: int
    seconds: float
    before: int = 0


@dataclasses.dataclass
class Case:
    """One line of docs/compatibility.md."""
    name: str        # of the test
    program: str     # found in PATH, else the case is skipped
    package: str     # Debian package whose version is shown, and to install when it is missing
    what: str        # what was run, for the table
    check: callable  # check(side, box) -> list of (label, value)
    fast: bool = False       # part of `make test`
    load: callable = None    # load(side, box) -> Load
    idle: callable = None    # idle(side, box): the load's start and stop, to take its exits off
    operation: str = ""      # what one operation of the load is
    needs: tuple = ()        # further programs: the clients
    stops: str = ""          # the verdict of a program that does not run, which its check must have proved
    limits: str = ""         # what does not work, with the reason


class Box:
    """Where one case works: a directory of its own and ports nobody uses."""

    def __init__(self, path):
        self.path = path
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)

    def file(self, name, content=None):
        path = os.path.join(self.path, name)
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(port, timeout=20):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


class LineClient:
    """A connection whose answers are lines, and bytes that lines announce."""

    def __init__(self, port):
        self.socket = connect(port)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()


def answers(port):
    """Does somebody listen there?"""
    try:
        connect(port, 5).close()
        return True
    except OSError:
        return False


class Process:
    """A started program. Its output goes to files: a pipe nobody reads would stop it."""

    def __init__(self, argv, env, cwd, box, stats, stdin):
        self.out_path = box.file("stdout")
        self.err_path = box.file("stderr")
        self.stats_path = stats
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            # no core files of programs that are ended on purpose
            # whoever runs the tests under nohup ignores SIGHUP, and so would the program
            self.popen = subprocess.Popen(
                argv, env=env, cwd=cwd, stdin=stdin, stdout=out, stderr=err, start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    @property
    def out(self):
        return self.read(self.out_path)

    @property
    def err(self):
        return self.read(self.err_path)

    def tail(self):
        return f"stdout {self.out[-600:]!r} stderr {self.err[-1200:]!r}"

    def wait_until(self, ready, seconds=START_SECONDS):
        """`ready` is a port somebody must listen at, bytes its output must hold, or a function."""
        end = time.monotonic() + seconds
        while True:
            if isinstance(ready, int):
                there = answers(ready)
            elif isinstance(ready, bytes):
                there = ready in self.out or ready in self.err
            else:
                there = ready()
            if there:
                return self
            if self.popen.poll() is not None:
                raise Failed(f"it ended with {self.popen.returncode} before it was ready: {self.tail()}")
            if time.monotonic() > end:
                raise Failed(f"it was not ready within {seconds} s: {self.tail()}")
            time.sleep(0.01)

    def send_signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit status as a container engine shows it: 128 + n for a signal."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"it did not end within {seconds} s: {self.tail()}") from None
        return code if code >= 0 else 128 - code

    def stop(self, number=signal.SIGTERM, seconds=STOP_SECONDS):
        self.send_signal(number)
        return self.wait(seconds)

    def kill(self):
        if self.popen.poll() is None:
            try:
                os.killpg(self.popen.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.popen.wait()

    def cpu_seconds(self):
        """User and system time of the process and its children so far."""
        with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(int(x) for x in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def exits(self):
        """Enclave exits and asynchronous ones of the whole run, after its end; None natively."""
        if self.stats_path is None:
            return None
        try:
            with open(self.stats_path, encoding="utf-8") as f:
                stats = json.load(f)
        except (OSError, ValueError):
            return None
        return stats["exits"] + stats["aex"]


class Native:
    name = "native"
    inside = False

    def __init__(self, box):
        self.box = box
        self.started = []
        self.prefix = []  # of every command: a program that sets something up and execs the rest

    def command(self, argv, env, options):
        return argv, env, None

    def start(self, argv, env=None, cwd="/", ready=None, options=(), stdin=subprocess.DEVNULL):
        argv, env, stats = self.command(list(argv), dict(ENV, **(env or {})), options)
        p = Process(self.prefix + argv, env, cwd, self.box, stats, stdin)
        self.started.append(p)
        return p.wait_until(ready) if ready is not None else p

    def run(self, argv, env=None, cwd="/", options=(), seconds=RUN_SECONDS):
        """To its end: exit status, standard output, standard error."""
        p = self.start(argv, env, cwd, options=options)
        code = p.wait(seconds)
        return code, p.out, p.err

    def end(self):
        for p in self.started:
            p.kill()
        self.started = []


class Enclave(Native):
    name = "enclave"
    inside = True

    def __init__(self, box, nacre, options=()):
        super().__init__(box)
        self.nacre = nacre
        self.options = list(options)

    def start(self, argv, env=None, cwd="/", ready=None, options=(), stdin=subprocess.DEVNULL):
        return super().start(argv, env, cwd, ready, ["--cwd", cwd] + list(options), stdin)

    def command(self, argv, env, options):
        stats = self.box.file(f"stats-{len(self.started)}.json")
        pairs = [x for k, v in env.items() for x in ("--env", f"{k}={v}")]
        full = [self.nacre, "exec", "--quiet", "--stats"] + self.options + list(options) + pairs
        keep = {k: v for k, v in os.environ.items() if k.startswith(("NACRE_", "SCONE_"))}
        return full + ["--"] + argv, dict(keep, PATH=ENV["PATH"], NACRE_STATS=stats), stats
