/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * For assembly files of a trusted image: the note that tells the loader what the image needs
 * (struct enclave_config without its last field, which enclave.lds appends).
 */
/* clang-format off */
.macro ENCLAVE_CONFIG_NOTE threads, ssa_frames, stack_size, trap_stack_size
    .pushsection .note.nacre, "a", @note
    .balign 4
    .long 6             /* n_namesz */
    .long 32            /* n_descsz */
    .long 1             /* ENCLAVE_NOTE_CONFIG */
    .asciz "nacre"
    .balign 4
    .long 1             /* ENCLAVE_CONFIG_VERSION */
    .long \threads
    .long \ssa_frames
    .long 1             /* ENCLAVE_SSA_FRAME_PAGES */
    .long \stack_size
    .long \trap_stack_size
    .popsection
.endm

/* ENCLU in a slot the loader names to the processor. RAX is the leaf; 8 bytes below RSP may be
 * overwritten, GS base is as EENTER set it. */
.macro ENCLU_SLOT
771:
    .byte 0x0f, 0x01, 0xd7, 0x66, 0x90
    .pushsection .enclu_slots, "a", @progbits
    .long 771b - .
    .popsection
.endm
/* clang-format on */
