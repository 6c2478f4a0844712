/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/proc/image.h"

#include "libos/host/host.h"
#include "libos/lib/str.h"
#include "libos/mm/user.h"
#include "libos/proc/thread.h"

#define PIECE         512u
#define TITLE_MAX     4096u /* a title over the arguments: one page, as Linux reads it */
#define RUSAGE_SELF_  0
#define RUSAGE_VALUES 7u

/* Appends application memory up to `end`, or, with `to_nul`, up to the first NUL. */
static int add_user(struct strbuf *out, uint64_t start, uint64_t end, bool to_nul)
{
    while (start < end) {
        char piece[PIECE];
        /* Not over the end of a page, so that all that can be read is. */
        const size_t n =
            MIN(MIN(end - start, (uint64_t)PIECE), NACRE_PAGE_SIZE - start % NACRE_PAGE_SIZE);
        size_t len = 0;

        if (user_copy_in(piece, start, n) < 0) {
            break;
        }
        while (to_nul && len < n && piece[len] != '\0') {
            len++;
        }
        if (to_nul && len < n) {
            strbuf_add(out, piece, len + 1);
            break;
        }
        strbuf_add(out, piece, n);
        start += n;
    }
    return out->failed ? -ENOMEM : 0;
}

int image_cmdline(struct strbuf *out)
{
    const struct process_image *image = &process_current()->image;
    char last;

    if (image->arg_start == image->env_start) {
        return 0;
    }
    if (user_copy_in(&last, image->env_start - 1, 1) == 0 && last != '\0') {
        return add_user(out, image->arg_start, MIN(image->env_end, image->arg_start + TITLE_MAX),
                        /*to_nul=*/true);
    }
    return add_user(out, image->arg_start, image->env_start, /*to_nul=*/false);
}

int image_environ(struct strbuf *out)
{
    const struct process_image *image = &process_current()->image;

    return add_user(out, image->env_start, image->env_end, /*to_nul=*/false);
}

int image_auxv(struct strbuf *out)
{
    const struct process_image *image = &process_current()->image;

    strbuf_add(out, image->auxv, image->auxv_count * sizeof(image->auxv[0]));
    return out->failed ? -ENOMEM : 0;
}

void image_cpu_times(uint64_t *ret_user, uint64_t *ret_system)
{
    uint64_t t[RUSAGE_VALUES];

    host_times(RUSAGE_SELF_, t);
    *ret_user = t[0];
    *ret_system = t[1];
}
