/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Boot state, calls to the host, traps and signals. */
#include "enclave/enclave.h"

#include "core/sha256.h"

static const char *const relocated[] = {"zero", "one"};
static uint8_t big_bss[3 * NACRE_PAGE_SIZE];

void test_boot(void)
{
    const struct thread *t = thread_self();
    static const uint8_t abc[SHA256_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                             0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                             0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                             0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t digest[SHA256_SIZE];
    uint8_t sum = 0;
    bool same = true;

    tap_case(t->page.magic == ENCLAVE_THREAD_MAGIC && t->page.index == 0,
             "the control page of slot 0 is where GS points");
    tap_case(t->page.image_offset == ENCLAVE_IMAGE_OFFSET &&
                 t->page.manifest_offset == ENCLAVE_MANIFEST_OFFSET,
             "the control page tells where image and manifest lie");
    tap_case(relocated[1][0] == 'o' && (uint64_t)relocated[1] - enclave_base < ENCLAVE_SIZE,
             "pointers in data were relocated to where the image runs");
    for (size_t i = 0; i < sizeof(big_bss); i++) {
        sum |= big_bss[i];
    }
    tap_case(sum == 0, "pages beyond the file's data are zero");
    sha256("abc", 3, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        same = same && digest[i] == abc[i];
    }
    tap_case(same, "SHA-256 of abc");
}

void test_host(void)
{
    const uint64_t inside = (uint64_t)big_bss;
    uint8_t small[8];

    tap_case(host_call(HOSTCALL_MAX - 1, 0, 0, 0, 0) == -ENOSYS, "an unknown host call is ENOSYS");
    tap_case(host_call(131, 0, 0, 0, 0) == -ENOSYS, "a number without a row is ENOSYS");
    tap_case(host_call(HOSTCALL_close, (uint64_t)-1, 0, 0, 0) == -EBADF, "errors come back");
    tap_case(host_call(HOSTCALL_clock_gettime, 1, 0, 0, 0) > 0, "the host's monotonic clock runs");
    tap_case(host_copy_in(small, inside, sizeof(small)) == -EFAULT,
             "host_copy_in refuses a pointer into the enclave");
    tap_case(host_copy_in(small, enclave_base + ENCLAVE_SIZE - 4, sizeof(small)) == -EFAULT,
             "host_copy_in refuses a range that begins inside");
    tap_case(host_copy_in(small, UINT64_MAX - 3, sizeof(small)) == -EFAULT,
             "host_copy_in refuses a range that wraps");
    if (enclave_base != 0) {
        tap_case(host_copy_in(small, enclave_base - 4, sizeof(small)) == -EFAULT,
                 "host_copy_in refuses a range that ends inside");
    }
    thread_self()->plain_exit = 1;
    tap_case(host_call(HOSTCALL_yield, 0, 0, 0, 0) == 0, "EEXIT through an ENCLU that is no slot");
    thread_self()->plain_exit = 0;
    tap_case(host_call(HOSTCALL_yield, 0, 0, 0, 0) == 0, "EEXIT through a slot");
}

/* --- traps --- */

static void do_ud2(void *arg)
{
    __asm__ volatile("ud2");
}

static void do_divide(void *arg)
{
    uint32_t a = 1;
    uint32_t d = 0;

    __asm__ volatile("divl %2" : "+a"(a), "+d"(d) : "r"(0) : "cc");
}

static void do_read(void *arg)
{
    (void)*(volatile uint8_t *)arg;
}

static void do_write(void *arg)
{
    *(volatile uint8_t *)arg = 1;
}

static void do_non_canonical(void *arg)
{
    (void)*(volatile uint8_t *)0x8000000000000000ull;
}

static void do_syscall(void *arg)
{
    uint64_t rax = 39;

    /* The bytes of `syscall`, made at run time: the image itself has none. */
    __asm__ volatile("call *%1" : "+a"(rax) : "r"(arg) : "rcx", "r11", "memory");
}

static bool faults(void (*function)(void *), const void *arg, uint32_t vector)
{
    struct expected_trap trap;
    const bool trapped = trap_try(function, (void *)(uintptr_t)arg, &trap);

    return trapped && trap.vector == vector && trap.cssa == 1 && trap.count == 1;
}

static void test_faults(void)
{
    extern char __text_start[] _hidden_;
    struct expected_trap trap;
    const uint64_t hole = enclave_base + ENCLAVE_THREADS_OFFSET + SLOT_STACK_TOP;

    tap_case(faults(do_ud2, NULL, X86_UD), "#UD is handled inside");
    tap_case(faults(do_divide, NULL, X86_DE), "#DE is handled inside");
    tap_case(faults(do_read, (void *)hole, X86_PF), "#PF on a page that was never added");
    tap_case(trap_try(do_read, (void *)(hole + 24), &trap) && trap.addr == hole + 24,
             "EXINFO.MADDR is the faulting address");
    tap_case(trap_try(do_write, __text_start, &trap) && trap.vector == X86_PF &&
                 (trap.error_code & X86_PF_W) != 0,
             "#PF on a write to the text");
    tap_case(faults(do_non_canonical, NULL, X86_GP), "#GP on a non-canonical address");
    tap_case(enclave_registers_across_ud2() == 0,
             "general and vector registers survive an exception");
}

void test_traps(void)
{
    struct thread *t = thread_self();
    struct expected_trap trap;
    int64_t kicked;
    int64_t slept;
    uint64_t bits;

    test_faults();
    (void)do_syscall; /* used by the EDMM cases, which can make executable pages */
    t->nested_fault = 1;
    tap_case(trap_try(do_ud2, NULL, &trap) && trap.count == 3 && trap.cssa == 1,
             "an exception in the exception handler is handled one level up");
    /* While a signal's bit stands, every call that could sleep is turned back; TAP waits for that.
     */
    kicked = host_call(HOSTCALL_thread_kick, (uint64_t)t->block->tcs, 0, 0, 0);
    slept = host_call(HOSTCALL_sleep, 1000000000, 0, 0, 0);
    bits = t->block->signals;
    t->block->signals = 0;
    tap_case(kicked == 0 && slept == -EINTR, "a signal before a sleep turns the sleep back");
    tap_case((bits & 1ull << (HOST_SIGNAL_KICK - 1)) != 0, "the signal's bit stood in the block");
}
