/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What a conversion reads out of a stranger's image besides layers: the first byte chooses. 0 ELF
 * files for what they need, 1 /etc/ld.so.cache, 2 the image's configuration with its command line,
 * 3 a command line.
 */

#include <string.h>

#include "convert/command.h"
#include "convert/elf_needs.h"
#include "convert/image_config.h"
#include "convert/ld_cache.h"
#include "fuzz/fuzz.h"

static int count_path(void *ctx, const char *path)
{
    size_t *total = ctx;

    *total += strlen(path);
    return 0;
}

static void elf(const uint8_t *data, size_t size)
{
    struct elf_needs needs;
    size_t total = 0;

    if (elf_needs_read(data, size, &needs) < 0) {
        return;
    }
    for (size_t i = 0; i < needs.count; i++) {
        total += strlen(needs.names[i]);
    }
    total += needs.rpath != NULL ? strlen(needs.rpath) : 0;
    total += needs.runpath != NULL ? strlen(needs.runpath) : 0;
    total += needs.interpreter != NULL ? strlen(needs.interpreter) : 0;
    FUZZ_CHECK(total <= ELF_NEEDS_MAX * size + 3 * size);
}

/* What was split and can be written is split again to the same words. */
static void command(const char *text)
{
    _cleanup_command_ struct command c = {0};
    _cleanup_command_ struct command again = {0};
    _cleanup_command_ struct command call = {0};
    bool plain;
    char *joined;

    if (command_split(text, &c, NULL) < 0) {
        return;
    }
    FUZZ_CHECK(command_unshell(&c, &plain, &call, NULL) == 0);
    joined = command_join(&c);
    if (joined == NULL) {
        return;
    }
    FUZZ_CHECK(command_split(joined, &again, NULL) == 0);
    FUZZ_CHECK(again.count == c.count);
    for (size_t i = 0; i < c.count; i++) {
        FUZZ_CHECK(strcmp(c.words[i], again.words[i]) == 0);
    }
    free(joined);
}

static void config(const uint8_t *data, size_t size)
{
    _cleanup_image_config_ struct image_config c = {0};
    _cleanup_command_ struct command words = {0};
    _cleanup_command_ struct command call = {0};
    bool plain;

    if (image_config_parse(data, size, &c, NULL) < 0) {
        return;
    }
    FUZZ_CHECK(c.workdir[0] == '/');
    (void)image_config_getenv(&c, "PATH");
    if (command_make(&c, NULL, &words, NULL) == 0) {
        FUZZ_CHECK(words.count > 0 && words.words[words.count] == NULL);
        FUZZ_CHECK(command_unshell(&words, &plain, &call, NULL) == 0);
        FUZZ_CHECK(!plain || call.count > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t total = 0;
    uint8_t *copy;

    if (size == 0) {
        return 0;
    }
    copy = malloc(size); /* of its exact size; one byte more for the text's end */
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    switch (data[0] & 3) {
    case 0: elf(copy, size - 1); break;
    case 1: (void)ld_cache_find(copy, size - 1, "libc.so.6", count_path, &total); break;
    case 2: config(copy, size - 1); break;
    default: command((const char *)copy); break;
    }
    free(copy);
    return 0;
}
