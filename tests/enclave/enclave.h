/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The test enclave: what its files share. Freestanding, trusted build; everything that touches host
 * memory is in host.c.
 */

#include "abi/boot_params.h"
#include "abi/enclave_layout.h"
#include "abi/hostcall.h"
#include "abi/sgx_arch.h"
#include "core/types.h"
#include "enclave/layout_asm.h"

struct level {
    uint64_t host_rsp;
    uint64_t host_rbp;
    uint64_t host_rip;
    uint64_t saved_rsp;
};

/* A trap the current code expects: the handler records it and goes on at `resume`. */
struct expected_trap {
    uint64_t resume; /* 0: none expected */
    uint32_t count;
    uint32_t vector;
    uint64_t addr;
    uint32_t error_code;
    uint32_t cssa; /* at entry of the handler */
};

/* The control page: what the loader wrote and what is ours behind it. */
struct thread {
    struct enclave_thread_page page;
    uint8_t pad[T_BLOCK - sizeof(struct enclave_thread_page)];
    struct hostcall_block *block; /* untrusted, checked to lie outside */
    uint32_t level;
    uint32_t started;
    uint8_t pad2[T_LEVELS - T_STARTED - 4];
    struct level levels[LEVELS];
    struct expected_trap trap;
    uint32_t signals_seen; /* nested entries for a host signal */
    uint64_t signal_bits;  /* what they brought */
    uint64_t argument;     /* of a thread started by us */
    uint64_t exits;        /* EEXIT and AEX, so far */
    uint32_t plain_exit;   /* leave by the ENCLU that is no slot */
    uint32_t nested_fault; /* how many times the handler itself shall fault */
};
_Static_assert(offsetof(struct thread, block) == T_BLOCK, "layout_asm.h");
_Static_assert(offsetof(struct thread, level) == T_LEVEL, "layout_asm.h");
_Static_assert(offsetof(struct thread, started) == T_STARTED, "layout_asm.h");
_Static_assert(offsetof(struct thread, levels) == T_LEVELS, "layout_asm.h");
_Static_assert(sizeof(struct level) == 1u << LEVEL_SHIFT, "layout_asm.h");
_Static_assert(offsetof(struct enclave_thread_page, trap_top_offset) == TP_TRAP_TOP, "ABI");
_Static_assert(offsetof(struct enclave_thread_page, trap_stack_size) == TP_TRAP_STACK_SIZE, "ABI");
_Static_assert(offsetof(struct enclave_thread_page, stack_top_offset) == TP_STACK_TOP, "ABI");
_Static_assert(IMAGE_OFFSET == ENCLAVE_IMAGE_OFFSET, "layout_asm.h");
_Static_assert(sizeof(struct thread) <= NACRE_PAGE_SIZE, "one control page");

#define _hidden_ __attribute__((visibility("hidden")))

extern uint64_t enclave_base _hidden_;

static inline struct thread *thread_self(void)
{
    uint64_t offset;

    __asm__("movq %%gs:%c1, %0"
            : "=r"(offset)
            : "i"(offsetof(struct enclave_thread_page, control_offset)));
    return (struct thread *)(enclave_base + offset);
}

/* --- entry.S --- */
void enclave_leave(void);
void enclave_leave_plain(void);
_noreturn_ void enclave_leave_for_good(void);
uint64_t enclave_enclu(uint32_t leaf, uint64_t rbx, uint64_t rcx, uint64_t rdx);
uint64_t enclave_registers_across_ud2(void);
/* function(argument), with *ret_resume set to where a trap handler may send the thread instead of
 * letting the call go on. Once at a time in a thread. */
void enclave_try(void (*function)(void *), void *argument, uint64_t *ret_resume);
extern const char enclave_probe_ud2[] _hidden_;
extern uint32_t enclave_xfrm_mask _hidden_;

/* --- boot.c --- */
_noreturn_ void enclave_first_entry(uint64_t entry, uint64_t block, uint64_t argument,
                                    uint64_t base);
/* Runs function(argument) on the measured slot `index`; thread_done() tells when it ended. */
[[nodiscard]] int thread_start(uint32_t index, void (*function)(uint64_t), uint64_t argument);
bool thread_done(uint32_t index);
/* The copied launch parameters, and argument n of them or NULL. */
extern struct boot_params boot _hidden_;
const char *boot_argument(uint32_t n);

/* --- trap.c --- */
void enclave_trap(uint64_t is_signal, uint64_t cssa);
/* True when running `function` raised an exception; *ret_trap says which. */
bool trap_try(void (*function)(void *), void *argument, struct expected_trap *ret_trap);

/* --- host.c --- */
int64_t host_call(enum hostcall number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
bool host_range_ok(uint64_t addr, uint64_t size);
[[nodiscard]] int host_copy_in(void *dst, uint64_t src, size_t size);
void host_copy_out(uint64_t dst, const void *src, size_t size); /* aborts on a bad range */
/* Through the bounce buffer. */
int64_t host_write(int fd, const void *src, size_t size);
_noreturn_ void host_exit(int status);
_noreturn_ void host_abort(uint64_t reason);
uint64_t host_bounce(void); /* address and size of this thread's bounce buffer */
size_t host_bounce_size(void);

/* --- tap.c --- */
void tap_case(bool ok, const char *name);
void tap_say(const char *text);
void tap_say_number(const char *text, uint64_t value);
/* Prints the plan; the exit status: 0 when every case was ok. */
int tap_end(void);

/* --- the cases and the loops that are timed --- */
void test_boot(void);
void test_host(void);
void test_traps(void);
void test_threads(void);
void test_keys(void);
void test_edmm(void);
int bench_main(void);
