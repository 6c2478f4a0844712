/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/elf/elf_parse.h"
#include "libos/proc/thread.h"

struct file;

/* The first program: argv[0] is its path (searched in PATH when it has no slash). On success the
 * context at the top of the kernel stack is the program's first one. */
[[nodiscard]] int exec_first(const char *const *argv, const char *const *envp, const char *cwd);

/* execve: opens the program while failure can still be reported, ends all other threads, drops the
 * address space, marked descriptors and handlers, and sets the caller's context to the program's
 * first one. Past the point of no return failure ends the process (SIGKILL, as on Linux). In a
 * child of vfork a new enclave executes the program, the call becomes the parent's vfork again and
 * the result is the child's number. */
struct program_name {
    int dirfd;        /* AT_FDCWD, or where `path` starts when it is relative */
    const char *path; /* empty: the file `dirfd` itself is */
    bool no_follow;   /* a symlink at the end is -ELOOP */
};
[[nodiscard]] int64_t exec_replace(const struct program_name *name, const char *const *argv,
                                   const char *const *envp);

/* As exec_replace, with argv[0] looked up as exec_first does and a working directory. `last` is
 * called when nothing can fail any more and nothing of the old program will run again. */
[[nodiscard]] int exec_instead(const char *const *argv, const char *const *envp, const char *cwd,
                               void (*last)(void));

/* --- inside elf/ --- */

/* A program that was opened and understood, with its interpreter; see exec.c. */
struct program {
    struct file *file;
    bool denies_write; /* file_deny_write holds for `file` */
    struct elf_info info;
    struct file *interp_file; /* NULL: static */
    struct elf_info interp;
    char *path;   /* what runs: kmalloc'd */
    char *execfn; /* AT_EXECFN: what was asked for; kmalloc'd */
    size_t argc;  /* a script's interpreter comes before the arguments */
    char **argv;  /* kmalloc'd, strings too */
    size_t envc;
    char **envp;
    uint64_t strings_size; /* bytes of all argument and environment strings */
};
/* Opens and checks everything that can go wrong before the old image is gone. */
[[nodiscard]] int program_open(const struct program_name *name, const char *const *argv,
                               const char *const *envp, struct program *ret);
void program_close(struct program *p);
/* Executes an opened program in the one thread there is (a child of vfork, in its own enclave). */
_noreturn_ void exec_opened(struct program *p);

/* Where the parts ended up. */
struct program_layout {
    uint64_t entry; /* first instruction: the interpreter's, if there is one */
    uint64_t program_entry;
    uint64_t phdr;
    uint64_t interp_base;
    uint64_t brk;
    uint64_t vdso;
    uint64_t stack_top;
    struct process_image image; /* program_stack fills it */
};
/* Maps program, interpreter, vDSO and stack into the (empty) address space. */
[[nodiscard]] int program_map(const struct program *p, struct program_layout *ret);

/* Writes arguments, environment and auxiliary vector; *ret_rsp is the first stack pointer. */
[[nodiscard]] int program_stack(const struct program *p, struct program_layout *l,
                                uint64_t *ret_rsp);
