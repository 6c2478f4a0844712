/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The conversion: a container image in; a sealed, measured and signed image and the session that
 * opens it out. Neither SGX nor root nor a container engine is needed. docs/convert.md is for the
 * people who call it, docs/formats/bundle.md says what comes out.
 */

#include "base/error.h"
#include "base/secret.h"
#include "image/layer_stream.h"

struct pol_session;
struct evp_pkey_st;

#define CONVERT_LIST_MAX 256u

struct convert_texts {
    size_t count;
    const char *const *items;
};

/* Everything is borrowed. */
struct convert_options {
    const char *from; /* as img_source_open takes it */
    const char *to;   /* oci:DIR[:TAG] … as img_target_parse takes it */

    const char *namespace;    /* of the session; NULL: none */
    const char *name;         /* of the session in its namespace */
    const char *service_name; /* NULL: "service" */
    const char *command;      /* NULL: ENTRYPOINT and CMD */
    const char *binary;       /* a program that must be there; NULL: the command's */
    struct convert_texts env; /* "NAME=VALUE" besides the image's */

    struct convert_texts allow_env; /* names the host may set */
    struct convert_texts host_path; /* PATH[:rw], passed through */
    struct convert_texts dirs;      /* seal only these, and the program with what it needs */
    struct convert_texts plain;     /* leave these out of the seal */

    const char *loader; /* files of the bundle */
    const char *libos;
    const char *agent;
    const uint8_t *cas_key;  /* 32 bytes: the CAS's key; NULL: the image knows none */
    const char *cas_address; /* default in the image; NULL: the host says it at the start */
    bool scone_names;        /* SCONE_CAS_ADDR … in the image's environment */

    const uint8_t *master; /* 32 bytes: the same inputs give the same bits; NULL: random */
    const uint8_t *salt;   /* 32 bytes; NULL: from the master key, or random */
    uint64_t unpacked_max;

    struct evp_pkey_st *sign_key;
    /* Instead of a key: where the bytes to be signed go (the conversion ends there), or the
     * signature over them and the key it verifies under. */
    const char *sign_dump;
    const char *signature;
    const char *public_key;
    int64_t time;       /* of the image and its files */
    uint32_t sign_date; /* BCD */

    const char *template_path; /* NULL: the built-in one */
    /* Values of template variables the conversion does not know itself; may be NULL. */
    const char *(*get_variable)(void *ctx, const char *name, size_t len);
    void *variable_ctx;
    const char *security; /* lines of the section `security:` in the built-in template, or NULL */

    /* Stores the session: the image gets its name only when this returned 0. */
    int (*store_session)(void *ctx, const struct pol_session *session, struct error **err);
    void *store_ctx;

    struct img_progress (*phase)(void *ctx, const char *what, uint64_t total); /* may be NULL */
    void (*note)(void *ctx, const char *text); /* something the user should know; may be NULL */
    void *ui_ctx;
};

struct convert_result {
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
    uint8_t sealed_root[32];
    uint64_t names;
    uint64_t file_bytes;
    uint64_t sealed_size;
    uint64_t plain_names; /* names that stay unprotected */
    char session[600];    /* the whole name */
};

/* -EALREADY: the bytes to be signed were written, as asked with sign_dump; there is no image. */
[[nodiscard]] int convert_image(const struct convert_options *o, struct convert_result *ret,
                                struct error **err);
