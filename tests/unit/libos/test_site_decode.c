/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <string.h>

#include "libos/boot/site_decode.h"

/* A site in a buffer of NOPs: `before` ends right in front of the syscall, `after` follows it. */
static struct site_shape decode(const void *before, size_t before_size, const void *after,
                                size_t after_size, uint64_t number)
{
    uint8_t code[SITE_BEFORE + 2 + 32];
    struct site_shape shape;

    memset(code, 0x90, sizeof(code));
    memcpy(code + SITE_BEFORE - before_size, before, before_size);
    code[SITE_BEFORE] = 0x0f;
    code[SITE_BEFORE + 1] = 0x05;
    memcpy(code + SITE_BEFORE + 2, after, after_size);
    site_decode(code + SITE_BEFORE, SITE_BEFORE, SITE_BEHIND, number, &shape);
    return shape;
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void test_site_mov_number_in_front(void **state)
{
    /* mov $0xca,%eax */
    assert_int_equal(decode(BYTES(0xb8, 0xca, 0, 0, 0), BYTES(0xc3), 0xca).kind, SITE_MOV);
    /* RAX was something else: the bytes belong to another instruction */
    assert_int_equal(decode(BYTES(0xb8, 0xca, 0, 0, 0), BYTES(0xc9), 0xcb).kind, SITE_REFUSED);
    /* mov $9,%r8d */
    assert_int_equal(decode(BYTES(0x41, 0xb8, 9, 0, 0, 0), BYTES(0xc9), 9).kind, SITE_REFUSED);
    /* mov $9,%ax behind 66 */
    assert_int_equal(decode(BYTES(0x66, 0xb8, 9, 0, 0, 0), BYTES(0xc9), 9).kind, SITE_REFUSED);
    /* movl $9,-0x48(%rbp) */
    assert_int_equal(decode(BYTES(0xc7, 0x45, 0xb8, 9, 0, 0, 0), BYTES(0xc9), 9).kind,
                     SITE_REFUSED);
    /* movl $9,(%rax,%rdi,4) */
    assert_int_equal(decode(BYTES(0xc7, 0x04, 0xb8, 9, 0, 0, 0), BYTES(0xc9), 9).kind,
                     SITE_REFUSED);
    /* movl $9,-0x48(%rax,%rcx,1) */
    assert_int_equal(decode(BYTES(0xc7, 0x44, 0x08, 0xb8, 9, 0, 0, 0), BYTES(0xc9), 9).kind,
                     SITE_REFUSED);
    /* not a system call number */
    assert_int_equal(decode(BYTES(0xb8, 0, 0x10, 0, 0), BYTES(0xc9), 0x1000).kind, SITE_REFUSED);
}

static void test_site_instruction_behind(void **state)
{
    struct site_shape s = decode(BYTES(0x90), BYTES(0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff), 1);

    assert_int_equal(s.kind, SITE_MOVED); /* cmp $-4095,%rax */
    assert_int_equal(s.moved, 6);
    s = decode(BYTES(0x90), BYTES(0x48, 0x89, 0xc3), 1); /* mov %rax,%rbx */
    assert_int_equal(s.kind, SITE_MOVED);
    assert_int_equal(s.moved, 3);
    s = decode(BYTES(0x90), BYTES(0x48, 0x85, 0xc0), 1); /* test %rax,%rax */
    assert_int_equal(s.moved, 3);
    /* two-byte instructions would leave a second one inside the jump */
    assert_int_equal(decode(BYTES(0x90), BYTES(0x89, 0xc7), 1).kind, SITE_REFUSED);
    /* branches stay */
    assert_int_equal(decode(BYTES(0x90), BYTES(0x78, 0x10), 1).kind, SITE_REFUSED);
    assert_int_equal(decode(BYTES(0x90), BYTES(0x0f, 0x88, 1, 0, 0, 0), 1).kind, SITE_REFUSED);
    assert_int_equal(decode(BYTES(0x90), BYTES(0xe8, 1, 0, 0, 0), 1).kind, SITE_REFUSED);
    /* mov %rax,0x10(%rip) */
    assert_int_equal(decode(BYTES(0x90), BYTES(0x48, 0x89, 0x05, 0x10, 0, 0, 0), 1).kind,
                     SITE_REFUSED);
}

static void test_site_ret_needs_padding(void **state)
{
    assert_int_equal(decode(BYTES(0x90), BYTES(0xc3, 0x66, 0x90), 1).kind, SITE_RET);
    assert_int_equal(decode(BYTES(0x90), BYTES(0xc3, 0x0f, 0x1f, 0x00), 1).kind, SITE_RET);
    assert_int_equal(decode(BYTES(0x90), BYTES(0xc3, 0xcc, 0xcc), 1).kind, SITE_RET);
    /* the next function begins at once */
    assert_int_equal(decode(BYTES(0x90), BYTES(0xc3, 0x48, 0x89), 1).kind, SITE_REFUSED);
    assert_int_equal(decode(BYTES(0x90), BYTES(0xc3, 0x55, 0x48), 1).kind, SITE_REFUSED);
}

static void test_site_cut_off_context_refused(void **state)
{
    const uint8_t code[] = {0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff};
    struct site_shape s;

    for (size_t n = 0; n < sizeof(code); n++) {
        site_decode(code, 0, n, 1, &s);
        assert_int_equal(s.kind, SITE_REFUSED);
    }
    site_decode(code, 0, sizeof(code), 1, &s);
    assert_int_equal(s.kind, SITE_MOVED);
}

static void test_site_lengths(void **state)
{
    static const struct {
        uint8_t code[12];
        size_t size;
        size_t want;
    } table[] = {
        {{0x48, 0x8d, 0x44, 0x24, 0x08}, 5, 5},                /* lea 8(%rsp),%rax */
        {{0x89, 0x84, 0x24, 0, 1, 0, 0}, 7, 7},                /* mov %eax,0x100(%rsp) */
        {{0x48, 0xc7, 0x44, 0x24, 8, 1, 0, 0, 0}, 9, 9},       /* movq $1,8(%rsp) */
        {{0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 9, 9}, /* mov %fs:0x28,%rax */
        {{0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, 10, 10},        /* movabs */
        {{0xb8, 1, 2, 3, 4}, 5, 5},                            /* mov $imm,%eax */
        {{0x83, 0xf8, 0xff}, 3, 3},                            /* cmp $-1,%eax */
        {{0x0f, 0xb6, 0xc0}, 3, 3},                            /* movzbl */
        {{0x48, 0x0f, 0x44, 0xc2}, 4, 4},                      /* cmove */
        {{0xf7, 0xd8}, 2, 2},                                  /* neg */
        {{0xf7, 0xc0, 1, 0, 0, 0}, 6, 6},                      /* test $1,%eax */
        {{0x48, 0x8b, 0x05, 1, 0, 0, 0}, 7, 0},                /* RIP-relative */
        {{0x48, 0x8b, 0x04, 0x25, 1, 0, 0, 0}, 8, 8},          /* absolute, SIB */
        {{0xc3}, 1, 0},
        {{0x0f, 0x05}, 2, 0},
        {{0x0f, 0x0b}, 2, 0},
        {{0xf3, 0x90}, 2, 0},
        {{0x66, 0x89, 0xc0}, 3, 0},
        {{0xff, 0xe0}, 2, 0},             /* jmp *%rax */
        {{0xc7, 0xf8, 0, 0, 0, 0}, 6, 0}, /* xbegin */
        {{0xc5, 0xf8, 0x77}, 3, 0},       /* vzeroupper */
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(site_movable_length(table[i].code, table[i].size), table[i].want);
        for (size_t cut = 0; cut < table[i].want; cut++) {
            assert_int_equal(site_movable_length(table[i].code, cut), 0);
        }
    }
}

static void test_site_traps_are_invalid_opcodes_only(void **state)
{
    size_t n = 0;

    for (unsigned op = 0; op < 256; op++) {
        n += site_traps((uint8_t)op);
    }
    assert_int_equal(n, 18);
    assert_true(site_traps(0x06));
    assert_false(site_traps(0x62)); /* EVEX */
    assert_false(site_traps(0xc4)); /* VEX */
    assert_false(site_traps(0xd5)); /* REX2 */
    assert_false(site_traps(0x90));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_mov_number_in_front),
        cmocka_unit_test(test_site_instruction_behind),
        cmocka_unit_test(test_site_ret_needs_padding),
        cmocka_unit_test(test_site_cut_off_context_refused),
        cmocka_unit_test(test_site_lengths),
        cmocka_unit_test(test_site_traps_are_invalid_opcodes_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
