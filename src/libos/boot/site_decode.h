/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What stands around a `syscall` instruction, and whether it can be rewritten. Pure; refuses
 * whatever it does not know for certain.
 */

#include "core/types.h"

#define SITE_BEFORE 16u /* bytes of context in front of the syscall */
#define SITE_BEHIND 18u /* … and from it on, the two of the syscall included */

enum site_kind {
    SITE_REFUSED,
    SITE_MOV,   /* `mov $imm32,%eax; syscall`: the mov becomes the jump, the syscall stays */
    SITE_MOVED, /* `syscall; insn`: the jump covers both, insn (3 bytes or more) moves */
    SITE_RET,   /* `syscall; ret; padding` */
};

struct site_shape {
    enum site_kind kind;
    uint8_t moved; /* bytes of the moved instruction */
};

/* `code` points at the syscall; `before` bytes in front of it and `behind` bytes from it on can be
 * read. `number`: RAX when it was executed. */
void site_decode(const uint8_t *code, size_t before, size_t behind, uint64_t number,
                 struct site_shape *ret);

/* Length of one instruction that may run anywhere unchanged: no branch, no RIP-relative operand,
 * nothing out of the ordinary. 0: not one of those. */
size_t site_movable_length(const uint8_t *code, size_t size);

/* One-byte opcodes that are invalid in 64-bit mode and will stay so. */
bool site_traps(uint8_t opcode);
