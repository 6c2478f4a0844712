/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "image/leftovers.h"
#include "image/skopeo.h"

void target_done(struct target *t)
{
    if (t->scratch != NULL) {
        img_remove_all(t->scratch);
        img_leftover_drop(t->scratch);
    }
    free(t->path);
    free(t->tag);
    free(t->reference);
    free(t->scratch);
    *t = (struct target){0};
}

static const char *after(const char *s, const char *prefix)
{
    const size_t n = strlen(prefix);

    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* PATH[:TAG]. A tag has no slash in it, for OCI; docker's NAME:TAG begins at the first colon. */
static int take_file(struct target *t, enum img_out_kind kind, const char *rest, struct error **err)
{
    const bool docker = kind == IMG_OUT_DOCKER_ARCHIVE;
    const char *colon = docker ? strchr(rest, ':') : strrchr(rest, ':');

    if (colon != NULL && !docker && strchr(colon, '/') != NULL) {
        colon = NULL;
    }
    if (colon == rest || rest[0] == '\0' || (colon != NULL && colon[1] == '\0')) {
        return error_set(err, EINVAL, "a path is missing, or the tag behind its colon");
    }
    t->kind = kind;
    t->path = colon == NULL ? strdup(rest) : strndup(rest, (size_t)(colon - rest));
    if (colon != NULL) {
        const bool bare = docker && strchr(colon + 1, ':') == NULL;

        if (asprintf(&t->tag, "%s%s", colon + 1, bare ? ":latest" : "") < 0) {
            t->tag = NULL;
        }
    } else if (!docker) {
        t->tag = strdup("latest");
    }
    return t->path == NULL || (t->tag == NULL && (colon != NULL || !docker))
               ? error_set_errno(err, ENOMEM, "reading the destination")
               : 0;
}

/* A layout in a directory of its own, for skopeo. */
static int take_remote(struct target *t, const char *reference, struct error **err)
{
    const char *tmp = getenv("TMPDIR");
    int r = skopeo_have(reference, err);

    if (r < 0) {
        return r;
    }
    if (asprintf(&t->scratch, "%s/nacre-convert-XXXXXX",
                 tmp == NULL || *tmp == '\0' ? "/tmp" : tmp) < 0) {
        t->scratch = NULL;
        return error_set_errno(err, ENOMEM, "preparing %s", reference);
    }
    if (mkdtemp(t->scratch) == NULL) {
        r = error_set_errno(err, errno, "cannot create a directory for %s in TMPDIR", reference);
        free(TAKE_PTR(t->scratch));
        return r;
    }
    img_leftover_add(t->scratch);
    t->kind = IMG_OUT_OCI_DIR;
    t->reference = strdup(reference);
    t->tag = strdup("image");
    if (t->reference == NULL || t->tag == NULL || asprintf(&t->path, "%s/layout", t->scratch) < 0) {
        return error_set_errno(err, ENOMEM, "preparing %s", reference);
    }
    return 0;
}

static int parse_any(const char *reference, struct target *t, struct error **err)
{
    static const struct {
        const char *prefix;
        enum img_out_kind kind;
    } files[] = {
        {"oci:", IMG_OUT_OCI_DIR},
        {"oci-archive:", IMG_OUT_OCI_ARCHIVE},
        {"docker-archive:", IMG_OUT_DOCKER_ARCHIVE},
    };
    static const char *const remotes[] = {"docker://", "docker-daemon:", "containers-storage:"};

    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        const char *rest = after(reference, files[i].prefix);

        if (rest != NULL) {
            return take_file(t, files[i].kind, rest, err);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(remotes); i++) {
        if (after(reference, remotes[i]) != NULL) {
            return take_remote(t, reference, err);
        }
    }
    return error_set(err, EINVAL,
                     "this names no destination; use oci:DIR[:TAG], oci-archive:FILE[:TAG], "
                     "docker-archive:FILE[:NAME:TAG], docker-daemon:NAME:TAG, "
                     "containers-storage:NAME or docker://REGISTRY/NAME:TAG");
}

int target_parse(const char *reference, struct target *ret, struct error **err)
{
    _cleanup_target_ struct target t = {0};
    struct stat st;
    int r = parse_any(reference, &t, err);

    if (r == 0 && t.reference == NULL && t.kind == IMG_OUT_OCI_DIR && lstat(t.path, &st) == 0) {
        r = error_set(err, EEXIST, "%s exists already; name a directory to be made", t.path);
    }
    if (r < 0) {
        (void)error_wrap(err, "%s", reference);
        return r;
    }
    *ret = t;
    t = (struct target){0};
    return 0;
}

int target_push(const struct target *t, struct error **err)
{
    _cleanup_free_ char *layout = NULL;

    if (t->reference == NULL) {
        return 0;
    }
    if (asprintf(&layout, "oci:%s:%s", t->path, t->tag) < 0) {
        layout = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", t->reference);
    }
    return skopeo_copy(layout, t->reference, err);
}
