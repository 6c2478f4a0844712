/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/machine.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/state_dir.h"
#include "loader/aesm.h"
#include "loader/vdso.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef ARCH_GET_CPUID
#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
#endif
#define HWCAP2_FSGSBASE_ (1ul << 1)

/* CPUID bits (SDM 2A CPUID, leaves 1, 7 and 12H) */
#define CPUID_1_ECX_AES      (1u << 25)
#define CPUID_7_EBX_SGX      (1u << 2)
#define CPUID_7_EBX_SHA      (1u << 29)
#define CPUID_7_ECX_FLC      (1u << 30)
#define CPUID_12_0_SGX1      (1u << 0)
#define CPUID_12_0_SGX2      (1u << 1)
#define CPUID_12_1_KSS       (1u << 7)
#define CPUID_12_1_NOTIFY    (1u << 10)
#define CPUID_12_MISC_EXINFO (1u << 0)
#define EPC_SECTIONS_MAX     16u

struct facts {
    struct machine_fact *list;
    size_t count;
};

__attribute__((format(printf, 7, 8))) static void add(struct facts *f, enum machine_group group,
                                                      const char *id, const char *label,
                                                      enum machine_state state, const char *advice,
                                                      const char *fmt, ...)
{
    struct machine_fact *m = &f->list[f->count++];
    va_list ap;

    *m = (struct machine_fact){.id = id,
                               .group = group,
                               .label = label,
                               .state = state,
                               .advice = state == MACHINE_NO ? advice : NULL};
    va_start(ap, fmt);
    (void)vsnprintf(m->value, sizeof(m->value), fmt, ap);
    va_end(ap);
}

static void add_bit(struct facts *f, enum machine_group group, const char *id, const char *label,
                    bool yes, const char *advice)
{
    add(f, group, id, label, yes ? MACHINE_YES : MACHINE_NO, advice, "%s", yes ? "yes" : "no");
}

/* --- processor --- */

static void brand(char *dst, size_t size)
{
    uint32_t r[12] = {};

    for (uint32_t i = 0; i < 3; i++) {
        if (__get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]) ==
            0) {
            (void)snprintf(dst, size, "unknown");
            return;
        }
    }
    (void)snprintf(dst, size, "%.48s", (const char *)r);
}

static uint64_t epc_bytes(void)
{
    uint64_t total = 0;

    for (uint32_t i = 2; i < 2 + EPC_SECTIONS_MAX; i++) {
        uint32_t a, b, c, d;

        if (__get_cpuid_count(0x12, i, &a, &b, &c, &d) == 0 || (a & 0xf) != 1) {
            break;
        }
        total += ((uint64_t)(d & 0xfffff) << 32) | (c & 0xfffff000u);
    }
    return total;
}

static void add_sgx(struct facts *f)
{
    static const char need_sgx2[] =
        "hardware mode needs SGX2 with EDMM: Ice Lake-SP or later, SGX enabled in the firmware";
    uint32_t a = 0, b = 0, c = 0, d = 0;
    bool sgx, flc;
    bool kss = false;
    bool notify = false;
    uint32_t leaf0 = 0;
    uint32_t misc = 0;

    (void)__get_cpuid_count(7, 0, &a, &b, &c, &d);
    sgx = (b & CPUID_7_EBX_SGX) != 0;
    flc = (c & CPUID_7_ECX_FLC) != 0;
    if (sgx && __get_cpuid_count(0x12, 0, &a, &b, &c, &d) != 0) {
        leaf0 = a;
        misc = b;
        (void)__get_cpuid_count(0x12, 1, &a, &b, &c, &d);
        kss = (a & CPUID_12_1_KSS) != 0;
        notify = (a & CPUID_12_1_NOTIFY) != 0;
    }
    add_bit(f, MACHINE_PROCESSOR, "sgx1", "SGX1", (leaf0 & CPUID_12_0_SGX1) != 0, need_sgx2);
    add_bit(f, MACHINE_PROCESSOR, "sgx2", "SGX2 (EDMM)", (leaf0 & CPUID_12_0_SGX2) != 0, need_sgx2);
    add_bit(f, MACHINE_PROCESSOR, "flc", "flexible launch control", flc,
            "the kernel's driver works only with launch control unlocked in the firmware");
    add_bit(f, MACHINE_PROCESSOR, "kss", "key separation and sharing (KSS)", kss,
            "CONFIGID and the extended product id need KSS");
    add_bit(f, MACHINE_PROCESSOR, "exinfo", "exception information (MISCSELECT.EXINFO)",
            (misc & CPUID_12_MISC_EXINFO) != 0,
            "page faults inside the enclave need it for their address");
    add(f, MACHINE_PROCESSOR, "aex_notify", "AEX-Notify", MACHINE_INFO, NULL, "%s",
        notify ? "yes" : "no");
    add(f, MACHINE_PROCESSOR, "epc", "enclave page cache", MACHINE_INFO, NULL, "%ju MiB",
        (uintmax_t)(epc_bytes() >> 20));
}

static void add_processor(struct facts *f)
{
    uint32_t a = 0, b = 0, c = 0, d = 0;
    char name[64];

    brand(name, sizeof(name));
    add(f, MACHINE_PROCESSOR, "cpu", "model", MACHINE_INFO, NULL, "%s", name);
    add_sgx(f);
    (void)__get_cpuid(1, &a, &b, &c, &d);
    add_bit(f, MACHINE_PROCESSOR, "aes_ni", "AES-NI", (c & CPUID_1_ECX_AES) != 0,
            "sealed images are AES-256-GCM; without it nothing runs");
    b = 0;
    (void)__get_cpuid_count(7, 0, &a, &b, &c, &d);
    add(f, MACHINE_PROCESSOR, "sha_ni", "SHA extensions", MACHINE_INFO, NULL, "%s",
        (b & CPUID_7_EBX_SHA) != 0 ? "yes" : "no (measuring is slower)");
}

/* --- kernel --- */

static void add_device(struct facts *f, const char *id, const char *path, const char *advice)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        add(f, MACHINE_KERNEL, id, path, MACHINE_NO, advice, "%s",
            errno == ENOENT ? "absent" : strerror(errno));
    } else if (access(path, R_OK | W_OK) < 0) {
        add(f, MACHINE_KERNEL, id, path, MACHINE_NO,
            "join the group that owns it (sgx, sgx_prv), or pass the device to the container",
            "no access: mode %03o, group %u", st.st_mode & 0777, st.st_gid);
    } else {
        add(f, MACHINE_KERNEL, id, path, MACHINE_YES, NULL, "usable");
    }
}

static bool vdso_has_entry(void)
{
    const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    uint64_t offset;
    size_t size;

    return image != NULL && vdso_size(image, &size) == 0 &&
           vdso_find(image, size, "__vdso_sgx_enter_enclave", &offset) == 0;
}

static void add_kernel(struct facts *f)
{
    static const char no_driver[] =
        "hardware mode needs Linux 6.0 or later with CONFIG_X86_SGX; in a container, "
        "pass the devices: docker run $(nacre device) ...";
    struct utsname u = {};
    unsigned major = 0;
    unsigned minor = 0;

    (void)uname(&u);
    (void)sscanf(u.release, "%u.%u", &major, &minor);
    add(f, MACHINE_KERNEL, "kernel", "Linux", major >= 6 ? MACHINE_YES : MACHINE_NO,
        "hardware mode needs 6.0 (EDMM ioctls), software mode 5.11", "%.100s", u.release);
    add_device(f, "dev_enclave", "/dev/sgx_enclave", no_driver);
    add_device(f, "dev_provision", "/dev/sgx_provision",
               "needed to quote without the AESM service, which has it itself");
    add_bit(f, MACHINE_KERNEL, "vdso", "vDSO entry function", vdso_has_entry(),
            "the kernel was built without CONFIG_X86_SGX");
    add_bit(f, MACHINE_KERNEL, "fsgsbase", "FSGSBASE",
            (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_) != 0,
            "enclaves switch FS and GS themselves: Linux 5.9 or later, not booted with nofsgsbase");
    add_bit(f, MACHINE_KERNEL, "sud", "Syscall User Dispatch",
            prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0,
            "software mode needs Linux 5.11 or later and a sandbox that allows this prctl");
    /* Switching on what is on changes nothing, and fails where it cannot be switched off. */
    if (syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0) == 1) {
        const bool can = syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) == 0;

        add(f, MACHINE_KERNEL, "cpuid_faulting", "CPUID faulting", MACHINE_INFO, NULL, "%s",
            can ? "yes: CPUID inside is #UD in software mode; never run on such a machine so far"
                : "no: CPUID inside passes in software mode; #UD never run on a machine that can");
    }
}

/* --- memory --- */

static bool read_number(const char *path, uint64_t *ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = {};

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0) {
        return false;
    }
    *ret = strtoull(text, NULL, 10);
    return true;
}

static void add_memory(struct facts *f)
{
    uint64_t v = 0;

    if (read_number("/proc/sys/vm/mmap_min_addr", &v)) {
        add(f, MACHINE_MEMORY, "mmap_min_addr", "vm.mmap_min_addr",
            v <= 0x10000 ? MACHINE_YES : MACHINE_NO,
            "programs linked low (node, python at 0x400000) need 65536 or less", "%ju",
            (uintmax_t)v);
    }
    if (read_number("/proc/sys/vm/overcommit_memory", &v)) {
        add(f, MACHINE_MEMORY, "overcommit_memory", "vm.overcommit_memory",
            v != 2 ? MACHINE_YES : MACHINE_NO,
            "2 refuses the 1 TiB reservation of an enclave: use 0 or 1", "%ju", (uintmax_t)v);
    }
    if (read_number("/proc/sys/vm/max_map_count", &v)) {
        add(f, MACHINE_MEMORY, "max_map_count", "vm.max_map_count",
            v >= 65530 ? MACHINE_YES : MACHINE_NO,
            "software mode needs a mapping for each run of pages with equal permissions: 65530 or "
            "more",
            "%ju", (uintmax_t)v);
    }
}

/* --- attestation --- */

static void add_dcap_library(struct facts *f)
{
    static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib",
                                          "/usr/local/lib"};
    char path[128];

    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        (void)snprintf(path, sizeof(path), "%s/libsgx_dcap_ql.so.1", folders[i]);
        if (access(path, R_OK) == 0) {
            add(f, MACHINE_ATTESTATION, "dcap_ql", "DCAP quote library", MACHINE_INFO, NULL, "%s",
                path);
            return;
        }
    }
    add(f, MACHINE_ATTESTATION, "dcap_ql", "DCAP quote library", MACHINE_INFO, NULL,
        "absent (not needed: quotes come from AESM)");
}

static void add_attestation(struct facts *f)
{
    _cleanup_free_ char *dir = NULL;
    char path[4096];

    add(f, MACHINE_ATTESTATION, "aesm", AESM_SOCKET,
        access(AESM_SOCKET, W_OK) == 0 ? MACHINE_YES : MACHINE_NO,
        "hardware quotes need Intel's aesmd service (package sgx-aesm-service, "
        "libsgx-aesm-quote-ex-plugin); pass its socket into containers",
        "%s", access(AESM_SOCKET, W_OK) == 0 ? "reachable" : strerror(errno));
    add_dcap_library(f);
    if (state_dir_path(&dir, NULL) < 0) {
        add(f, MACHINE_ATTESTATION, "software_root", "software root", MACHINE_NO,
            "set HOME or NACRE_STATE_DIR", "no state directory");
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/softsgx/root-1/root.pem", dir);
    add(f, MACHINE_ATTESTATION, "software_root", "software root", MACHINE_INFO, NULL, "%.120s",
        access(path, R_OK) == 0 ? path : "none yet (made on first use)");
}

size_t machine_facts(struct machine_fact ret[static MACHINE_FACTS_MAX])
{
    struct facts f = {.list = ret};

    add_processor(&f);
    add_kernel(&f);
    add_memory(&f);
    add_attestation(&f);
    return f.count;
}

/* --- devices --- */

size_t machine_devices(const char *dev, const char *ret[static MACHINE_DEVICES_MAX])
{
    static const struct {
        const char *enclave;
        const char *provision;
    } drivers[] = {
        {"sgx_enclave", "sgx_provision"},
        {"sgx/enclave", "sgx/provision"},
        {"isgx", NULL},
    };
    char path[4096];

    for (size_t i = 0; i < ARRAY_COUNT(drivers); i++) {
        size_t count = 0;

        (void)snprintf(path, sizeof(path), "%s/%s", dev, drivers[i].enclave);
        if (access(path, F_OK) < 0) {
            continue;
        }
        ret[count++] = drivers[i].enclave;
        if (drivers[i].provision != NULL) {
            (void)snprintf(path, sizeof(path), "%s/%s", dev, drivers[i].provision);
            if (access(path, F_OK) == 0) {
                ret[count++] = drivers[i].provision;
            }
        }
        return count;
    }
    return 0;
}
