/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The first stack of a program, from high to low as Linux lays it out: a null word, the name it was
 * executed by, environment strings, argument strings, "x86_64", 16 random bytes, then (16-byte
 * aligned) argc, argv, envp and the auxiliary vector upwards.
 */

#include <asm/auxvec.h>
#include <linux/auxvec.h>

#include "libos/elf/exec.h"
#include "libos/lib/random.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"

/* CPUID.1:EDX of every processor with SGX2, and FSGSBASE. */
#define HWCAP_VALUE       0xbfebfbffull
#define HWCAP2_VALUE      0x2ull
#define CLOCK_TICKS       100ull
/* XSAVE frame with AVX-512 and PKRU, plus the signal frame itself: what Linux says there. */
#define MINSIGSTKSZ_VALUE 3632ull
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

struct builder {
    uint64_t sp;
    int error;
};

static uint64_t push_bytes(struct builder *b, const void *data, size_t size)
{
    b->sp -= size;
    if (b->error == 0) {
        b->error = user_copy_out(b->sp, data, size);
    }
    return b->sp;
}

static uint64_t push_string(struct builder *b, const char *s)
{
    return push_bytes(b, s, str_len(s) + 1);
}

/* Strings from the last to the first, so that they stand in order; their addresses go to `at`. */
static void push_strings(struct builder *b, char *const *v, size_t count, uint64_t *at)
{
    for (size_t i = count; i > 0; i--) {
        at[i - 1] = push_string(b, v[i - 1]);
    }
}

static void aux(struct process_image *a, uint64_t type, uint64_t value)
{
    a->auxv[a->auxv_count][0] = type;
    a->auxv[a->auxv_count][1] = value;
    a->auxv_count++;
}

static void fill_auxv(struct process_image *a, const struct program *p,
                      const struct program_layout *l)
{
    const struct process *proc = process_current();

    aux(a, AT_SYSINFO_EHDR, l->vdso);
    aux(a, AT_MINSIGSTKSZ, MINSIGSTKSZ_VALUE);
    aux(a, AT_HWCAP, HWCAP_VALUE);
    aux(a, AT_PAGESZ, NACRE_PAGE_SIZE);
    aux(a, AT_CLKTCK, CLOCK_TICKS);
    aux(a, AT_PHDR, l->phdr);
    aux(a, AT_PHENT, ELF_PHDR_SIZE);
    aux(a, AT_PHNUM, p->info.phdr_count);
    aux(a, AT_BASE, l->interp_base);
    aux(a, AT_FLAGS, 0);
    aux(a, AT_ENTRY, l->program_entry);
    aux(a, AT_UID, proc->uid);
    aux(a, AT_EUID, proc->euid);
    aux(a, AT_GID, proc->gid);
    aux(a, AT_EGID, proc->egid);
    aux(a, AT_SECURE, 0);
    aux(a, AT_HWCAP2, HWCAP2_VALUE);
}

int program_stack(const struct program *p, struct program_layout *l, uint64_t *ret_rsp)
{
    const size_t words = 1 + p->argc + 1 + p->envc + 1;
    uint64_t *table = kzalloc(words * sizeof(*table));
    struct builder b = {.sp = l->stack_top};
    struct process_image *a = &l->image;
    uint8_t random[16];
    uint64_t zero = 0;

    if (table == NULL) {
        return -ENOMEM;
    }
    (void)push_bytes(&b, &zero, sizeof(zero));
    *a = (struct process_image){0};
    fill_auxv(a, p, l);
    aux(a, AT_EXECFN, push_string(&b, p->execfn));
    table[0] = p->argc;
    a->env_end = b.sp;
    push_strings(&b, p->envp, p->envc, table + 1 + p->argc + 1);
    a->env_start = b.sp;
    push_strings(&b, p->argv, p->argc, table + 1);
    a->arg_start = b.sp;
    aux(a, AT_PLATFORM, push_string(&b, "x86_64"));
    random_bytes(random, sizeof(random));
    b.sp &= ~15ull;
    aux(a, AT_RANDOM, push_bytes(&b, random, sizeof(random)));
    aux(a, AT_NULL, 0);
    /* RSP is 16-byte aligned at the entry, and points at argc. */
    b.sp = (b.sp - a->auxv_count * sizeof(a->auxv[0]) - words * sizeof(*table)) & ~15ull;
    b.sp += a->auxv_count * sizeof(a->auxv[0]) + words * sizeof(*table);
    (void)push_bytes(&b, a->auxv, a->auxv_count * sizeof(a->auxv[0]));
    *ret_rsp = push_bytes(&b, table, words * sizeof(*table));
    kfree(table);
    return b.error;
}
