/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Replays files, or the files of folders, through a fuzz target: the corpora are regression tests
 * with any compiler. Each input is copied to memory of its own size, so that a sanitizer sees a
 * read behind its end.
 */

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "fuzz/fuzz.h"

#define INPUT_MAX ((size_t)16 << 20)

static size_t g_replayed;

static int replay_file(const char *path)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *file = NULL;
    _cleanup_free_ uint8_t *exact = NULL;
    size_t size;

    if (fs_read_file(path, INPUT_MAX, &file, &size, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(err));
        return 1;
    }
    exact = malloc(size == 0 ? 1 : size);
    if (exact == NULL) {
        fprintf(stderr, "%s: out of memory\n", path);
        return 1;
    }
    memcpy(exact, file, size);
    /* Named before it runs: when it crashes, the log ends with the culprit. */
    printf("%s\n", path);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(exact, size);
    g_replayed++;
    return 0;
}

static int replay(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    int bad = 0;

    if (d == NULL) {
        return replay_file(path);
    }
    while ((e = readdir(d)) != NULL) {
        _cleanup_free_ char *file = NULL;

        if (e->d_name[0] == '.') {
            continue;
        }
        if (asprintf(&file, "%s/%s", path, e->d_name) < 0) {
            bad = 1;
            break;
        }
        bad |= replay_file(file);
    }
    closedir(d);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = 0;

    for (int i = 1; i < argc; i++) {
        bad |= replay(argv[i]);
    }
    if (g_replayed == 0) {
        fprintf(stderr, "no input was replayed: usage: %s FILE|DIR...\n", argv[0]);
        return 1;
    }
    printf("%zu inputs replayed\n", g_replayed);
    return bad;
}
