/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char etext;

int main(int argc, char **argv)
{
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    unsigned sum = 0;
    unsigned loads = 0;

    printf("pagesz %lu clktck %lu phent %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK),
           getauxval(AT_PHENT));
    printf("uid %d euid %d gid %d egid %d\n", getauxval(AT_UID) == getuid(),
           getauxval(AT_EUID) == geteuid(), getauxval(AT_GID) == getgid(),
           getauxval(AT_EGID) == getegid());
    printf("secure %lu flags %lu\n", getauxval(AT_SECURE), getauxval(AT_FLAGS));
    printf("platform %s\n", (const char *)getauxval(AT_PLATFORM));
    printf("execfn is argv[0] %d\n", strcmp((const char *)getauxval(AT_EXECFN), argv[0]) == 0);
    for (unsigned i = 0; i < getauxval(AT_PHNUM); i++) {
        loads += ph[i].p_type == PT_LOAD;
    }
    printf("has loads %d\n", loads > 0);
    for (int i = 0; i < 16; i++) {
        sum += random[i];
    }
    printf("random %d\n", sum != 0);
    printf("entry below etext %d\n", getauxval(AT_ENTRY) < (uintptr_t)&etext);
    printf("minsigstksz enough %d\n", getauxval(AT_MINSIGSTKSZ) >= 1024);
    printf("vdso %d\n", getauxval(AT_SYSINFO_EHDR) != 0 &&
                            memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4) == 0);
    return 0;
}
