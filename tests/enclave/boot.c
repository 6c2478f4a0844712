/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* First entries: relocation, launch parameters, main, threads. */
#include "enclave/enclave.h"

#include "core/overflow.h"

/* Hidden, so that no compiler fetches them through a GOT that is not relocated yet. */
extern char __image_start[] _hidden_, __rela_start[] _hidden_, __rela_end[] _hidden_;

#define R_X86_64_RELATIVE 8u
#define ARGUMENTS_MAX     8u
#define TEXT_MAX          512u

struct rela {
    uint64_t offset;
    uint64_t info;
    int64_t addend;
};

uint64_t enclave_base;
struct boot_params boot;
static char boot_text[TEXT_MAX];
static const char *arguments[ARGUMENTS_MAX];
static uint32_t argument_count;
static uint32_t boot_state; /* 0 new, 1 being made, 2 ready */

struct start {
    void (*function)(uint64_t);
    uint64_t argument;
    uint32_t state; /* 0 free, 1 asked for, 2 running */
};
static struct start starts[ENCLAVE_THREADS_MAX];

/* The loader adds the image as it stands in the file, so that its measurement knows no base; what
 * depends on the base is put right here, once, before anything uses it. */
static void relocate(void)
{
    const uint64_t at = (uint64_t)__image_start;
    const struct rela *end = (const void *)__rela_end;

    for (const struct rela *r = (const void *)__rela_start; r < end; r++) {
        if ((uint32_t)r->info == R_X86_64_RELATIVE) {
            *(uint64_t *)(at + r->offset) = at + (uint64_t)r->addend;
        }
    }
}

/* Copies the parameters once and then looks. Nothing in them is trusted to be so. */
static int take_parameters(uint64_t at)
{
    const struct boot_strings *argv = &boot.argv;
    bool at_start = true;

    if (host_copy_in(&boot, at, sizeof(boot)) < 0) {
        return -EFAULT;
    }
    if (boot.magic != BOOT_PARAMS_MAGIC || boot.version != BOOT_PARAMS_VERSION ||
        boot.header_size < sizeof(boot) || boot.size > BOOT_PARAMS_MAX ||
        !range_within(argv->offset, argv->size, sizeof(boot), boot.size) ||
        argv->size > sizeof(boot_text) || argv->count > ARGUMENTS_MAX) {
        return -EINVAL;
    }
    if (host_copy_in(boot_text, at + argv->offset, argv->size) < 0) {
        return -EFAULT;
    }
    for (uint32_t i = 0; i < argv->size; i++) {
        if (at_start && argument_count < argv->count) {
            arguments[argument_count++] = boot_text + i;
        }
        at_start = boot_text[i] == '\0';
    }
    return at_start && argument_count == argv->count ? 0 : -EINVAL;
}

const char *boot_argument(uint32_t n)
{
    return n < argument_count ? arguments[n] : NULL;
}

static bool word_is(const char *a, const char *b)
{
    while (a != NULL && *a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return a != NULL && *a == *b;
}

static int enclave_main(void)
{
    const char *verb = boot_argument(1);

    if (word_is(verb, "bench")) {
        return bench_main();
    }
    if (word_is(verb, "abort")) {
        host_abort(42);
    }
    if (word_is(verb, "die")) {
        __asm__ volatile("ud2");
    }
    if (word_is(verb, "sink")) { /* an exception at each level, until no SSA frame is left */
        thread_self()->nested_fault = LEVELS - 1;
        __asm__ volatile("ud2");
    }
    if (word_is(verb, "exit")) {
        return 7;
    }
    test_boot();
    test_host();
    test_traps();
    test_threads();
    test_keys();
    test_edmm();
    return tap_end();
}

/* The processor's word on which state components there are to be wiped: a report for nobody. */
static void learn_xfrm(void)
{
    static const _Alignas(512) struct sgx_targetinfo target;
    static const _Alignas(128) uint8_t data[64];
    static _Alignas(512) struct sgx_report report;

    (void)enclave_enclu(ENCLU_EREPORT, (uint64_t)&target, (uint64_t)data, (uint64_t)&report);
    enclave_xfrm_mask = (uint32_t)report.body.attributes.xfrm;
}

/* A block that overlaps the enclave would make us write into ourselves. */
static void take_block(struct thread *t, uint64_t block)
{
    if (!is_page_aligned(block) || !host_range_ok(block, sizeof(struct hostcall_block))) {
        enclave_leave_for_good();
    }
    t->block = (struct hostcall_block *)block;
}

static _noreturn_ void first_thread(struct thread *t, uint64_t block, uint64_t argument)
{
    take_block(t, block);
    learn_xfrm();
    if (take_parameters(argument) < 0) {
        host_abort(1);
    }
    __atomic_store_n(&boot_state, 2, __ATOMIC_RELEASE);
    host_exit(enclave_main());
}

static _noreturn_ void other_thread(struct thread *t, uint64_t block)
{
    struct start *s = &starts[t->page.index];
    uint32_t asked = 1;

    /* The host enters when it likes: only a thread that was asked for runs, and only once. */
    if (!__atomic_compare_exchange_n(&s->state, &asked, 2, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        enclave_leave_for_good();
    }
    take_block(t, block);
    s->function(s->argument);
    t->block->exit = EXIT_THREAD_DONE;
    __atomic_store_n(&s->state, 0, __ATOMIC_RELEASE);
    enclave_leave_for_good();
}

void enclave_first_entry(uint64_t entry, uint64_t block, uint64_t argument, uint64_t base)
{
    uint32_t expected = 0;

    if (entry == ENTRY_START) {
        if (!__atomic_compare_exchange_n(&boot_state, &expected, 1, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED)) {
            enclave_leave_for_good();
        }
        relocate();
        enclave_base = base;
        first_thread(thread_self(), block, argument);
    }
    if (__atomic_load_n(&boot_state, __ATOMIC_ACQUIRE) != 2) {
        enclave_leave_for_good();
    }
    other_thread(thread_self(), block);
}

int thread_start(uint32_t index, void (*function)(uint64_t), uint64_t argument)
{
    struct start *s = &starts[index];
    int64_t r;

    if (index == 0 || index >= thread_self()->page.threads ||
        __atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != 0) {
        return -EBUSY;
    }
    s->function = function;
    s->argument = argument;
    __atomic_store_n(&s->state, 1, __ATOMIC_RELEASE);
    do {
        /* The host thread of an earlier use may still be on its way out. */
        r = host_call(HOSTCALL_thread_create,
                      enclave_base + ENCLAVE_THREADS_OFFSET + (uint64_t)index * ENCLAVE_SLOT_SIZE +
                          SLOT_TCS,
                      0, 0, 0);
    } while (r == -EBUSY);
    if (r < 0) {
        __atomic_store_n(&s->state, 0, __ATOMIC_RELEASE);
    }
    return (int)r;
}

bool thread_done(uint32_t index)
{
    return __atomic_load_n(&starts[index].state, __ATOMIC_ACQUIRE) == 0;
}
