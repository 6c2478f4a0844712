/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a program, as a "#!" line and as the surroundings of a system call. */

#include <string.h>

#include "fuzz/fuzz.h"
#include "libos/boot/site_decode.h"
#include "libos/elf/elf_parse.h"

#define ADDRESS_MAX (1ull << 40)

static void try_program(const uint8_t *data, size_t size)
{
    struct elf_header h;
    struct elf_info info;

    if (elf_parse_header(data, size, &h) < 0) {
        return;
    }
    FUZZ_CHECK(h.phnum > 0 && h.phnum <= ELF_PHDRS_MAX);
    if (h.phoff > size || elf_parse_phdrs(&h, data + h.phoff, size - h.phoff, ADDRESS_MAX, &info)) {
        return;
    }
    FUZZ_CHECK(info.load_count > 0 && info.load_count <= ELF_SEGMENTS_MAX);
    FUZZ_CHECK(info.low < info.high && info.high <= ADDRESS_MAX);
    FUZZ_CHECK((info.align & (info.align - 1)) == 0 && info.align >= NACRE_PAGE_SIZE);
    FUZZ_CHECK(info.interp_size <= ELF_PATH_MAX);
    for (size_t i = 0; i < info.load_count; i++) {
        const struct elf_load *l = &info.loads[i];

        FUZZ_CHECK(l->file_size <= l->memory_size && l->memory_size > 0);
        FUZZ_CHECK(l->vaddr >= info.low && l->vaddr + l->memory_size <= info.high);
        FUZZ_CHECK((l->vaddr - l->offset) % NACRE_PAGE_SIZE == 0);
        FUZZ_CHECK(i == 0 || l->vaddr >= info.loads[i - 1].vaddr + info.loads[i - 1].memory_size);
    }
}

static void try_script(const uint8_t *data, size_t size)
{
    char text[256];
    struct script_line line;

    size = MIN(size, sizeof(text));
    memcpy(text, data, size);
    if (elf_parse_script(text, size, &line) < 0) {
        return;
    }
    FUZZ_CHECK(line.interpreter >= text + 2 && line.interpreter < text + size);
    FUZZ_CHECK(memchr(line.interpreter, 0, (size_t)(text + size - line.interpreter)) != NULL);
    if (line.argument != NULL) {
        FUZZ_CHECK(line.argument > line.interpreter && line.argument < text + size);
        FUZZ_CHECK(memchr(line.argument, 0, (size_t)(text + size - line.argument)) != NULL);
    }
}

static void try_site(const uint8_t *data, size_t size)
{
    uint8_t code[SITE_BEFORE + SITE_BEHIND];
    struct site_shape shape;
    uint64_t number;

    if (size < sizeof(code)) {
        return;
    }
    memcpy(code, data, sizeof(code));
    code[SITE_BEFORE] = 0x0f;
    code[SITE_BEFORE + 1] = 0x05;
    number = data[SITE_BEFORE - 4];
    site_decode(code + SITE_BEFORE, SITE_BEFORE, SITE_BEHIND, number, &shape);
    FUZZ_CHECK(shape.kind != SITE_MOVED || (shape.moved >= 3 && shape.moved + 2u <= SITE_BEHIND));
    FUZZ_CHECK(shape.kind != SITE_MOV || code[SITE_BEFORE - 5] == 0xb8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_program(data, size);
    try_script(data, size);
    try_site(data, size);
    return 0;
}
