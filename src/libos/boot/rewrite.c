/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A `syscall` in an enclave traps: thousands of cycles. Once one has trapped it is known to be a
 * real, executed instruction, and it is rewritten in place into a jump to a trampoline of its own,
 * which enters the library OS directly:
 *
 *   SITE_MOV     mov $n,%eax; syscall    ->  jmp T; syscall      T: mov $n,%eax
 *                                                                   lea behind(%rip),%rcx
 *                                                                   jmp *%gs:16
 *   SITE_MOVED   syscall; insn           ->  jmp T …             T: lea 1f(%rip),%rcx
 *                                                                   jmp *%gs:16
 *                                                                1: insn
 *                                                                   jmp behind
 *
 * The trampoline touches no memory and no register but RCX, which `syscall` clobbers: the red zone
 * is safe, and a signal may strike anywhere in it.
 *
 * Other threads may execute the site at any moment, and code elsewhere may jump to the instruction
 * behind a syscall. Both must be right with every mixture of old and new bytes a processor can see:
 *
 *  - The syscall itself traps, so as long as `0f 05` stands, a site works, slowly.
 *  - SITE_MOVED places its trampoline so that the jump reads `e9 05 xx …`: the second byte is what
 *    it was, and the third, where the moved instruction used to begin, is an opcode that is invalid
 *    in 64-bit mode. Whoever jumps or returns there traps and is sent to the copy.
 *  - SITE_MOV changes the first byte to such an opcode first; whoever meets it is given what the
 *    mov does.
 *  - Then the bytes behind are written, and the first byte, E9, last. Each of these steps is one
 *    byte, or bytes nobody executes. Between steps, when there is more than one thread, some time
 *    passes (the next trap after QUIET_TICKS), longer than a processor can hold on to bytes it
 *    fetched before: it would have to stall for that long without an interrupt.
 *
 * Only private file mappings and the vDSO are rewritten: generated code belongs to its generator.
 * A trampoline whose site is gone stays as long as other threads may sleep in a call that will
 * return to it, or stand in it: until the process has one thread again, which makes a system call
 * just then. Until then it serves the same site again, should that come back (a library that is
 * loaded and unloaded over and over mostly lands where it was).
 *
 * Lock: the memory map's mutex for every change; readers on the trap path take g_lock, a spinlock
 * inside of it, for the table alone.
 */

#include "libos/boot/rewrite.h"

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/site_decode.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"

#define CHUNK_SIZE  0x10000u
#define UNIT        16u /* granularity of trampolines in a chunk */
#define UNITS       (CHUNK_SIZE / UNIT)
#define REACH       (1ull << 31)
#define QUIET_TICKS 1000000ull /* a fraction of a millisecond on every processor */
#define BUCKETS     512u

#define TRAMPOLINE_MAX 40u

enum site_state {
    SITE_NEW,
    SITE_MARKED, /* the trap byte stands */
    SITE_TAILED, /* the rest of the jump stands behind it */
    SITE_DONE,
};

struct site {
    struct site *next;       /* in its bucket */
    struct site *chunk_next; /* in its chunk */
    uint64_t address;        /* of the syscall */
    uint64_t trampoline;
    uint64_t stepped_at; /* TSC of the last step */
    uint32_t number;     /* SITE_MOV: the immediate */
    uint8_t kind;
    uint8_t state;
    bool forgotten;  /* its original is gone; only in its chunk */
    uint8_t moved;   /* bytes */
    uint8_t copy_at; /* offset of the moved instruction in the trampoline */
    uint8_t jump[5]; /* the bytes to be written */
};

struct chunk {
    struct chunk *next;
    uint64_t address;
    struct site *sites;
    uint64_t used[UNITS / 64];
};

static bool g_enabled;
static struct spinlock g_lock;
static struct site *g_buckets[BUCKETS];
static uint64_t g_lowest = UINT64_MAX; /* of the addresses that ever were in the table */
static uint64_t g_highest;
static struct chunk *g_chunks;
static uint64_t g_patched;
static uint64_t g_left;
static size_t g_forgotten; /* sites that are; the memory map's mutex */

void rewrite_init(bool enabled)
{
    g_enabled = enabled;
}

void rewrite_counters(struct rewrite_counters *ret)
{
    *ret = (struct rewrite_counters){
        .patched = __atomic_load_n(&g_patched, __ATOMIC_RELAXED),
        .left = __atomic_load_n(&g_left, __ATOMIC_RELAXED),
    };
}

/* ---- table ---- */

static struct site **bucket_of(uint64_t address)
{
    return &g_buckets[address * 0x9e3779b97f4a7c15ull >> 55];
}
_Static_assert(BUCKETS == 512, "bucket_of yields 9 bits");

static struct site *find(uint64_t address)
{
    struct site *s = *bucket_of(address);

    while (s != NULL && s->address != address) {
        s = s->next;
    }
    return s;
}

static void insert(struct site *s)
{
    struct site **b = bucket_of(s->address);

    spin_lock(&g_lock);
    s->next = *b;
    *b = s;
    g_lowest = MIN(g_lowest, s->address);
    g_highest = MAX(g_highest, s->address);
    spin_unlock(&g_lock);
}

static bool in_original(const struct site *s, uint64_t start, uint64_t end)
{
    return s->address + 16 > start && s->address < end + 8;
}

static bool alone(void)
{
    return __atomic_load_n(&process_first()->thread_count, __ATOMIC_RELAXED) == 1;
}

static bool in_trampoline(const struct site *s, uint64_t rip)
{
    return rip >= s->trampoline && rip < s->trampoline + TRAMPOLINE_MAX;
}

/* Takes *at, which is forgotten, out of its chunk. */
static struct site *unlink_forgotten(struct site **at)
{
    struct site *s = *at;

    *at = s->chunk_next;
    s->chunk_next = NULL;
    g_forgotten--;
    return s;
}

static void give_back(struct chunk *c, const struct site *s)
{
    const uint64_t offset = s->trampoline - c->address;

    for (uint64_t u = offset / UNIT; u <= (offset + TRAMPOLINE_MAX - 1) / UNIT; u++) {
        c->used[u / 64] &= ~(1ull << (u % 64));
    }
}

/* Frees the trampolines of forgotten sites if nobody can be in one: there is one thread, it is in a
 * system call of its own (not one of a vfork child, whose parent waits on the same thread), and it
 * does not return there. */
static void reclaim(void)
{
    const struct thread *t = thread_current();

    if (g_forgotten == 0 || !alone() || t->vfork != NULL || t->context == NULL) {
        return;
    }
    for (struct chunk *c = g_chunks; c != NULL; c = c->next) {
        for (struct site **at = &c->sites; *at != NULL;) {
            if (!(*at)->forgotten || in_trampoline(*at, t->context->rip)) {
                at = &(*at)->chunk_next;
                continue;
            }
            give_back(c, *at);
            kfree(unlink_forgotten(at));
        }
    }
}

void rewrite_forget(uint64_t start, uint64_t end)
{
    spin_lock(&g_lock);
    /* Most of what is unmapped is nowhere near. */
    if (g_lowest >= end + 8 || g_highest + 16 <= start) {
        spin_unlock(&g_lock);
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct site **at = &g_buckets[i]; *at != NULL;) {
            struct site *s = *at;

            if (!in_original(s, start, end)) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            s->next = NULL;
            if (s->kind == SITE_REFUSED) {
                kfree(s);
            } else {
                s->forgotten = true;
                g_forgotten++;
            }
        }
    }
    spin_unlock(&g_lock);
    reclaim();
}

void rewrite_reset(void)
{
    /* Refused sites hang in the table alone, the others (forgotten ones too) in their chunk. */
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct site *s = g_buckets[i]; s != NULL;) {
            struct site *next = s->next;

            if (s->kind == SITE_REFUSED) {
                kfree(s);
            }
            s = next;
        }
        g_buckets[i] = NULL;
    }
    for (struct chunk *c = g_chunks; c != NULL;) {
        struct chunk *next = c->next;

        for (struct site *s = c->sites; s != NULL;) {
            struct site *after = s->chunk_next;

            kfree(s);
            s = after;
        }
        kfree(c);
        c = next;
    }
    g_chunks = NULL;
    g_forgotten = 0;
    g_lowest = UINT64_MAX;
    g_highest = 0;
}

/* ---- reading and writing code ---- */

static bool is_vdso(const struct vma *v)
{
    return v->name != NULL && str_equal(v->name, "[vdso]");
}

/* Whole pages around a range are committed and belong to one suitable mapping. */
static const struct vma *code_vma(uint64_t start, uint64_t end)
{
    const struct vma *v = vma_find(&g_mm.tree, start);

    if (v == NULL || v->start > start || v->end < end || (v->prot & PROT_EXEC) == 0 ||
        (v->flags & (VMA_SHARED | VMA_INTERNAL)) != 0 || (v->file == NULL && !is_vdso(v))) {
        return NULL;
    }
    for (uint64_t p = page_align_down(start); p < end; p += NACRE_PAGE_SIZE) {
        if ((page_state(p) & (PAGE_COMMITTED | PAGE_R)) != (PAGE_COMMITTED | PAGE_R)) {
            return NULL;
        }
    }
    return v;
}

static int make_writable(uint64_t start, uint64_t end, uint8_t prot)
{
    const uint64_t first = page_align_down(start);

    return page_protect(first, page_align_up(end) - first, prot);
}

static void put_byte(uint64_t at, uint8_t byte)
{
    __atomic_store_n((uint8_t *)at, byte, __ATOMIC_SEQ_CST);
}

static uint64_t now_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

/* ---- trampolines ---- */

static bool units_free(const struct chunk *c, uint64_t first, uint64_t last)
{
    for (uint64_t u = first; u <= last; u++) {
        if ((c->used[u / 64] >> (u % 64) & 1) != 0) {
            return false;
        }
    }
    return true;
}

static bool reachable(uint64_t from, uint64_t to)
{
    const int64_t d = (int64_t)(to - from);

    return d > -(int64_t)REACH + 4096 && d < (int64_t)REACH - 4096;
}

static bool take_at(struct chunk *c, uint64_t address, size_t size)
{
    const uint64_t offset = address - c->address;

    if (address < c->address || offset + size > CHUNK_SIZE ||
        !units_free(c, offset / UNIT, (offset + size - 1) / UNIT)) {
        return false;
    }
    for (uint64_t u = offset / UNIT; u <= (offset + size - 1) / UNIT; u++) {
        c->used[u / 64] |= 1ull << (u % 64);
    }
    return true;
}

/* Any place: SITE_MOV. */
static uint64_t take_any(struct chunk *c, uint64_t jump_end, size_t size)
{
    for (uint64_t u = 0; u < UNITS; u++) {
        const uint64_t at = c->address + u * UNIT;

        if (reachable(jump_end, at) && take_at(c, at, size)) {
            return at;
        }
    }
    return 0;
}

/* A place that makes the displacement 05 xx … with xx an invalid opcode. */
static uint64_t take_punned(struct chunk *c, uint64_t jump_end, size_t size)
{
    uint64_t d = (c->address - jump_end) & ~0xffull;

    for (d |= 0x05; jump_end + d < c->address + CHUNK_SIZE; d += 0x100) {
        const uint64_t at = jump_end + d;

        if (site_traps((uint8_t)(d >> 8)) && reachable(jump_end, at) && take_at(c, at, size)) {
            return at;
        }
    }
    return 0;
}

/* A new chunk near `site`: below its mapping if there is room, else above. */
static struct chunk *add_chunk(uint64_t site, uint64_t map_start)
{
    const uint64_t low = site > REACH ? site - REACH + CHUNK_SIZE : g_user_start;
    const uint64_t high = MIN(g_user_end, site + REACH - 2 * CHUNK_SIZE);
    struct chunk *c = kzalloc(sizeof(*c));
    struct vma *v = mm_vma_alloc();
    uint64_t at = vma_find_gap(&g_mm.tree, CHUNK_SIZE, MAX(low, g_user_start), map_start);

    if (at == 0) {
        at = vma_find_gap(&g_mm.tree, CHUNK_SIZE, MAX(low, g_user_start), high);
    }
    if (c == NULL || v == NULL || at == 0) {
        kfree(c);
        mm_vma_free(v);
        return NULL;
    }
    v->start = at;
    v->end = at + CHUNK_SIZE;
    v->prot = PROT_READ | PROT_EXEC;
    v->flags = VMA_INTERNAL;
    v->name = "[trampolines]";
    vma_insert(&g_mm.tree, v);
    c->address = at;
    c->next = g_chunks;
    g_chunks = c;
    return c;
}

static uint64_t take_trampoline(const struct site *s, uint64_t jump_end, uint64_t map_start,
                                struct chunk **ret)
{
    for (int fresh = 0; fresh < 2; fresh++) {
        for (struct chunk *c = g_chunks; c != NULL; c = c->next) {
            const uint64_t at = s->kind == SITE_MOV ? take_any(c, jump_end, TRAMPOLINE_MAX)
                                                    : take_punned(c, jump_end, TRAMPOLINE_MAX);

            if (at != 0) {
                *ret = c;
                return at;
            }
        }
        if (fresh == 0 && add_chunk(s->address, map_start) == NULL) {
            break;
        }
    }
    return 0;
}

struct code {
    uint8_t bytes[TRAMPOLINE_MAX];
    size_t size;
    uint64_t address;
};

static void emit(struct code *c, const void *bytes, size_t size)
{
    __builtin_memcpy(c->bytes + c->size, bytes, size);
    c->size += size;
}

static void emit_relative(struct code *c, uint64_t target)
{
    const int32_t d = (int32_t)(target - (c->address + c->size + 4));

    emit(c, &d, sizeof(d));
}

/* lea back(%rip),%rcx; jmp *%gs:TP_SYSCALL_ENTRY */
static void emit_entry(struct code *c, uint64_t back)
{
    static const uint8_t lea[] = {0x48, 0x8d, 0x0d};
    static const uint8_t jmp[] = {0x65, 0xff, 0x24, 0x25, 16, 0, 0, 0};

    emit(c, lea, sizeof(lea));
    emit_relative(c, back);
    emit(c, jmp, sizeof(jmp));
}

static void assemble(struct site *s, const uint8_t *original, struct code *c)
{
    static const uint8_t mov = 0xb8;
    static const uint8_t jmp = 0xe9;
    const uint64_t behind = s->address + 2 + s->moved;

    c->size = 0;
    c->address = s->trampoline;
    if (s->kind == SITE_MOV) {
        emit(c, &mov, 1);
        emit(c, &s->number, 4);
        emit_entry(c, s->address + 2);
        return;
    }
    s->copy_at = 15;
    emit_entry(c, s->trampoline + s->copy_at);
    emit(c, original + 2, s->moved);
    if (s->kind == SITE_MOVED) {
        emit(c, &jmp, 1);
        emit_relative(c, behind);
    }
}

static int write_trampoline(struct site *s, const uint8_t *original)
{
    struct code c;
    int r;

    assemble(s, original, &c);
    r = page_commit(page_align_down(s->trampoline),
                    page_align_up(s->trampoline + c.size) - page_align_down(s->trampoline),
                    PAGE_R | PAGE_X);
    if (r == 0) {
        r = make_writable(s->trampoline, s->trampoline + c.size, PAGE_RWX);
    }
    if (r < 0) {
        return r;
    }
    __builtin_memcpy((void *)s->trampoline, c.bytes, c.size);
    return make_writable(s->trampoline, s->trampoline + c.size, PAGE_R | PAGE_X);
}

/* The trampoline this very site had before it was forgotten: it says the same, so a thread that is
 * still in it does not notice. */
static bool take_old(struct site *s, const uint8_t *original, struct chunk **ret)
{
    for (struct chunk *c = g_chunks; g_forgotten != 0 && c != NULL; c = c->next) {
        for (struct site **at = &c->sites; *at != NULL; at = &(*at)->chunk_next) {
            const struct site *o = *at;
            struct code code;

            if (!o->forgotten || o->address != s->address || o->kind != s->kind ||
                o->moved != s->moved) {
                continue;
            }
            s->trampoline = o->trampoline;
            assemble(s, original, &code);
            if (__builtin_memcmp((const void *)s->trampoline, code.bytes, code.size) == 0) {
                kfree(unlink_forgotten(at));
                *ret = c;
                return true;
            }
        }
    }
    s->trampoline = 0;
    return false;
}

/* ---- steps ---- */

static uint64_t jump_at(const struct site *s)
{
    return s->kind == SITE_MOV ? s->address - 5 : s->address;
}

#define MARK_BYTE 0x06 /* invalid in 64-bit mode */

static void step_mark(struct site *s)
{
    if (s->kind == SITE_MOV) {
        put_byte(jump_at(s), MARK_BYTE);
    } else {
        put_byte(s->address + 2, s->jump[2]);
    }
    s->state = SITE_MARKED;
}

static void step_tail(struct site *s)
{
    const uint64_t at = jump_at(s);

    for (uint64_t i = 1; i < 5; i++) {
        put_byte(at + i, s->jump[i]);
    }
    s->state = SITE_TAILED;
}

static void step_head(struct site *s)
{
    put_byte(jump_at(s), s->jump[0]);
    s->state = SITE_DONE;
    __atomic_add_fetch(&g_patched, 1, __ATOMIC_RELAXED);
}

/* All five bytes in one aligned word: one store does it. */
static bool fits_word(const struct site *s)
{
    return s->kind == SITE_MOV && jump_at(s) % 8 <= 3;
}

static void store_word(struct site *s)
{
    const uint64_t at = jump_at(s);
    uint64_t *word = (uint64_t *)(at & ~7ull);
    uint64_t v = *word;

    __builtin_memcpy((uint8_t *)&v + at % 8, s->jump, 5);
    __atomic_store_n(word, v, __ATOMIC_SEQ_CST);
    s->state = SITE_DONE;
    __atomic_add_fetch(&g_patched, 1, __ATOMIC_RELAXED);
}

static void advance(struct site *s, const struct vma *v)
{
    const uint64_t start = jump_at(s);
    const uint8_t prot = mm_page_prot(v->prot);

    if (make_writable(start, start + 5, prot | PAGE_W) < 0) {
        return;
    }
    if (s->state == SITE_NEW && fits_word(s)) {
        store_word(s);
    } else if (alone()) {
        step_mark(s);
        step_tail(s);
        step_head(s);
    } else {
        switch (s->state) {
        case SITE_NEW: step_mark(s); break;
        case SITE_MARKED: step_tail(s); break;
        default: step_head(s); break;
        }
    }
    s->stepped_at = now_ticks();
    if (make_writable(start, start + 5, prot) < 0) {
        libos_panic("code cannot be made read-only again");
    }
    for (uint64_t p = page_align_down(start); p < start + 5; p += NACRE_PAGE_SIZE) {
        page_state_set(p, PAGE_PATCHED, 0);
    }
}

/* ---- first sight of a site ---- */

static void leave_alone(struct site *s)
{
    s->kind = SITE_REFUSED;
    s->state = SITE_NEW;
    __atomic_add_fetch(&g_left, 1, __ATOMIC_RELAXED);
}

static bool plan(struct site *s, uint64_t number, const struct vma *v)
{
    const uint8_t *code = (const uint8_t *)s->address;
    const size_t before = MIN((uint64_t)SITE_BEFORE, s->address - v->start);
    const size_t behind = MIN((uint64_t)SITE_BEHIND, v->end - s->address);
    struct site_shape shape;
    struct chunk *chunk;
    uint64_t jump_end;
    int32_t distance;

    if (code_vma(s->address - before, s->address + behind) == NULL) {
        return false;
    }
    site_decode(code, before, behind, number, &shape);
    if (shape.kind == SITE_REFUSED) {
        return false;
    }
    s->kind = (uint8_t)shape.kind;
    s->moved = shape.moved;
    s->number = (uint32_t)number;
    jump_end = jump_at(s) + 5;
    if (!take_old(s, code, &chunk)) {
        s->trampoline = take_trampoline(s, jump_end, v->start, &chunk);
        if (s->trampoline == 0 || write_trampoline(s, code) < 0) {
            return false;
        }
    }
    s->chunk_next = chunk->sites;
    chunk->sites = s;
    distance = (int32_t)(s->trampoline - jump_end);
    s->jump[0] = 0xe9;
    __builtin_memcpy(s->jump + 1, &distance, sizeof(distance));
    return true;
}

static void first_sight(uint64_t address, uint64_t number, const struct vma *v)
{
    struct site *s = kzalloc(sizeof(*s));

    if (s == NULL) {
        return;
    }
    s->address = address;
    if (!plan(s, number, v)) {
        leave_alone(s);
        insert(s);
        return;
    }
    /* In the table before the first byte changes: the trap handler must know it. */
    insert(s);
    advance(s, v);
}

void rewrite_site(uint64_t address, uint64_t number)
{
    const struct vma *v;
    struct site *s;

    if (!g_enabled) {
        return;
    }
    spin_lock(&g_lock);
    s = find(address);
    spin_unlock(&g_lock);
    if (s != NULL && (s->kind == SITE_REFUSED || s->state == SITE_DONE ||
                      (!alone() && now_ticks() - s->stepped_at < QUIET_TICKS))) {
        return;
    }
    mutex_lock(&g_mm.lock);
    v = code_vma(address, address + 2);
    spin_lock(&g_lock);
    s = find(address); /* another thread may have been here, or unmapped it */
    spin_unlock(&g_lock);
    if (v != NULL && s == NULL) {
        first_sight(address, number, v);
    } else if (v != NULL && s->kind != SITE_REFUSED && s->state != SITE_DONE) {
        advance(s, v);
    }
    mutex_unlock(&g_mm.lock);
}

/* ---- traps ---- */

uint64_t rewrite_after(uint64_t site)
{
    uint64_t after = site + 2;
    const struct site *s;

    if (!g_enabled) {
        return after;
    }
    spin_lock(&g_lock);
    s = find(site);
    if (s != NULL && (s->kind == SITE_MOVED || s->kind == SITE_RET)) {
        after = s->trampoline + s->copy_at;
    }
    spin_unlock(&g_lock);
    return after;
}

bool rewrite_handle_trap(struct cpu_context *ctx)
{
    bool ours;
    const struct site *s;

    if (!g_enabled) {
        return false;
    }
    spin_lock(&g_lock);
    s = find(ctx->rip - 2);
    if (s != NULL && (s->kind == SITE_MOVED || s->kind == SITE_RET)) {
        ctx->rip = s->trampoline + s->copy_at;
        spin_unlock(&g_lock);
        return true;
    }
    s = find(ctx->rip + 5);
    if (s != NULL && s->kind == SITE_MOV) {
        ctx->rax = s->number;
        ctx->rip += 5;
        spin_unlock(&g_lock);
        return true;
    }
    /* The syscall that trapped has become a jump since: execute that. */
    s = find(ctx->rip);
    ours = s != NULL && s->kind != SITE_REFUSED && s->kind != SITE_MOV && s->state == SITE_DONE;
    spin_unlock(&g_lock);
    return ours;
}

/* The call is made by the trampoline's first part; behind it stand the moved instruction, whose own
 * place is behind the syscall, and the jump back, where it was done already. */
static uint64_t original_of(const struct site *s, uint64_t rip)
{
    if (s->kind == SITE_MOV || rip < s->trampoline + s->copy_at) {
        return jump_at(s);
    }
    return rip < s->trampoline + s->copy_at + s->moved ? s->address + 2 : s->address + 2 + s->moved;
}

uint64_t rewrite_original_rip(uint64_t rip)
{
    const struct vma *v;
    uint64_t original = rip;

    if (__atomic_load_n(&g_patched, __ATOMIC_RELAXED) == 0) {
        return rip;
    }
    mutex_lock(&g_mm.lock);
    v = vma_find(&g_mm.tree, rip);
    if (v != NULL && v->start <= rip && (v->flags & VMA_INTERNAL) != 0) {
        for (const struct chunk *c = g_chunks; c != NULL; c = c->next) {
            for (const struct site *s = c->sites; s != NULL; s = s->chunk_next) {
                if (in_trampoline(s, rip)) {
                    original = original_of(s, rip);
                }
            }
        }
    }
    mutex_unlock(&g_mm.lock);
    return original;
}
