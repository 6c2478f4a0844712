/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The assembly of entry.S and what it calls. */

#include "libos/boot/thread_page.h"

/* --- entry.S --- */
void enclave_entry(void);
void syscall_entry(void);
void exception_entry_app(void);
void exception_entry_libos(void);
_noreturn_ void enter_app(void);
void return_to_app(void);
extern const char return_to_app_end[];
/* Leaves with the request in the block, comes back when it was served. */
void hostcall_leave(void);
_noreturn_ void hostcall_leave_for_good(void);
/* One ENCLU leaf that stays inside; RAX as the processor left it. */
uint64_t enclu(uint64_t leaf, const void *rbx, uint64_t rcx, uint64_t rdx);
extern const uint8_t vector_init[];

size_t user_raw_copy(void *dst, const void *src, size_t size);
size_t user_raw_clear(void *dst, size_t size);
int user_raw_load32(const uint32_t *src, uint32_t *dst);
int user_raw_cmpxchg32(uint32_t *p, uint32_t *expected, uint32_t desired);

/* --- called from entry.S --- */
void boot_start(struct thread_page *tp, uint64_t block, uint64_t argument);
_noreturn_ void thread_entry(struct thread_page *tp, uint64_t block);
void trap_first_stage(uint64_t entry, uint64_t block);
void syscall_from_app(struct cpu_context *ctx);
void exception_from_app(struct cpu_context *ctx);
void exception_from_libos(struct cpu_context *ctx);
void thread_do_work(struct cpu_context *ctx);

/* --- boot.c --- */
/* Checks and takes over the host's block for this thread; false: hostile, do not go on. */
[[nodiscard]] bool boot_take_block(struct thread_page *tp, uint64_t block);
/* Addresses of a control page, from its measured (or equally shaped) part. */
void thread_page_prepare(struct thread_page *tp, uint64_t base);
