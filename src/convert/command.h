/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The command line of a service: from the image or from the user, with its program found in the
 * image. */

#include "convert/image_config.h"
#include "convert/rootfs.h"

#define COMMAND_WORDS_MAX 1024u

struct command {
    size_t count;
    char **words; /* malloc'd, each too; NULL-terminated */
};

void command_done(struct command *c);
#define _cleanup_command_ _cleanup_(command_done)

/* Splits a text as the session language does: at white space, '…' and "…" keep it and are removed.
 */
[[nodiscard]] int command_split(const char *text, struct command *ret, struct error **err);

/* As the language would read it back: words that need it in quotes. malloc'd; NULL when a word
 * cannot be written that way or there is no memory. */
char *command_join(const struct command *c);

/* `given` (a text) or, when NULL, ENTRYPOINT and CMD. -EINVAL: the image names none. A shell form
 * (/bin/sh -c TEXT) that is a plain call of one program becomes that call when `unwrap`. */
[[nodiscard]] int command_make(const struct image_config *image, const char *given,
                               struct command *ret, struct error **err);
/* True when `c` is /bin/sh -c with a text that is a plain call: *ret is that call. */
[[nodiscard]] int command_unshell(const struct command *c, bool *ret_plain, struct command *ret,
                                  struct error **err);

#define PROGRAM_SHEBANGS_MAX 4u /* as Linux */
/* Where programs are looked for when there is no PATH. */
#define PROGRAM_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct program {
    struct rootfs_file file;        /* what the name leads to */
    struct rootfs_file interpreter; /* PT_INTERP of what is really run; path empty: static */
    struct rootfs_file binary;      /* the ELF that runs: `file`, or behind its #! lines */
    char name[ROOTFS_PATH_MAX + 1]; /* absolute, as it will be executed: links kept */
};

/*
 * Finds `word` the way execvp would (in `path`, the PATH of the service, from `cwd`) and checks
 * that Linux on x86-64 can run it: a regular executable file, an ELF of this machine with an
 * interpreter the image has, or a script whose interpreter is such a program. -ENOENT, -ENOEXEC,
 * -EACCES say in words what is missing.
 */
[[nodiscard]] int program_find(const struct rootfs *fs, const char *word, const char *path,
                               const char *cwd, struct program *ret, struct error **err);
