/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the programs in the seal load: interpreter and libraries, found the way glibc's and musl's
 * dynamic linkers find them, and sealed. In every directory they would search, the names looked for
 * are sealed too, be it as absent, so that a host can put no library of his own in front.
 *
 * Bounds: what a program opens by itself (dlopen of names nobody can read off the file, plugins,
 * modules of scripts) is the caller's to name as directories.
 */

#include "convert/command.h"
#include "convert/partial.h"

struct closure_options {
    const struct program *program;
    const char *library_path; /* LD_LIBRARY_PATH of the service, or NULL */
    const char *preload;      /* LD_PRELOAD, or NULL */
};

/* Seals it all. `p` has the directories already: the ELF files in them count as programs. */
[[nodiscard]] int closure_seal(struct partial *p, const struct closure_options *o,
                               struct error **err);
