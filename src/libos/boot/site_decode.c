/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/boot/site_decode.h"

bool site_traps(uint8_t opcode)
{
    /* PUSH/POP of segment registers, BCD arithmetic, PUSHA/POPA, alias of group 1, far call and
     * jump, INTO, SALC. Not 62, C4, C5, D5: prefixes. */
    static const uint8_t list[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f,
                                   0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd6, 0xea};

    for (size_t i = 0; i < sizeof(list); i++) {
        if (list[i] == opcode) {
            return true;
        }
    }
    return false;
}

/* Bytes of ModRM, SIB and displacement at `p`; 0: cut off, or RIP-relative. */
static size_t modrm_length(const uint8_t *p, size_t size)
{
    uint8_t mod;
    uint8_t rm;
    size_t n = 1;

    if (size < 1) {
        return 0;
    }
    mod = p[0] >> 6;
    rm = p[0] & 7;
    if (mod == 3) {
        return 1;
    }
    if (mod == 0 && rm == 5) {
        return 0;
    }
    if (rm == 4) {
        if (size < 2) {
            return 0;
        }
        n++;
        if (mod == 0 && (p[1] & 7) == 5) {
            n += 4;
        }
    }
    n += mod == 1 ? 1u : mod == 2 ? 4u : 0u;
    return n <= size ? n : 0;
}

enum form {
    FORM_NONE,
    FORM_PLAIN,
    FORM_MODRM,
    FORM_IMM8,
    FORM_IMM32,
    FORM_MODRM_IMM8,
    FORM_MODRM_IMM32,
    FORM_MOV_IMM
};

static enum form one_byte_form(uint8_t op, uint8_t next)
{
    if (op < 0x40) { /* ADD OR ADC SBB AND SUB XOR CMP */
        switch (op & 7) {
        case 0:
        case 1:
        case 2:
        case 3: return FORM_MODRM;
        case 4: return FORM_IMM8;
        case 5: return FORM_IMM32;
        default: return FORM_NONE;
        }
    }
    if (op >= 0xb8 && op <= 0xbf) {
        return FORM_MOV_IMM;
    }
    switch (op) {
    case 0x63: /* MOVSXD */
    case 0x84:
    case 0x85: /* TEST */
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:                    /* MOV */
    case 0x8d: return FORM_MODRM; /* LEA */
    case 0x80:
    case 0x83: return FORM_MODRM_IMM8;
    case 0x81: return FORM_MODRM_IMM32;
    case 0xa8: return FORM_IMM8; /* TEST al */
    case 0xa9: return FORM_IMM32;
    case 0xc6: return (next >> 3 & 7) == 0 ? FORM_MODRM_IMM8 : FORM_NONE;
    case 0xc7: return (next >> 3 & 7) == 0 ? FORM_MODRM_IMM32 : FORM_NONE;
    case 0xc0:
    case 0xc1: return FORM_MODRM_IMM8; /* shifts */
    case 0xf6: return (next >> 3 & 7) == 0 ? FORM_MODRM_IMM8 : FORM_MODRM;
    case 0xf7: return (next >> 3 & 7) == 0 ? FORM_MODRM_IMM32 : FORM_MODRM;
    default: return FORM_NONE;
    }
}

static enum form two_byte_form(uint8_t op)
{
    if ((op & 0xf0) == 0x40 || (op & 0xf0) == 0x90) { /* CMOVcc, SETcc */
        return FORM_MODRM;
    }
    switch (op) {
    case 0x1f: /* NOP */
    case 0xaf: /* IMUL */
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf: return FORM_MODRM; /* MOVZX, MOVSX */
    default: return FORM_NONE;
    }
}

static size_t form_length(enum form form, const uint8_t *p, size_t size, bool wide)
{
    size_t n;
    size_t imm = 0;

    switch (form) {
    case FORM_IMM8: return size >= 1 ? 1 : 0;
    case FORM_IMM32: return size >= 4 ? 4 : 0;
    case FORM_MOV_IMM: n = wide ? 8 : 4; return size >= n ? n : 0;
    case FORM_MODRM_IMM8: imm = 1; break;
    case FORM_MODRM_IMM32: imm = 4; break;
    case FORM_MODRM: break;
    default: return 0;
    }
    n = modrm_length(p, size);
    return n != 0 && n + imm <= size ? n + imm : 0;
}

size_t site_movable_length(const uint8_t *code, size_t size)
{
    size_t at = 0;
    bool wide = false;
    enum form form;
    size_t rest;
    uint8_t op;

    if (at < size && code[at] == 0x64) { /* FS: thread-local data */
        at++;
    }
    if (at < size && (code[at] & 0xf0) == 0x40) {
        wide = (code[at] & 8) != 0;
        at++;
    }
    if (at + 1 >= size) {
        return 0;
    }
    op = code[at++];
    if (op == 0x0f) {
        form = two_byte_form(code[at++]);
    } else {
        form = one_byte_form(op, code[at]);
    }
    rest = form_length(form, code + at, size - at, wide);
    return rest == 0 ? 0 : at + rest;
}

/* Is `b8 imm32` right in front of the syscall an instruction of its own, or could it be the end of
 * another one? REX and operand-size prefixes change its meaning; instructions with a 32-bit
 * immediate could have b8 as displacement or SIB byte in front of it. */
static bool is_mov_number(const uint8_t *code, size_t before, uint64_t number)
{
    static const uint8_t with_imm32[] = {0xc7, 0x81, 0x69, 0xf7};
    static const uint8_t distances[] = {7, 8, 10, 11};
    uint32_t imm;

    if (before < 12 || code[-5] != 0xb8) {
        return false;
    }
    __builtin_memcpy(&imm, code - 4, sizeof(imm));
    if (imm != number || imm >= 0x400 || (code[-6] & 0xf0) == 0x40 || code[-6] == 0x66 ||
        code[-6] == 0x67) {
        return false;
    }
    for (size_t d = 0; d < sizeof(distances); d++) {
        for (size_t i = 0; i < sizeof(with_imm32); i++) {
            if (code[-(int)distances[d]] == with_imm32[i]) {
                return false;
            }
        }
    }
    return true;
}

static bool is_padding(const uint8_t *p)
{
    return (p[0] == 0x90 && p[1] == 0x90) || (p[0] == 0x66 && p[1] == 0x90) ||
           (p[0] == 0xcc && p[1] == 0xcc) || (p[0] == 0x0f && p[1] == 0x1f) ||
           (p[0] == 0x66 && (p[1] == 0x0f || p[1] == 0x2e || p[1] == 0x66));
}

void site_decode(const uint8_t *code, size_t before, size_t behind, uint64_t number,
                 struct site_shape *ret)
{
    size_t n;

    *ret = (struct site_shape){.kind = SITE_REFUSED};
    if (behind < 2 || code[0] != 0x0f || code[1] != 0x05) {
        return;
    }
    if (is_mov_number(code, before, number)) {
        ret->kind = SITE_MOV;
        return;
    }
    if (behind >= 5 && code[2] == 0xc3 && is_padding(code + 3)) {
        ret->kind = SITE_RET;
        ret->moved = 1;
        return;
    }
    n = site_movable_length(code + 2, behind - 2);
    /* Shorter ones would leave the beginning of a second instruction inside the jump. */
    if (n >= 3) {
        ret->kind = SITE_MOVED;
        ret->moved = (uint8_t)n;
    }
}
