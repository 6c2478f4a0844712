/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* A little code generator: adds and multiplies constants, W^X toggled for every function. */
static int build(unsigned char *at, int add, int mul)
{
    int n = 0;

    at[n++] = 0x8d; /* lea add(%rdi),%eax */
    at[n++] = 0x87;
    memcpy(at + n, &add, 4);
    n += 4;
    at[n++] = 0x69; /* imul $mul,%eax,%eax */
    at[n++] = 0xc0;
    memcpy(at + n, &mul, 4);
    n += 4;
    at[n++] = 0xc3;
    return n;
}

int main(void)
{
    const size_t size = 256 * 1024;
    unsigned char *code =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t used = 0;
    long sum = 0;

    for (int i = 0; i < 300; i++) {
        int (*f)(int);

        mprotect(code, size, PROT_READ | PROT_WRITE);
        f = (int (*)(int))(void *)(code + used);
        used += (size_t)build(code + used, i, 3);
        mprotect(code, size, PROT_READ | PROT_EXEC);
        sum += f(i);
    }
    printf("sum %ld\n", sum);
    /* and code that changes under RWX */
    mprotect(code, size, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (int i = 0; i < 10; i++) {
        build(code, i, i);
        printf("%d ", ((int (*)(int))(void *)code)(1));
    }
    printf("\n");
    return 0;
}
