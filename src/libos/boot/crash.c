/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/boot/crash.h"

#include <linux/mman.h>

#include "libos/boot/boot.h"
#include "libos/boot/hostcall.h"
#include "libos/fs/file.h"
#include "libos/host/host.h"
#include "libos/lib/strbuild.h"
#include "libos/libos.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/mm/user.h"
#include "libos/proc/process.h"

#define FRAMES_MAX     32
#define SCAN_WORDS     512
#define SIGKILL_NUMBER 9

extern const char __image_start[] __attribute__((visibility("hidden")));
extern const char __text_start[] __attribute__((visibility("hidden")));
extern const char __text_end[] __attribute__((visibility("hidden")));

static void line(const struct strbuild *b)
{
    host_log(LOG_ERROR, b->text, strbuild_length(b));
}

/* "0x1234 /lib/x86_64-linux-gnu/libc.so.6+0x234": for addr2line and gdb. */
static void put_place(struct strbuild *b, uint64_t address)
{
    struct vma *v;
    char buf[256];
    char *name = NULL;
    uint64_t offset = 0;

    strbuild_add(b, "0x%lx", address);
    if (!mutex_trylock(&g_mm.lock)) {
        return;
    }
    v = vma_find(&g_mm.tree, address);
    if (v != NULL && v->start <= address) {
        if (v->file != NULL && file_path_text(v->file, buf, sizeof(buf), &name) == 0) {
            offset = v->offset + (address - v->start);
        } else if (v->name != NULL) {
            strbuild_add(b, " %s", v->name);
        }
    }
    mutex_unlock(&g_mm.lock);
    if (name != NULL) {
        strbuild_add(b, " %s+0x%lx", name, offset);
    }
}

/* Reads a word of the application without bringing pages in. */
static bool peek(uint64_t address, uint64_t *ret)
{
    if (user_check(address, sizeof(*ret)) < 0 || (address & 7) != 0 ||
        (page_state(page_align_down(address)) & (PAGE_COMMITTED | PAGE_R)) !=
            (PAGE_COMMITTED | PAGE_R)) {
        return false;
    }
    return user_get(ret, address) == 0;
}

static bool is_code(uint64_t address)
{
    const struct vma *v;
    bool yes;

    if (user_check(address, 1) < 0 || !mutex_trylock(&g_mm.lock)) {
        return false;
    }
    v = vma_find(&g_mm.tree, address);
    yes = v != NULL && v->start <= address && (v->prot & PROT_EXEC) != 0;
    mutex_unlock(&g_mm.lock);
    return yes;
}

static void frame(int n, uint64_t address, const char *how)
{
    struct strbuild b;

    strbuild_init(&b);
    strbuild_add(&b, "  #%d %s", n, how);
    put_place(&b, address);
    line(&b);
}

/* Frame pointers as long as they make sense; else every word on the stack that points into code. */
static void backtrace(const struct cpu_context *ctx)
{
    uint64_t rbp = ctx->rbp;
    uint64_t low = ctx->rsp;
    int n = 0;

    frame(n++, ctx->rip, "");
    while (n < FRAMES_MAX) {
        uint64_t next;
        uint64_t back;

        if (rbp < low || !peek(rbp, &next) || !peek(rbp + 8, &back) || !is_code(back)) {
            break;
        }
        frame(n++, back, "");
        low = rbp + 16;
        rbp = next;
    }
    if (n > 2) {
        return;
    }
    for (uint64_t i = 0; i < SCAN_WORDS && n < FRAMES_MAX; i++) {
        uint64_t word;

        if (!peek((ctx->rsp & ~7ull) + i * 8, &word)) {
            break;
        }
        if (is_code(word)) {
            frame(n++, word, "? ");
        }
    }
}

static void registers(const struct cpu_context *c)
{
    struct strbuild b;

    strbuild_init(&b);
    strbuild_add(&b, "  rip %016lx rsp %016lx rbp %016lx flags %08lx", c->rip, c->rsp, c->rbp,
                 c->rflags);
    line(&b);
    strbuild_init(&b);
    strbuild_add(&b, "  rax %016lx rbx %016lx rcx %016lx rdx %016lx rsi %016lx rdi %016lx", c->rax,
                 c->rbx, c->rcx, c->rdx, c->rsi, c->rdi);
    line(&b);
    strbuild_init(&b);
    strbuild_add(&b, "  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", c->r8, c->r9, c->r10, c->r11);
    line(&b);
    strbuild_init(&b);
    strbuild_add(&b, "  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", c->r12, c->r13, c->r14,
                 c->r15);
    line(&b);
}

void crash_report(int signo, const struct cpu_context *ctx)
{
    struct strbuild b;

    strbuild_init(&b);
    if (g_boot.protect) { /* names and addresses are the application's business */
        strbuild_add(&b, "the application died of signal %d", signo);
        line(&b);
        return;
    }
    strbuild_add(&b, "%s (thread %d) died of signal %d", process_current()->comm,
                 thread_current()->tid, signo);
    line(&b);
    /* Register values are the application's data: only where the host asked to debug. */
    if (libos_log_enabled(LOG_DEBUG)) {
        registers(ctx);
    }
    backtrace(ctx);
}

void crash_libos(const struct cpu_context *ctx, uint32_t vector, uint32_t code, uint64_t address)
{
    const uint64_t image = (uint64_t)__image_start;
    struct strbuild b;

    strbuild_init(&b);
    strbuild_add(&b, "bug: the library OS faulted at image+0x%lx: exception %u, code 0x%x",
                 ctx->rip - image, vector, code);
    if (libos_log_enabled(LOG_DEBUG)) {
        strbuild_add(&b, ", address 0x%lx", address);
    }
    line(&b);
    /* No frame pointers in this build: return addresses by their looks. */
    for (uint64_t i = 0, n = 0; i < 256 && n < 16; i++) {
        const uint64_t at = (ctx->rsp & ~7ull) + i * 8;
        uint64_t word;

        if (((at ^ ctx->rsp) & ~0xffffull) != 0) {
            break;
        }
        word = *(const uint64_t *)at;
        if (word >= (uint64_t)__text_start && word < (uint64_t)__text_end) {
            strbuild_init(&b);
            strbuild_add(&b, "  ? image+0x%lx", word - image);
            line(&b);
            n++;
        }
    }
    hostcall_abort(2);
}

void crash_out_of_memory(const struct cpu_context *ctx)
{
    struct strbuild b;

    strbuild_init(&b);
    strbuild_add(&b, "%s: out of enclave memory; start with a larger memory limit",
                 g_boot.protect ? "the application" : process_current()->comm);
    line(&b);
    process_die(SIGKILL_NUMBER, /*core=*/false, ctx);
}
