/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * How an enclave lies in its ELRANGE, for the loader that builds it and the trusted code that wakes
 * up in it. All positions are offsets from the enclave base and are the same for every enclave:
 * they enter the measurement, the base does not. docs/loader.md draws the map.
 *
 *   0                        the application's: nothing is measured here
 *   ENCLAVE_SYSTEM_OFFSET    the library OS's: its heap, dynamic thread slots, caches
 *   ENCLAVE_IMAGE_OFFSET     the enclave ELF, virtual address 0 of the file
 *   ENCLAVE_MANIFEST_OFFSET  the manifest, read-only, zero-filled to whole pages (at least one)
 *   ENCLAVE_THREADS_OFFSET   thread slots, ENCLAVE_SLOT_SIZE bytes each
 *
 * A slot, each part apart from the next by pages that were never added:
 *
 *   SLOT_STACK_TOP - stack_size .. SLOT_STACK_TOP       stack of CSSA 0, read-write
 *   SLOT_TRAP_TOP - trap_stack_size .. SLOT_TRAP_TOP    stack of CSSA > 0, read-write
 *   SLOT_CONTROL   struct enclave_thread_page, read-write; FS and GS point here on entry
 *   SLOT_TCS       the TCS
 *   SLOT_SSA       ssa_frames * ssa_frame_pages pages, read-write
 */

#include "core/types.h"

#define ENCLAVE_SIZE            (1ull << 40)
#define ENCLAVE_SYSTEM_OFFSET   (ENCLAVE_SIZE - (64ull << 30))
#define ENCLAVE_IMAGE_OFFSET    (ENCLAVE_SIZE - (1ull << 30))
#define ENCLAVE_MANIFEST_OFFSET (ENCLAVE_SIZE - (512ull << 20))
#define ENCLAVE_THREADS_OFFSET  (ENCLAVE_SIZE - (256ull << 20))

#define ENCLAVE_IMAGE_MAX    (ENCLAVE_MANIFEST_OFFSET - ENCLAVE_IMAGE_OFFSET)
#define ENCLAVE_MANIFEST_MAX ((size_t)1 << 20)
#define ENCLAVE_THREADS_MAX  64u

#define ENCLAVE_SLOT_SIZE 0x400000u /* 4 MiB of addresses */
#define SLOT_STACK_TOP    0x200000u
#define SLOT_TRAP_TOP     0x300000u
#define SLOT_CONTROL      0x310000u
#define SLOT_TCS          0x320000u
#define SLOT_SSA          0x330000u

#define SLOT_STACK_MAX      0x1f0000u
#define SLOT_TRAP_STACK_MAX 0x0f0000u
_Static_assert(ENCLAVE_THREADS_MAX *ENCLAVE_SLOT_SIZE <= ENCLAVE_SIZE - ENCLAVE_THREADS_OFFSET,
               "slots fit below the end of the ELRANGE");

/* SSAFRAMESIZE that holds XFRM 0xe7 (x87, SSE, AVX, AVX-512): XSAVE area of 64 + 512 + ... = 2696
 * bytes in standard format, MISC 16, GPRSGX 184: 2896 bytes, one page. PKRU would fit as well. */
#define ENCLAVE_SSA_FRAME_PAGES 1u
#define ENCLAVE_XFRM_MAX        0xe7ull

/* --- what the image asks for: a note in a PT_NOTE segment, so measured with the image --- */

#define ENCLAVE_NOTE_NAME      "nacre"
#define ENCLAVE_NOTE_CONFIG    1u
#define ENCLAVE_CONFIG_VERSION 1u

struct enclave_config {
    uint32_t version;         /* ENCLAVE_CONFIG_VERSION */
    uint32_t threads;         /* measured slots, 1..ENCLAVE_THREADS_MAX */
    uint32_t ssa_frames;      /* 2..16 */
    uint32_t ssa_frame_pages; /* ENCLAVE_SSA_FRAME_PAGES */
    uint32_t stack_size;      /* bytes, whole pages, ..SLOT_STACK_MAX */
    uint32_t trap_stack_size; /* bytes, whole pages, ..SLOT_TRAP_STACK_MAX */
    uint64_t entry;           /* virtual address in the file that TCS.OENTRY names */
} _packed_;
_Static_assert(sizeof(struct enclave_config) == 32, "image ABI");

/*
 * ENCLU instructions the processor may treat specially: an allocated section of int32_t, each the
 * distance from the entry itself to a slot `0f 01 d7 66 90` (sgx_backend.hint_slots). A hint that
 * changes no measurement; an image without it is slower under softsgx and otherwise the same.
 */
#define ENCLAVE_SLOTS_SECTION ".enclu_slots"
#define ENCLAVE_SLOTS_MAX     64u
#define ENCLU_SLOT_SIZE       5u
#define ENCLU_SLOT_BYTES      0x0f, 0x01, 0xd7, 0x66, 0x90

/* --- measured content of a slot's control page; all offsets from the enclave base --- */

#define ENCLAVE_THREAD_MAGIC 0x3044524854434e00ull

/* The loader writes these, zero behind them; the trusted side uses the rest of the page. Dynamic
 * threads get a page of the same shape from the library OS. */
struct enclave_thread_page {
    uint64_t own[4]; /* zero when measured: the trusted side's hottest words (gs:0 ..) */
    uint64_t magic;
    uint32_t index; /* of the slot */
    uint32_t ssa_frames;
    uint32_t ssa_frame_size; /* bytes */
    uint32_t reserved;
    uint64_t control_offset; /* of this page */
    uint64_t tcs_offset;
    uint64_t ssa_offset;
    uint64_t stack_top_offset;
    uint64_t stack_size;
    uint64_t trap_top_offset;
    uint64_t trap_stack_size;
    uint64_t image_offset;
    uint64_t image_size; /* bytes of address space from image_offset, whole pages */
    uint64_t manifest_offset;
    uint64_t manifest_size; /* bytes given, 0: none */
    uint64_t threads;       /* measured slots */
} _packed_;
_Static_assert(sizeof(struct enclave_thread_page) == 152, "image ABI");
_Static_assert(offsetof(struct enclave_thread_page, magic) == 32, "image ABI");
_Static_assert(offsetof(struct enclave_thread_page, stack_top_offset) == 80, "image ABI");
