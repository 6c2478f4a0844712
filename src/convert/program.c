/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Finds a program in an image and says whether it can run. */

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/command.h"

#define HEAD_SIZE  256u /* BINPRM_BUF_SIZE: what Linux looks at for a #! line */
#define PHDRS_MAX  256u
#define INTERP_MAX 256u

static bool is_regular(const struct rootfs_node *n)
{
    return (n->mode & 0170000u) == 0100000u;
}

/* -ENOENT and its kin without a message: not this one. */
static bool is_absence(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

static int join(const char *dir, size_t dir_size, const char *word, char *dst)
{
    const int n = snprintf(dst, ROOTFS_PATH_MAX + 1, "%.*s/%s", (int)dir_size, dir, word);

    return n < 0 || (unsigned)n > ROOTFS_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Sets ret->name and ret->file. */
static int look_up(const struct rootfs *fs, const char *word, const char *path, const char *cwd,
                   struct program *ret, struct error **err)
{
    bool seen = false;

    if (word[0] == '/' || strchr(word, '/') != NULL) {
        int r = word[0] == '/'
                    ? join("", 0, word + 1, ret->name)
                    : join(cwd, strcmp(cwd, "/") == 0 ? 0 : strlen(cwd), word, ret->name);

        r = r < 0 ? r : rootfs_resolve(fs, "/", ret->name, &ret->file, err);
        return is_absence(r) ? error_set(err, ENOENT, "the image has no file %.300s", word) : r;
    }
    path = path == NULL ? PROGRAM_DEFAULT_PATH : path;
    for (const char *p = path; *p != '\0'; p += strcspn(p, ":"), p += *p == ':') {
        const size_t n = strcspn(p, ":");
        int r;

        if (n == 0 || p[0] != '/') {
            continue; /* relative parts of PATH are nobody's intention here */
        }
        r = join(p, p[n - 1] == '/' ? n - 1 : n, word, ret->name);
        r = r < 0 ? r : rootfs_resolve(fs, "/", ret->name, &ret->file, err);
        if (r == 0 && is_regular(&ret->file.node)) {
            seen = true;
            if ((ret->file.node.mode & 0111) != 0) {
                return 0;
            }
        } else if (r < 0 && !is_absence(r)) {
            return r;
        }
    }
    return seen ? error_set(err, EACCES, "%.300s in the image is not executable", word)
                : error_set(err, ENOENT, "the image has no program '%.300s' (looked in %.300s)",
                            word, path);
}

static int check_executable(const struct rootfs_file *f, struct error **err)
{
    if (!is_regular(&f->node)) {
        return error_set(err, EACCES, "%.300s in the image is not a regular file", f->path);
    }
    if ((f->node.mode & 0111) == 0) {
        return error_set(err, EACCES, "%.300s in the image is not executable", f->path);
    }
    return 0;
}

static int read_exact(const struct rootfs *fs, const struct rootfs_file *f, uint64_t offset,
                      void *dst, size_t size, struct error **err)
{
    size_t got;
    int r = fs->read(fs->ctx, &f->node, offset, dst, size, &got, err);

    if (r == 0 && got != size) {
        r = error_set(err, ENOEXEC, "%.300s in the image is cut off", f->path);
    }
    return r;
}

static const char *machine_name(uint16_t machine)
{
    switch (machine) {
    case EM_AARCH64: return "aarch64";
    case EM_386: return "32-bit x86";
    case EM_ARM: return "32-bit ARM";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "POWER";
    case EM_S390: return "S/390";
    default: return "another machine";
    }
}

static int find_interpreter(const struct rootfs *fs, const struct rootfs_file *elf,
                            const Elf64_Phdr *ph, struct program *ret, struct error **err)
{
    char name[INTERP_MAX + 1] = {0};
    int r;

    if (ph->p_filesz < 2 || ph->p_filesz > INTERP_MAX) {
        return error_set(err, ENOEXEC, "%.300s in the image has a malformed interpreter",
                         elf->path);
    }
    r = read_exact(fs, elf, ph->p_offset, name, (size_t)ph->p_filesz, err);
    r = r < 0 ? r : rootfs_resolve(fs, "/", name, &ret->interpreter, err);
    if (is_absence(r)) {
        return error_set(err, ENOENT, "%.300s needs the loader %.256s, which the image lacks",
                         elf->path, name);
    }
    return r < 0 ? r : check_executable(&ret->interpreter, err);
}

static int check_elf(const struct rootfs *fs, const struct rootfs_file *f, const uint8_t *head,
                     struct program *ret, struct error **err)
{
    Elf64_Ehdr eh;
    int r = 0;

    memcpy(&eh, head, sizeof(eh));
    if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
        eh.e_machine != EM_X86_64) {
        return error_set(err, ENOEXEC, "%.300s in the image is for %s; nacre needs x86-64", f->path,
                         machine_name(eh.e_machine));
    }
    if ((eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_phentsize != sizeof(Elf64_Phdr) ||
        eh.e_phnum == 0 || eh.e_phnum > PHDRS_MAX) {
        return error_set(err, ENOEXEC, "%.300s in the image is no executable ELF file", f->path);
    }
    ret->binary = *f;
    ret->interpreter.path[0] = '\0';
    for (size_t i = 0; r == 0 && i < eh.e_phnum; i++) {
        Elf64_Phdr ph;

        r = read_exact(fs, f, eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph), err);
        if (r == 0 && ph.p_type == PT_INTERP) {
            return find_interpreter(fs, f, &ph, ret, err);
        }
    }
    return r;
}

/* "#! INTERPRETER [ARGUMENT]": gives the interpreter's name, cut out of `head`. */
static char *shebang(char *head)
{
    char *name = head + 2 + strspn(head + 2, " \t");

    name[strcspn(name, " \t\r\n")] = '\0';
    return name;
}

int program_find(const struct rootfs *fs, const char *word, const char *path, const char *cwd,
                 struct program *ret, struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking for the program");
    }
    r = look_up(fs, word, path, cwd, ret, err);
    if (r < 0) {
        return r;
    }
    *f = ret->file;
    for (unsigned i = 0; i <= PROGRAM_SHEBANGS_MAX; i++) {
        char head[HEAD_SIZE + 1] = {0};
        const char *name;
        size_t size;

        r = check_executable(f, err);
        r = r < 0 ? r : fs->read(fs->ctx, &f->node, 0, head, HEAD_SIZE, &size, err);
        if (r < 0) {
            return r;
        }
        if (size >= sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0) {
            return check_elf(fs, f, (const uint8_t *)head, ret, err);
        }
        if (size < 3 || head[0] != '#' || head[1] != '!') {
            return error_set(
                err, ENOEXEC,
                "%.300s in the image is neither an ELF file nor a script with a #! line", f->path);
        }
        name = shebang(head);
        r = rootfs_resolve(fs, cwd, name, f, err);
        if (is_absence(r)) {
            return error_set(err, ENOENT,
                             "%.300s needs the interpreter %.200s, which the image lacks",
                             ret->name, name);
        }
        if (r < 0) {
            return r;
        }
    }
    return error_set(err, ENOEXEC,
                     "%.300s in the image is a script of scripts, nested deeper than %u", ret->name,
                     PROGRAM_SHEBANGS_MAX);
}
