#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inspects a trusted image (enclave ELF): what the loader refuses and what only a disassembler sees.

No W+X segment, no interpreter, no undefined symbol, no text relocation, no relocation but RELATIVE,
no build id, no system call instruction (syscall, sysenter, int), no instruction an enclave cannot
execute, no x87 or MMX instruction (their registers are not scrubbed on the way out), within its
size budget. With a second image: the two must be the same, byte for byte.
"""
import argparse
import re
import struct
import subprocess
import sys

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS, PT_GNU_STACK = 1, 2, 3, 7, 0x6474E551
SHT_RELA, SHT_SYMTAB, SHT_DYNSYM = 4, 2, 11
R_X86_64_NONE, R_X86_64_RELATIVE = 0, 8
DT_NEEDED, DT_TEXTREL, DT_FLAGS, DF_TEXTREL = 1, 22, 30, 4

# SDM 3D 38.6.1: these raise #UD in an enclave; system calls would too, and must not be there at all.
FORBIDDEN = {
    "syscall", "sysenter", "sysret", "sysexit", "int", "int3", "into", "iret", "iretq", "lret",
    "lretq", "lcall", "ljmp", "cpuid", "getsec", "rdpmc", "sgdt", "sidt", "sldt", "str", "vmcall",
    "vmfunc", "in", "inb", "inw", "inl", "out", "outb", "outw", "outl", "insb", "insw", "insl",
    "outsb", "outsw", "outsl", "hlt", "wrmsr", "rdmsr", "invlpg",
}
X87 = re.compile(r"^(f(?!xsave|xrstor)[a-z0-9]+|emms|maskmovq|pinsrw.*%mm|.*%mm[0-7])")


class Image:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.data = f.read()
        self.problems = []
        if self.data[:4] != b"\x7fELF" or len(self.data) < 64:
            raise ValueError(f"{path}: not an ELF file")
        (self.type, _, _, self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum,
         shstrndx) = struct.unpack_from("<HHIQQQIHHHHHH", self.data, 16)
        self.segments = [struct.unpack_from("<IIQQQQQQ", self.data, phoff + i * phentsize)
                         for i in range(phnum)]
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, shoff + i * shentsize)
                         for i in range(shnum)]
        names = self.sections[shstrndx] if shnum else None
        self.names = [self.string(names[4] + s[0]) for s in self.sections] if names else []

    def string(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode("ascii", "replace")

    def bad(self, text):
        self.problems.append(text)

    def memory_size(self):
        return max((s[3] + s[6] for s in self.segments if s[0] == PT_LOAD), default=0)


def check_segments(img):
    if img.type != 3:
        img.bad(f"e_type is {img.type}, not ET_DYN: link with -static-pie")
    for i, (kind, flags, offset, vaddr, _, filesz, _, _) in enumerate(img.segments):
        if kind == PT_LOAD and flags & 3 == 3:
            img.bad(f"segment {i} at 0x{vaddr:x} is writable and executable")
        if kind == PT_GNU_STACK and flags & 1:
            img.bad("the stack is executable")
        if kind == PT_INTERP:
            img.bad("there is an interpreter (PT_INTERP)")
        if kind == PT_TLS:
            img.bad("there is thread-local storage (PT_TLS)")
        if kind == PT_DYNAMIC:
            for tag, value in struct.iter_unpack("<QQ", img.data[offset:offset + filesz // 16 * 16]):
                if tag == DT_NEEDED:
                    img.bad("DT_NEEDED: it wants a shared library")
                if tag == DT_TEXTREL or (tag == DT_FLAGS and value & DF_TEXTREL):
                    img.bad("text relocations (DT_TEXTREL)")


def writable(img, vaddr):
    return any(s[0] == PT_LOAD and s[1] & 2 and s[3] <= vaddr and vaddr + 8 <= s[3] + s[6]
               for s in img.segments)


def check_sections(img):
    for section, name in zip(img.sections, img.names):
        kind, offset, size = section[1], section[4], section[5]
        if name == ".note.gnu.build-id":
            img.bad("there is a build id: it hashes debug paths (-Wl,--build-id=none)")
        if kind == SHT_RELA:
            for where, info, _ in struct.iter_unpack("<QQq", img.data[offset:offset + size]):
                if info & 0xffffffff not in (R_X86_64_NONE, R_X86_64_RELATIVE):
                    img.bad(f"relocation of type {info & 0xffffffff} at 0x{where:x}")
                elif not writable(img, where):
                    img.bad(f"relocation in a read-only page at 0x{where:x}")
        if kind in (SHT_SYMTAB, SHT_DYNSYM):
            strings = img.sections[section[6]][4]
            symbols = struct.iter_unpack("<IBBHQQ", img.data[offset:offset + size])
            for n, (st_name, info, _, shndx, _, _) in enumerate(symbols):
                if n and shndx == 0 and info & 15 != 4:
                    img.bad(f"undefined symbol {img.string(strings + st_name)}")


def check_code(img, allow):
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", img.path], check=True,
                         capture_output=True, text=True).stdout
    count = 0
    function = "?"
    for line in out.splitlines():
        m = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if m:
            function = m.group(1)
            continue
        m = re.match(r"\s*([0-9a-f]+):\s+(\S.*)$", line)
        if not m or m.group(2).startswith("(bad)"):
            if m:
                img.bad(f"0x{m.group(1)} in {function}: bytes that are no instruction")
            continue
        count += 1
        text = m.group(2)
        words = [w for w in text.split("#")[0].split() if w not in ("rep", "repz", "repnz", "lock",
                                                                    "notrack", "data16", "cs", "bnd")]
        name = words[0] if words else ""
        if f"{function}:{name}" in allow or name in allow:
            continue
        if name in FORBIDDEN:
            img.bad(f"0x{m.group(1)} in {function}: {name} does not belong into an enclave")
        if X87.match(name) or re.search(r"%mm[0-7]|%st\b", text):
            img.bad(f"0x{m.group(1)} in {function}: x87/MMX instruction {name}")
    if count == 0:
        img.bad("objdump found no instruction")
    return count


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("image")
    p.add_argument("--same-as", metavar="OTHER", help="a second build that must be identical")
    p.add_argument("--budget", type=int, metavar="BYTES", help="largest size in memory")
    p.add_argument("--allow", action="append", default=[], metavar="[FUNCTION:]INSTRUCTION",
                   help="an exception, with its reason where this is called")
    args = p.parse_args()
    try:
        img = Image(args.image)
        check_segments(img)
        check_sections(img)
        count = check_code(img, set(args.allow))
        if args.budget is not None and img.memory_size() > args.budget:
            img.bad(f"{img.memory_size()} bytes in memory, the budget is {args.budget}")
        if args.same_as is not None and Image(args.same_as).data != img.data:
            img.bad(f"differs from {args.same_as}: the build is not reproducible")
    except (ValueError, struct.error, IndexError, OSError) as e:
        print(f"image_check: {args.image}: {e}", file=sys.stderr)
        return 2
    for problem in img.problems:
        print(f"image_check: {args.image}: {problem}", file=sys.stderr)
    print(f"{args.image}: {img.memory_size()} bytes in memory, {count} instructions, "
          f"{len(img.problems)} problems")
    return 1 if img.problems else 0


if __name__ == "__main__":
    sys.exit(main())
