# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The nacre authors
"""gdb inside an enclave of softsgx (or a debug enclave): symbols, mappings, threads, backtraces.

    gdb -x share/gdb/nacre.py -p PID            an enclave that runs: PID is `nacre` or `nacre-loader`
    gdb -x share/gdb/nacre.py --args nacre exec -- PROGRAM
        (gdb) nacre-run [FUNCTION]              starts it, stops at FUNCTION of the program (main)
    (gdb) nacre-symbols [ROOT]                  symbols of libos.elf, the program and its libraries
    (gdb) nacre-maps                            what is mapped inside
    (gdb) nacre-threads                         threads as the program sees them
    (gdb) nacre-bt [TID]                        where a thread is that waits in a system call

ROOT is the directory --root had (default /). NACRE_LIBOS names libos.elf where it is not found.
"""
import os
import struct

import gdb  # pylint: disable=import-error

BASE = 0xffc0000000  # of the image: 1023 GiB, below it 1 TiB of ELRANGE (docs/library-os.md)
REGISTERS = ("rip", "rsp", "rbp", "rbx", "r12", "r13", "r14", "r15")
PASSED = "SIGSEGV SIGILL SIGSYS SIGBUS SIGFPE"


def libos_path():
    """libos.elf of the inferior: $NACRE_LIBOS, beside the binary as built, or as installed."""
    binary = gdb.current_progspace().filename or ""
    here = os.path.dirname(os.path.realpath(binary))
    for path in (os.environ.get("NACRE_LIBOS", ""), os.path.join(here, "../libos/libos.elf"),
                 os.path.join(here, "../lib/nacre/libos.elf"), os.path.join(here, "../libexec/nacre/libos.elf")):
        if path and os.path.exists(path):
            return os.path.realpath(path)
    raise gdb.GdbError("libos.elf not found beside nacre: set NACRE_LIBOS to its path and run gdb again")


def add_libos():
    path = libos_path()
    if not any(o.filename == path for o in gdb.objfiles()):
        gdb.execute(f"add-symbol-file {path} -o {BASE:#x}", to_string=True)


def walk(vma):
    """The mappings of a subtree, by address."""
    if int(vma) != 0:
        yield from walk(vma["left"])
        yield vma
        yield from walk(vma["right"])


def mappings():
    add_libos()
    try:
        return list(walk(gdb.parse_and_eval("g_mm.tree.root")))
    except gdb.MemoryError as e:
        raise gdb.GdbError("no enclave there yet: let it start first (nacre-run)") from e


def name_of(dentry):
    """The path of a directory entry below its own mount; inner mounts show their own part only."""
    parts = []
    while int(dentry) != int(dentry["parent"]) and int(dentry["parent"]) != 0 and len(parts) < 64:
        parts.append(dentry["name"].string(length=int(dentry["name_len"])))
        dentry = dentry["parent"]
    return "/" + "/".join(reversed(parts))


def file_of(vma):
    if int(vma["file"]) == 0:
        return vma["name"].string() if int(vma["name"]) != 0 else ""
    return name_of(vma["file"]["path"]["dentry"])


def first_address(path):
    """The lowest page an ELF file asks to be loaded at; None: not an ELF file."""
    try:
        with open(path, "rb") as f:
            head = f.read(64)
            if head[:5] != b"\x7fELF\x02":
                return None
            table, = struct.unpack_from("<Q", head, 32)
            size, count = struct.unpack_from("<HH", head, 54)
            f.seek(table)
            headers = f.read(size * count)
    except OSError:
        return None
    loads = [struct.unpack_from("<Q", headers, i * size + 16)[0] for i in range(count)
             if struct.unpack_from("<I", headers, i * size)[0] == 1]
    return min(loads) & ~4095 if loads else None


class Symbols(gdb.Command):
    """nacre-symbols [ROOT]: loads symbols of the library OS, the program and its libraries."""

    def __init__(self):
        super().__init__("nacre-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        root = argument.strip() or "/"
        have = {o.filename for o in gdb.objfiles()}
        seen = set()
        for vma in mappings():
            inside = file_of(vma)
            if int(vma["file"]) == 0 or int(vma["offset"]) != 0 or inside in seen:
                continue
            seen.add(inside)
            path = os.path.realpath(os.path.join(root, inside.lstrip("/")))
            lowest = first_address(path)
            if lowest is None or path in have:
                continue
            bias = int(vma["start"]) - lowest
            gdb.execute(f"add-symbol-file {path} -o {bias:#x}", to_string=True)
            print(f"{inside} at {int(vma['start']):#x}")


class Maps(gdb.Command):
    """nacre-maps: what is mapped inside, as /proc/self/maps."""

    def __init__(self):
        super().__init__("nacre-maps", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for vma in mappings():
            prot = int(vma["prot"])
            rights = "".join(c if prot & b else "-" for c, b in (("r", 1), ("w", 2), ("x", 4)))
            print(f"{int(vma['start']):012x}-{int(vma['end']):012x} {rights} "
                  f"{int(vma['offset']):08x} {file_of(vma)}")


def threads():
    """struct thread of every thread inside."""
    add_libos()
    head = gdb.parse_and_eval("g_process.threads")
    kind = gdb.lookup_type("struct thread")
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == "node")
    at = head["next"]
    while int(at) != int(head.address):
        yield (at.cast(gdb.lookup_type("char").pointer()) - offset).cast(kind.pointer())
        at = at["next"]


class Threads(gdb.Command):
    """nacre-threads: threads as the program sees them, and where they entered the library OS."""

    def __init__(self):
        super().__init__("nacre-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for t in threads():
            context = t["context"]
            where = f"rip {int(context['rip']):#x}" if int(context) != 0 else "not in a system call yet"
            state = {0: "runs", 1: "waits", 2: "waits for the host"}.get(int(t["park_state"]), "?")
            print(f"{int(t['tid'])} {t['comm'].string()}: {state}, {where}")


class Backtrace(gdb.Command):
    """nacre-bt [TID]: the program's frames of a thread that is in a system call (default: the first)."""

    def __init__(self):
        super().__init__("nacre-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        for t in threads():
            if wanted and int(t["tid"]) != int(wanted):
                continue
            context = t["context"]
            if int(context) == 0:
                raise gdb.GdbError("this thread made no system call yet")
            self.show(context)
            return
        raise gdb.GdbError(f"no thread {wanted}: nacre-threads shows them")


    @staticmethod
    def show(context):
        """Lends the program's registers to the selected host thread while frames are printed."""
        gdb.newest_frame().select()
        saved = {r: int(gdb.parse_and_eval(f"(unsigned long)${r}")) for r in REGISTERS}
        try:
            for register in REGISTERS:
                gdb.execute(f"set ${register} = {int(context[register]):#x}", to_string=True)
            gdb.execute("backtrace")
        finally:
            for register, value in saved.items():
                gdb.execute(f"set ${register} = {value:#x}", to_string=True)


class Run(gdb.Command):
    """nacre-run [FUNCTION]: starts the program in its enclave and stops at FUNCTION (main)."""

    def __init__(self):
        super().__init__("nacre-run", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        function = argument.strip() or "main"
        gdb.execute(f"handle {PASSED} nostop noprint pass", to_string=True)
        # loader_run: the enclave is built; enter_app: the program is mapped, and none of it ran.
        for stop in ("loader_run", "enter_app"):
            if stop == "enter_app":
                add_libos()
            point = gdb.Breakpoint(stop, temporary=True)
            gdb.execute("run" if stop == "loader_run" else "continue", to_string=True)
            if point.is_valid():
                point.delete()
                raise gdb.GdbError(f"the program ended before {stop}")
        gdb.execute("nacre-symbols")
        gdb.execute(f"tbreak {function}")
        gdb.execute("continue")


Symbols()
Maps()
Threads()
Backtrace()
Run()
