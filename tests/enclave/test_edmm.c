/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Pages added, opened, narrowed and removed while running; a thread slot made of them. */
#include "enclave/enclave.h"

#define AREA_OFFSET   0x100000000ull /* 4 GiB: nothing is there */
#define AREA_PAGES    16u
#define DYNAMIC_INDEX 17u

static uint64_t eaccept(uint64_t page, uint64_t flags)
{
    static _Alignas(64) struct sgx_secinfo secinfo;

    secinfo = (struct sgx_secinfo){.flags = flags};
    return enclave_enclu(ENCLU_EACCEPT, (uint64_t)&secinfo, page, 0);
}

/* Leaves no error code: it faults or works. */
static void emodpe(uint64_t page, uint64_t flags)
{
    static _Alignas(64) struct sgx_secinfo secinfo;

    secinfo = (struct sgx_secinfo){.flags = flags};
    (void)enclave_enclu(ENCLU_EMODPE, (uint64_t)&secinfo, page, 0);
}

static uint64_t eacceptcopy(uint64_t page, uint64_t source, uint64_t flags)
{
    static _Alignas(64) struct sgx_secinfo secinfo;

    secinfo = (struct sgx_secinfo){.flags = flags};
    return enclave_enclu(ENCLU_EACCEPTCOPY, (uint64_t)&secinfo, page, source);
}

static void do_read(void *arg)
{
    (void)*(volatile uint8_t *)arg;
}

static void do_write(void *arg)
{
    *(volatile uint8_t *)arg = 1;
}

static void do_call(void *arg)
{
    uint64_t rax = 39;

    __asm__ volatile("call *%1" : "+a"(rax) : "r"(arg) : "rcx", "r11", "memory");
}

#define NEW_PAGE (SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_PENDING)
#define HOST_RWX 7u

static void test_augment(uint64_t area)
{
    struct expected_trap trap;
    bool all = true;

    tap_case(host_call(HOSTCALL_map, AREA_OFFSET, AREA_PAGES * NACRE_PAGE_SIZE, HOST_RWX, 0) == 0 &&
                 host_call(HOSTCALL_augment, AREA_OFFSET, AREA_PAGES * NACRE_PAGE_SIZE, 0, 0) == 0,
             "the host augments a range");
    tap_case(trap_try(do_read, (void *)area, &trap) && trap.vector == X86_PF,
             "a pending page cannot be read");
    tap_case(eaccept(area, NEW_PAGE | SGX_SECINFO_X) == SGX_PAGE_ATTRIBUTES_MISMATCH,
             "EACCEPT with other permissions is PAGE_ATTRIBUTES_MISMATCH");
    for (uint32_t i = 0; i < AREA_PAGES; i++) {
        all = all && eaccept(area + i * NACRE_PAGE_SIZE, NEW_PAGE) == SGX_SUCCESS;
    }
    tap_case(all, "EACCEPT of the range");
    tap_case(!trap_try(do_write, (void *)area, &trap), "an accepted page can be written");
    tap_case(eaccept(area, NEW_PAGE) == SGX_PAGE_ATTRIBUTES_MISMATCH,
             "a second EACCEPT is PAGE_ATTRIBUTES_MISMATCH");
    tap_case(host_call(HOSTCALL_augment, AREA_OFFSET + 1, NACRE_PAGE_SIZE, 0, 0) == -EINVAL,
             "an unaligned range is EINVAL");
}

static void test_permissions(uint64_t area)
{
    struct expected_trap trap;
    uint8_t *code = (uint8_t *)area;

    code[0] = 0x0f; /* syscall; ret */
    code[1] = 0x05;
    code[2] = 0xc3;
    tap_case(trap_try(do_call, code, &trap) && trap.vector == X86_PF,
             "a page without X cannot be executed");
    emodpe(area, SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_X);
    tap_case(!trap_try(do_call, code + 2, &trap), "EMODPE adds X");
    tap_case(trap_try(do_call, code, &trap) && trap.vector == X86_UD,
             "syscall inside the enclave is #UD");
    code[0] = 0xcd; /* int 0x80 */
    code[1] = 0x80;
    tap_case(trap_try(do_call, code, &trap) && (trap.vector == X86_UD || trap.vector == X86_GP),
             "int 0x80 inside the enclave faults");
    tap_case(host_call(HOSTCALL_restrict_permissions, AREA_OFFSET, NACRE_PAGE_SIZE, SGX_SECINFO_R,
                       0) == 0 &&
                 eaccept(area, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_PR) == SGX_SUCCESS,
             "EMODPR to R and EACCEPT");
    tap_case(trap_try(do_write, code, &trap) && trap.vector == X86_PF,
             "a restricted page cannot be written");
}

static void test_trim(uint64_t area)
{
    const uint64_t page = area + 5 * NACRE_PAGE_SIZE;
    const uint64_t offset = AREA_OFFSET + 5 * NACRE_PAGE_SIZE;
    struct expected_trap trap;

    *(volatile uint8_t *)page = 0x55;
    tap_case(host_call(HOSTCALL_modify_types, offset, NACRE_PAGE_SIZE, SGX_PT_TRIM, 0) == 0 &&
                 eaccept(page, SGX_SECINFO_TRIM | SGX_SECINFO_MODIFIED) == SGX_SUCCESS &&
                 host_call(HOSTCALL_remove_pages, offset, NACRE_PAGE_SIZE, 0, 0) == 0,
             "EMODT to TRIM, EACCEPT, removal");
    tap_case(trap_try(do_read, (void *)page, &trap) && trap.vector == X86_PF,
             "a removed page is gone");
    tap_case(host_call(HOSTCALL_augment, offset, NACRE_PAGE_SIZE, 0, 0) == 0 &&
                 eacceptcopy(page, area, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W) ==
                     SGX_SUCCESS &&
                 *(volatile uint8_t *)page == *(volatile uint8_t *)area,
             "EACCEPTCOPY fills a new page from an old one");
}

void test_edmm(void)
{
    const uint64_t area = enclave_base + AREA_OFFSET;

    test_augment(area);
    test_permissions(area);
    test_trim(area);
}
