/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Running a program: open and check, then replace the address space, then go. */

#include "libos/elf/exec.h"

#include <linux/fcntl.h>

#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/boot/rewrite.h"
#include "libos/family/rpc.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/mount.h"
#include "libos/lib/str.h"
#include "libos/libos.h"
#include "libos/mm/brk.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/membarrier.h"
#include "libos/proc/process.h"
#include "libos/proc/process_init.h"
#include "libos/proc/vfork.h"
#include "libos/signal/signal.h"
#include "libos/sys/capability.h"
#include "libos/sys/syscall.h"
#include "libos/vdso/vdso.h"

#define SCRIPT_DEPTH   5   /* Linux: the sixth rewrite is -ELOOP */
#define SCRIPT_LINE    256 /* BINPRM_BUF_SIZE */
#define ARG_STRINGS    ((size_t)0x7fff)
#define ARG_BYTES      ((uint64_t)2 << 20) /* a quarter of the stack limit */
#define ARG_STRING_MAX ((size_t)131072)

/* ---- arguments ---- */

static void free_strings(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++) {
        kfree(v[i]);
    }
    kfree(v);
}

static int copy_strings(const char *const *from, char ***ret, size_t *ret_count, uint64_t *ret_size)
{
    size_t count = 0;
    char **v;

    while (from[count] != NULL) {
        count++;
    }
    v = kzalloc((count + 1) * sizeof(*v));
    if (v == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        v[i] = kstrdup(from[i]);
        if (v[i] == NULL) {
            free_strings(v);
            return -ENOMEM;
        }
        *ret_size += str_len(from[i]) + 1;
    }
    *ret = v;
    *ret_count = count;
    return 0;
}

/* argv becomes: interpreter, [its argument], path, argv[1..]. */
static int script_arguments(struct program *p, const struct script_line *line, const char *path)
{
    const size_t extra = line->argument != NULL ? 2 : 1;
    char **v = kzalloc((p->argc + extra + 2) * sizeof(*v));
    size_t at = 0;

    if (v == NULL) {
        return -ENOMEM;
    }
    v[at++] = kstrdup(line->interpreter);
    if (line->argument != NULL) {
        v[at++] = kstrdup(line->argument);
    }
    v[at++] = kstrdup(path);
    for (size_t i = 0; i < at; i++) {
        if (v[i] == NULL) {
            for (size_t k = 0; k < at; k++) {
                kfree(v[k]);
            }
            kfree(v);
            return -ENOMEM;
        }
        p->strings_size += str_len(v[i]) + 1;
    }
    if (p->argc > 0) {
        kfree(p->argv[0]);
    }
    for (size_t i = 1; i < p->argc; i++) {
        v[at++] = p->argv[i];
    }
    kfree(p->argv);
    p->argv = v;
    p->argc = at;
    return 0;
}

/* ---- opening ---- */

/* What an execve names: a path from a directory, or, by the empty path, the descriptor's own file.
 */
static int find_executable(int dirfd, const char *path, uint32_t lookup, struct path *ret)
{
    struct file *f;

    if (path[0] != '\0' || dirfd == AT_FDCWD) {
        return path_lookup(dirfd, path, lookup, ret);
    }
    f = fd_get_path(dirfd);
    if (f == NULL) {
        return -EBADF;
    }
    *ret = f->path;
    path_get(ret);
    file_put(f);
    return 0;
}

/* Permission to execute is enough: a program need not be readable. */
static int may_execute(const struct path *p)
{
    struct inode *inode = path_inode(p);

    if (inode == NULL || S_ISLNK(inode->mode)) {
        return inode == NULL ? -EACCES : -ELOOP;
    }
    if (!S_ISREG(inode->mode) || (inode->mode & S_IXUGO) == 0 ||
        (p->mnt != NULL && ((p->mnt->flags | p->mnt->sb->flags) & SB_NOEXEC) != 0)) {
        return -EACCES;
    }
    return inode_permission(inode, MAY_EXEC, /*real=*/false);
}

static int open_executable_at(int dirfd, const char *path, uint32_t lookup, struct file **ret)
{
    struct path p = {0};
    int r = find_executable(dirfd, path, lookup, &p);

    if (r < 0) {
        return r;
    }
    r = may_execute(&p);
    if (r == 0) {
        r = file_open_path(&p, O_RDONLY, ret);
    }
    path_put(&p);
    return r;
}

static int open_executable(const char *path, struct file **ret)
{
    return open_executable_at(AT_FDCWD, path, LOOKUP_FOLLOW, ret);
}

static int read_exactly(struct file *f, void *dst, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        int64_t n = file_pread(f, (uint8_t *)dst + done, size - done, offset + done);

        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return -ENOEXEC;
        }
        done += (size_t)n;
    }
    return 0;
}

static int read_elf(struct file *f, struct elf_info *ret)
{
    uint8_t head[ELF_HEADER_SIZE];
    struct elf_header h;
    uint8_t *phdrs;
    int r = read_exactly(f, head, sizeof(head), 0);

    if (r == 0) {
        r = elf_parse_header(head, sizeof(head), &h);
    }
    if (r < 0) {
        return r;
    }
    phdrs = kmalloc((size_t)h.phnum * ELF_PHDR_SIZE);
    if (phdrs == NULL) {
        return -ENOMEM;
    }
    r = h.phoff > (uint64_t)INT64_MAX - NACRE_PAGE_SIZE * 16
            ? -ENOEXEC
            : read_exactly(f, phdrs, (size_t)h.phnum * ELF_PHDR_SIZE, h.phoff);
    if (r == 0) {
        r = elf_parse_phdrs(&h, phdrs, (size_t)h.phnum * ELF_PHDR_SIZE, g_user_end, ret);
    }
    kfree(phdrs);
    return r;
}

static int open_interpreter(struct program *p)
{
    char *path = kmalloc(p->info.interp_size);
    int r;

    if (path == NULL) {
        return -ENOMEM;
    }
    r = read_exactly(p->file, path, p->info.interp_size, p->info.interp_offset);
    if (r == 0 && path[p->info.interp_size - 1] != '\0') {
        r = -ENOEXEC;
    }
    if (r == 0) {
        r = open_executable(path, &p->interp_file);
        if (r < 0) {
            libos_log(LOG_INFO, "%s: its interpreter %s cannot be opened", p->path, path);
        }
    }
    kfree(path);
    if (r < 0) {
        return r;
    }
    r = read_elf(p->interp_file, &p->interp);
    if (r == -ENOEXEC || (r == 0 && p->interp.interp_size != 0)) {
        return -ELIBBAD;
    }
    return r;
}

/* What the program is called by: the path, or through which descriptor it was found, as Linux
 * writes it; scripts are then read from there. */
static char *called_by(const struct program_name *name)
{
    const size_t size = str_len(name->path) + sizeof("/dev/fd/-2147483648/");
    char *text;

    if (name->dirfd == AT_FDCWD || name->path[0] == '/') {
        return kstrdup(name->path);
    }
    text = kmalloc(size);
    if (text != NULL) {
        (void)kprintf(text, size, "/dev/fd/%d%s%s", name->dirfd, name->path[0] == '\0' ? "" : "/",
                      name->path);
    }
    return text;
}

/* Replaces a script by its interpreter; 0 when it is none. */
static int enter_script(struct program *p, const struct program_name *name, int depth)
{
    char line[SCRIPT_LINE];
    struct script_line script;
    char *next;
    int64_t n = file_pread(p->file, line, sizeof(line), 0);
    int r;

    if (n < 0) {
        return (int)n;
    }
    if (n < 2 || line[0] != '#' || line[1] != '!') {
        return 0;
    }
    if (depth == SCRIPT_DEPTH) {
        return -ELOOP;
    }
    if (depth == 0 && name->dirfd != AT_FDCWD && name->path[0] != '/' &&
        fd_get_cloexec(name->dirfd) > 0) {
        return -ENOENT; /* /dev/fd/N will be gone when the interpreter opens it */
    }
    r = elf_parse_script(line, (size_t)n, &script);
    if (r == 0) {
        r = script_arguments(p, &script, p->path);
    }
    if (r < 0) {
        return r;
    }
    next = kstrdup(script.interpreter);
    if (next == NULL) {
        return -ENOMEM;
    }
    kfree(p->path);
    p->path = next;
    file_put(TAKE_PTR(p->file));
    return 1;
}

/* Follows "#!" lines to the program that really runs. */
static int resolve(struct program *p, const struct program_name *name)
{
    int r = 1;

    p->path = called_by(name);
    p->execfn = p->path == NULL ? NULL : kstrdup(p->path);
    if (p->execfn == NULL) {
        return -ENOMEM;
    }
    for (int depth = 0; r > 0; depth++) {
        r = depth == 0 ? open_executable_at(name->dirfd, name->path,
                                            name->no_follow ? 0 : LOOKUP_FOLLOW, &p->file)
                       : open_executable(p->path, &p->file);
        if (r == 0) {
            r = enter_script(p, name, depth);
        }
    }
    return r;
}

int program_open(const struct program_name *name, const char *const *argv, const char *const *envp,
                 struct program *ret)
{
    struct program p = {0};
    int r = copy_strings(argv, &p.argv, &p.argc, &p.strings_size);

    if (r == 0) {
        r = copy_strings(envp, &p.envp, &p.envc, &p.strings_size);
    }
    if (r == 0) {
        r = resolve(&p, name);
    }
    if (r == 0 && p.strings_size + (p.argc + p.envc) * 8 > ARG_BYTES) {
        r = -E2BIG;
    }
    if (r == 0) {
        r = file_deny_write(p.file);
        p.denies_write = r == 0;
    }
    if (r == 0) {
        r = read_elf(p.file, &p.info);
    }
    if (r == 0 && p.info.interp_size != 0) {
        r = open_interpreter(&p);
    }
    if (r < 0) {
        program_close(&p);
        return r;
    }
    *ret = p;
    return 0;
}

void program_close(struct program *p)
{
    if (p->denies_write) {
        file_allow_write(p->file);
    }
    file_put(TAKE_PTR(p->file));
    file_put(TAKE_PTR(p->interp_file));
    free_strings(TAKE_PTR(p->argv));
    free_strings(TAKE_PTR(p->envp));
    kfree(TAKE_PTR(p->path));
    kfree(TAKE_PTR(p->execfn));
}

/* ---- going ---- */

/* The file that runs, and what it is called. It stays open, and closed to writers. */
static void set_names(struct program *p)
{
    struct process *proc = process_current();
    struct file *old = proc->exe_file;
    char *buf = kmalloc(PATH_MAX);
    const char *base = p->execfn; /* of a script: its own, not its interpreter's */
    char *text = NULL;

    for (const char *s = p->execfn; *s != '\0'; s++) {
        if (*s == '/') {
            base = s + 1;
        }
    }
    capability_exec();
    str_copy(proc->comm, sizeof(proc->comm), base);
    str_copy(thread_current()->comm, sizeof(proc->comm), base);
    if (buf != NULL && file_path_text(p->file, buf, PATH_MAX, &text) == 0) {
        text = kstrdup(text);
    } else {
        text = kstrdup(p->path);
    }
    kfree(buf);
    if (text != NULL) {
        kfree((void *)(uintptr_t)proc->exe_path);
        proc->exe_path = text;
    }
    proc->exe_file = TAKE_PTR(p->file);
    p->denies_write = false;
    if (old != NULL) {
        file_allow_write(old);
        file_put(old);
    }
}

/* Maps and starts an opened program in an empty address space. */
static int start(struct program *p)
{
    struct thread_page *tp = thread_page();
    struct cpu_context *ctx = (struct cpu_context *)(tp->kstack - sizeof(*ctx));
    struct program_layout l;
    uint64_t rsp;
    int r = program_map(p, &l);

    if (r == 0) {
        mm_brk_set(l.brk);
        r = program_stack(p, &l, &rsp);
    }
    if (r < 0) {
        return r;
    }
    process_current()->image = l.image;
    set_names(p);
    __asm__ volatile("wrfsbase %0" : : "r"(0ull));
    thread_current()->fs_base = 0;
    *ctx = (struct cpu_context){.rip = l.entry, .rsp = rsp, .rflags = 0x202};
    return 0;
}

/* Looks a bare name up in PATH, as a shell would; the caller frees *ret. */
static int search_path(const char *name, const char *const *envp, char **ret)
{
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int r = -ENOENT;

    if (str_chr(name, '/') != NULL) {
        *ret = kstrdup(name);
        return *ret == NULL ? -ENOMEM : 0;
    }
    for (size_t i = 0; envp[i] != NULL; i++) {
        if (str_starts(envp[i], "PATH=")) {
            path = envp[i] + 5;
        }
    }
    while (*path != '\0') {
        const char *end = str_chr(path, ':');
        const size_t len = end == NULL ? str_len(path) : (size_t)(end - path);
        const size_t size = len + str_len(name) + 2;
        char *full = kmalloc(size);
        struct file *f;

        if (full == NULL) {
            return -ENOMEM;
        }
        (void)kprintf(full, size, "%.*s/%s", (int)len, path, name);
        r = open_executable(full, &f);
        if (r == 0) {
            file_put(f);
            *ret = full;
            return 0;
        }
        kfree(full);
        path = end == NULL ? path + len : end + 1;
    }
    return r;
}

static int set_cwd(const char *cwd)
{
    struct file *f;
    int r = file_open_kernel(cwd, O_PATH | O_DIRECTORY, &f);

    if (r == 0) {
        fs_set_cwd(&f->path);
        file_put(f);
    }
    return r;
}

int exec_first(const char *const *argv, const char *const *envp, const char *cwd)
{
    struct program_name name = {.dirfd = AT_FDCWD};
    struct program p;
    char *path;
    int r = 0;

    if (cwd != NULL) {
        r = set_cwd(cwd);
    }
    if (r == 0) {
        r = search_path(argv[0], envp, &path);
    }
    if (r < 0) {
        return r;
    }
    name.path = path;
    r = program_open(&name, argv, envp, &p);
    kfree(path);
    if (r == 0) {
        r = start(&p);
        program_close(&p);
    }
    return r;
}

/* ---- execve ---- */

#define SIGKILL_NUMBER 9

static void forget_old_image(void)
{
    struct thread *t = thread_current();

    fd_table_close_on_exec(t->process->files);
    signal_reset_for_exec(t->process);
    t->clear_child_tid = 0;
    t->robust_list = 0;
    t->robust_list_size = 0;
    t->tid = t->process->pid;
    rewrite_reset();
    membarrier_forget();
    vdso_forget();
    mm_clear();
}

/* What the family shows of a process that executed a program. */
static void tell_family(void)
{
    const struct process *p = process_current();

    if (family_role() != FAMILY_ALONE) {
        (void)!family_process_set(p->pid, PIDS_EXECUTED, 1);
        family_process_show(p);
    }
}

_noreturn_ void exec_opened(struct program *p)
{
    int r;

    forget_old_image();
    r = start(p);
    program_close(p);
    if (r < 0) {
        process_die(SIGKILL_NUMBER, /*core=*/false, NULL);
    }
    tell_family();
    enter_app();
}

static int64_t replace(const struct program_name *name, const char *const *argv,
                       const char *const *envp, void (*last)(void))
{
    struct program p;
    int64_t r = program_open(name, argv, envp, &p);

    if (r < 0) {
        return r;
    }
    if (process_current()->vfork != NULL) {
        r = last == NULL ? vfork_exec(&p) : -EPERM; /* what it ends with would end its parent */
        if (r < 0) {
            program_close(&p);
        }
        return r;
    }
    r = process_stop_others();
    if (r < 0) {
        program_close(&p);
        return r;
    }
    if (last != NULL) {
        last();
    }
    forget_old_image();
    r = start(&p);
    program_close(&p);
    if (r < 0) {
        process_die(SIGKILL_NUMBER, /*core=*/false, NULL);
    }
    tell_family();
    __asm__ volatile("xrstor64 (%0)" : : "r"(vector_init), "a"(~0u), "d"(~0u) : "memory");
    return 0;
}

int64_t exec_replace(const struct program_name *name, const char *const *argv,
                     const char *const *envp)
{
    return replace(name, argv, envp, NULL);
}

int exec_instead(const char *const *argv, const char *const *envp, const char *cwd,
                 void (*last)(void))
{
    struct program_name name = {.dirfd = AT_FDCWD};
    char *path;
    int r = set_cwd(cwd);

    if (r == 0) {
        r = search_path(argv[0], envp, &path);
    }
    if (r == 0) {
        name.path = path;
        r = (int)replace(&name, argv, envp, last);
        kfree(path);
    }
    return r;
}
