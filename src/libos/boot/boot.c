/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * From the first instruction to the first one of the application: relocate ourselves, take over
 * what the host offers (untrusted: launch parameters are tuning and, in developer mode, the program
 * to run), bring up the areas in order, load the program, go.
 */

#include "libos/boot/boot.h"

#include <asm/auxvec.h>
#include <linux/elf.h>

#include "abi/hostcall.h"
#include "libos/boot/entry.h"
#include "libos/boot/protected.h"
#include "libos/boot/rewrite.h"
#include "libos/boot/sealed_root.h"
#include "libos/boot/thread_page.h"
#include "libos/elf/exec.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/touched.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/errno_name.h"
#include "libos/lib/log.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/fork.h"
#include "libos/proc/process.h"
#include "libos/proc/process_init.h"
#include "libos/signal/signal.h"
#include "libos/sys/trace.h"
#include "seal/manifest.h"

#define R_X86_64_RELATIVE_TYPE 8
#define PARK_LINE              64u

uint64_t g_enclave_base;
uint64_t g_user_start;
uint64_t g_user_end;
struct boot_info g_boot;

extern const Elf64_Rela __rela_start[] __attribute__((visibility("hidden")));
extern const Elf64_Rela __rela_end[] __attribute__((visibility("hidden")));
extern const char __image_start[] __attribute__((visibility("hidden")));

/* R_X86_64_RELATIVE only, in writable pages: the loader refused everything else and so did the
 * checks of the build. Before this ran, no pointer in static data may be used. */
static void relocate(uint64_t image)
{
    for (const Elf64_Rela *r = __rela_start; r < __rela_end; r++) {
        if ((r->r_info & 0xffffffff) == R_X86_64_RELATIVE_TYPE) {
            *(uint64_t *)(image + r->r_offset) = image + (uint64_t)r->r_addend;
        }
    }
}

/* Takes over the host's block for this thread: every pointer fully outside, once and for all. */
bool boot_take_block(struct thread_page *tp, uint64_t block)
{
    struct hostcall_block *b = (struct hostcall_block *)block;
    uint8_t *buffer;
    uint64_t size;

    if ((block & 7) != 0 || !host_range_outside(b, sizeof(*b))) {
        return false;
    }
    buffer = (uint8_t *)__atomic_load_n(&b->buffer, __ATOMIC_RELAXED);
    size = __atomic_load_n(&b->buffer_size, __ATOMIC_RELAXED);
    if (((uint64_t)buffer & 63) != 0 || size < HOSTCALL_BUFFER_SIZE ||
        !host_range_outside(buffer, HOSTCALL_BUFFER_SIZE)) {
        return false;
    }
    tp->block = b;
    /* The last line of the area is the word this thread parks on. */
    tp->bounce = (struct host_bounce){.p = buffer, .size = HOSTCALL_BUFFER_SIZE - PARK_LINE};
    tp->park = (uint32_t *)(void *)(buffer + HOSTCALL_BUFFER_SIZE - PARK_LINE);
    return true;
}

/* One list of strings of the launch parameters, checked to end inside the block. */
static int take_strings(const char *block, uint64_t size, const struct boot_strings *s,
                        const char ***ret, size_t *ret_count)
{
    const char **v;
    size_t at = 0;

    if (s->count > BOOT_STRINGS_MAX || !range_within(s->offset, s->size, 0, size)) {
        return -EINVAL;
    }
    v = kmalloc((s->count + 1) * sizeof(*v));
    if (v == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        const char *p = block + s->offset + at;

        while (at < s->size && block[s->offset + at] != '\0') {
            at++;
        }
        if (at >= s->size) {
            kfree(v);
            return -EINVAL;
        }
        at++;
        v[i] = p;
    }
    v[s->count] = NULL;
    *ret = v;
    *ret_count = s->count;
    return 0;
}

static int take_one(const char *block, uint64_t size, const struct boot_strings *s,
                    const char **ret)
{
    const char **v;
    size_t count;
    int r = take_strings(block, size, s, &v, &count);

    if (r < 0) {
        return r;
    }
    if (count > 1) {
        r = -EINVAL;
    } else {
        *ret = v[0];
    }
    kfree(v);
    return r;
}

const char *boot_option(const char *name)
{
    size_t len = str_len(name);

    for (size_t i = 0; i < g_boot.option_count; i++) {
        if (str_starts(g_boot.options[i], name) && g_boot.options[i][len] == '=') {
            return g_boot.options[i] + len + 1;
        }
    }
    return NULL;
}

static bool option_on(const char *name, bool otherwise)
{
    const char *v = boot_option(name);

    if (v == NULL) {
        return otherwise;
    }
    return str_equal(v, "1");
}

static int64_t option_number(const char *name, int64_t otherwise)
{
    const char *v = boot_option(name);
    uint64_t n;

    if (v == NULL || !str_to_u64(v, str_len(v), &n) || n > INT64_MAX) {
        return otherwise;
    }
    return (int64_t)n;
}

/* The header alone, for what must be known before there is a heap. */
static int peek_params(uint64_t argument, struct boot_params *ret)
{
    if ((argument & 7) != 0 || !host_range_outside((const void *)argument, sizeof(*ret))) {
        return -EFAULT;
    }
    host_copy_in(ret, (const void *)argument, sizeof(*ret));
    if (ret->magic != BOOT_PARAMS_MAGIC || ret->version != BOOT_PARAMS_VERSION ||
        ret->header_size < sizeof(*ret) || ret->size < ret->header_size ||
        ret->size > BOOT_PARAMS_MAX || !host_range_outside((const void *)argument, ret->size)) {
        return -EINVAL;
    }
    return 0;
}

static int take_params(uint64_t argument, const struct boot_params *head)
{
    struct boot_info *b = &g_boot;
    const uint64_t size = head->size;
    char *copy = kmalloc(size + 8);
    int r;

    if (copy == NULL) {
        return -ENOMEM;
    }
    host_copy_in(copy, (const void *)argument, size);
    copy[size] = '\0';
    /* The header as first read is the one that counts. */
    b->params = *head;
    b->payload = copy;
    r = take_strings(copy, size, &head->argv, &b->argv, &b->argc);
    if (r == 0) {
        r = take_strings(copy, size, &head->envp, &b->envp, &b->envc);
    }
    if (r == 0) {
        r = take_one(copy, size, &head->cwd, &b->cwd);
    }
    if (r == 0) {
        r = take_one(copy, size, &head->hostname, &b->hostname);
    }
    if (r == 0) {
        r = take_strings(copy, size, &head->options, &b->options, &b->option_count);
    }
    if (r < 0) {
        return r;
    }
    b->strace = option_on("strace", (head->flags & BOOT_FLAG_DEBUG_LOG) != 0);
    b->report = option_on("syscall-report", false);
    b->rewrite = option_on("rewrite", true);
    b->stats = (head->flags & BOOT_FLAG_STATS) != 0;
    b->read_only = option_on("read-only", false);
    b->root_fd = (int)option_number("root-fd", -1);
    return 0;
}

/* Pages the loader added, as the measured control page tells. */
static uint64_t measured_size(const struct enclave_thread_page *m)
{
    const uint64_t slot = m->stack_size + m->trap_stack_size + 2 * NACRE_PAGE_SIZE +
                          (uint64_t)m->ssa_frames * m->ssa_frame_size;

    return m->image_size + page_align_up(MAX(m->manifest_size, (uint64_t)1)) + m->threads * slot;
}

void thread_page_prepare(struct thread_page *tp, uint64_t base)
{
    const struct enclave_thread_page *m = &tp->measured;

    tp->enclave_base = base;
    tp->stack_top = base + m->stack_top_offset;
    tp->trap_top = base + m->trap_top_offset;
    tp->kstack = base + m->stack_top_offset;
    tp->ssa = (uint8_t *)(base + m->ssa_offset);
    tp->tcs = base + m->tcs_offset;
    tp->syscall_entry = syscall_entry;
    tp->mxcsr = 0x1f80;
    tp->x87_control = 0x37f;
}

static struct manifest g_manifest;
static bool g_have_manifest;

/* What the enclave is, before anything the host wishes is done. */
static int boot_identity(const struct enclave_thread_page *measured)
{
    int r = boot_manifest((const void *)(g_enclave_base + measured->manifest_offset),
                          measured->manifest_size, &g_manifest, &g_have_manifest);

    if (r < 0) {
        return r;
    }
    g_boot.protect = g_have_manifest && (g_manifest.header.flags & MANIFEST_HOST_TRUSTED) == 0;
    if (g_boot.protect) {
        g_boot.strace = false;
        g_boot.report = false;
        log_set_level(MIN(g_boot.params.log_level, (uint32_t)LOG_WARNING));
    }
    return 0;
}

static int boot_filesystem(const struct fs_config *config)
{
    struct fs_config c = *config;
    int r = boot_sealed_root(g_have_manifest ? &g_manifest : NULL, &c.root_sb);

    if (r == 0 && g_have_manifest && (g_manifest.header.flags & MANIFEST_HOST_BELOW) != 0) {
        r = boot_host_below(&c.root_sb);
        c.root_fd = -1;
    }
    return r < 0 ? r : fs_init(&c);
}

_noreturn_ static void boot_fail(const char *what, int r)
{
    libos_panic("start: %s failed with error %d", what, -r);
}

/* The first program: the agent, or what the host names. */
static int boot_program(const struct enclave_thread_page *measured)
{
    const struct fs_config config = {
        .root_fd = g_boot.root_fd,
        .root_writable = !g_boot.read_only || g_boot.protect,
        .hostname = g_boot.hostname,
        .memory_limit = g_boot.params.memory_limit,
        .cpus = g_boot.params.cpu_count,
    };
    int r;

    if (g_boot.protect) {
        r = protected_start(&g_manifest, (const void *)(g_enclave_base + measured->manifest_offset),
                            measured->manifest_size, &config);
        if (r < 0) {
            libos_log(LOG_ERROR, "cannot start the agent: error %d (%s)", -r, errno_name(-r));
        }
        return r;
    }
    r = boot_filesystem(&config);
    if (r < 0) {
        boot_fail("mounting the root", r);
    }
    r = exec_first(g_boot.argv, g_boot.envp, g_boot.cwd);
    if (r < 0) {
        libos_log(LOG_ERROR, "cannot run %s: error %d (%s)", g_boot.argv[0], -r, errno_name(-r));
    }
    return r;
}

void boot_start(struct thread_page *tp, uint64_t block, uint64_t argument)
{
    const uint64_t image = (uint64_t)__image_start;
    struct boot_params params;
    int r;

    relocate(image);
    g_enclave_base = image - tp->measured.image_offset;
    g_user_start = g_enclave_base + USER_MIN_ADDR;
    g_user_end = g_enclave_base + LIBOS_AREA_START;
    host_mem_init(g_enclave_base, ELRANGE_SIZE);
    if (tp->measured.magic != ENCLAVE_THREAD_MAGIC || !boot_take_block(tp, block)) {
        hostcall_leave_for_good();
    }
    thread_page_prepare(tp, g_enclave_base);
    r = peek_params(argument, &params);
    if (r < 0) {
        boot_fail("reading the launch parameters", r);
    }
    log_set_level(params.log_level);
    r = page_init(params.memory_limit, measured_size(&tp->measured));
    if (r < 0) {
        boot_fail("page tables", r);
    }
    if ((params.flags & BOOT_FLAG_FORK_CHILD) != 0) {
        fork_child_start(tp, params.fork_fd);
    }
    r = take_params(argument, &params);
    if (r < 0) {
        boot_fail("copying the launch parameters", r);
    }
    boot_choose_vector_width();
    r = boot_identity(&tp->measured);
    if (r < 0) {
        boot_fail("reading the measured manifest", r);
    }
    if (g_boot.argc == 0 && !g_boot.protect) {
        libos_panic("start: no program was named");
    }
    r = process_init(tp);
    if (r < 0) {
        boot_fail("the first thread", r);
    }
    r = mm_init();
    if (r < 0) {
        boot_fail("the memory map", r);
    }
    rewrite_init(g_boot.rewrite);
    trace_init(g_boot.strace, g_boot.report, g_boot.stats);
    touched_init(!g_boot.protect && option_on("trace-files", false));
    r = boot_program(&tp->measured);
    if (r < 0) {
        process_exit(r == -ENOENT ? 127 : 126);
    }
    enter_app();
}
