/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A session as data. Everything lives in the session's arena and is constant after pol_parse().
 * Optional texts are NULL, optional lists empty. Values still hold their $$SCONE::…$$ macros.
 */

#include "policy/arena.h"
#include "policy/diag.h"

#define POL_SERVICES_MAX    256
#define POL_SECRETS_MAX     1024
#define POL_IMAGES_MAX      256
#define POL_VOLUMES_MAX     256
#define POL_LIST_MAX        1024 /* any other list */
#define POL_MACROS_MAX      8192 /* of a session */
#define POL_SECRET_SIZE_MAX 65536

/* The orders below are those of words.tbl.h; a test compares. */
enum fspf_update {
    FSPF_UPDATE_REINITIALIZABLE,
    FSPF_UPDATE_UNPROTECTED,
};

enum volume_update {
    VOLUME_UPDATE_ROLLBACK_PROTECTED,
    VOLUME_UPDATE_EPHEMERAL,
    VOLUME_UPDATE_UNPROTECTED,
};

enum secret_kind {
    SECRET_ASCII,
    SECRET_BINARY,
    SECRET_PRIVATE_KEY,
    SECRET_PUBLIC_KEY,
    SECRET_X509,
    SECRET_X509_CA,
    SECRET_UNKNOWN = 255, /* an import that does not say */
};

enum key_type {
    KEY_TYPE_P256,
    KEY_TYPE_P384,
    KEY_TYPE_ED25519,
    KEY_TYPE_RSA2048,
    KEY_TYPE_RSA3072,
    KEY_TYPE_RSA4096,
};

enum secret_endpoint {
    ENDPOINT_SERVER,
    ENDPOINT_CLIENT,
    ENDPOINT_ANY, /* not said */
};

enum attest_mode {
    ATTEST_MODE_HARDWARE,
    ATTEST_MODE_SOFTWARE,
    ATTEST_MODE_NONE,
};

enum tolerate {
    TOLERATE_DEBUG,
    TOLERATE_HYPERTHREADING,
    TOLERATE_IGPU,
    TOLERATE_SW_HARDENING,
    TOLERATE_AEPIC_LEAK,
    TOLERATE_CONFIGURATION,
    TOLERATE_OUTDATED_TCB,
};

struct pol_texts {
    size_t count;
    const char **items;
};

struct pol_hash {
    uint8_t b[32];
};

/* A session this one names, with the hash it must have (all zero: any). */
struct pol_ref {
    struct pol_mark mark;
    const char *session; /* as written, possibly relative */
    bool is_namespace;   /* and everything below */
    bool has_hash;
    struct pol_hash hash;
};

struct pol_env {
    struct pol_mark mark;
    const char *name;
    const char *value;
};

/* One way to be the right enclave: every part that is present must match. */
struct pol_enclave {
    struct pol_mark mark;
    size_t mrenclave_count; /* one of them */
    struct pol_hash *mrenclaves;
    bool has_mrsigner;
    struct pol_hash mrsigner;
    bool has_isvprodid;
    uint16_t isvprodid;
    bool has_isvsvn_min;
    uint16_t isvsvn_min;
    bool has_isvsvn_max;
    uint16_t isvsvn_max;
};

#define POL_GROUPS_MAX 32

struct pol_user {
    bool present; /* absent: 0:0 */
    uint32_t uid;
    uint32_t gid;
    size_t group_count; /* supplementary */
    uint32_t groups[POL_GROUPS_MAX];
};

struct pol_platform {
    uint8_t qe_id[16];
};

struct pol_service {
    struct pol_mark mark;
    const char *name;
    const char *image_name;
    size_t enclave_count; /* one of them must match */
    struct pol_enclave *enclaves;
    size_t platform_count;
    struct pol_platform *platforms;
    struct pol_texts command;
    size_t env_count;
    struct pol_env *env;
    const char *pwd;
    struct pol_user user;
    const char *fspf_path;
    const char *fspf_key; /* 64 hex digits or one macro */
    bool has_fspf_tag;
    uint8_t fspf_tag[16];
    enum fspf_update fspf_update;
    bool has_sealed_root;
    struct pol_hash sealed_root;
    struct pol_mark image_mark;
    struct pol_mark command_mark;
    struct pol_mark key_mark;
};

struct pol_mount {
    struct pol_mark mark;
    const char *name;
    const char *path;
    enum volume_update update;
};

struct pol_file {
    struct pol_mark mark;
    const char *path;
    const char *content;
    uint16_t mode;
};

struct pol_image {
    struct pol_mark mark;
    const char *name;
    size_t mount_count;
    struct pol_mount *mounts;
    size_t file_count;
    struct pol_file *files;
};

struct pol_volume_export {
    struct pol_ref to;
    bool has_update;
    enum volume_update update;
    const char *alias;
};

struct pol_volume {
    struct pol_mark mark;
    const char *name;
    const char *fspf_key;
    struct pol_mark key_mark;
    bool has_fspf_tag;
    uint8_t fspf_tag[16];
    bool has_sealed_root;
    struct pol_hash sealed_root;
    size_t export_count;
    struct pol_volume_export *exports;
    bool is_import;
    struct pol_ref import;
    const char *import_name;
};

struct pol_secret {
    struct pol_mark mark;
    const char *name;
    enum secret_kind kind;
    uint32_t size;     /* ascii, binary; 0: not said, then 20 */
    const char *value; /* NULL: generate */
    size_t value_size; /* binary values: bytes behind the hex digits */
    enum key_type key_type;
    bool has_migrate;
    bool migrate;
    const char *private_key;
    const char *issuer;
    const char *common_name;
    enum secret_endpoint endpoint;
    struct pol_texts dns; /* without "dns:"; from dns and san */
    struct pol_texts ip;  /* canonical addresses; from ip and san */
    uint64_t valid_for;   /* seconds; 0: not said */
    size_t export_count;
    struct pol_ref *exports;
    bool export_public;
    bool is_import;
    struct pol_ref import;
    const char *import_name;
    struct pol_mark private_key_mark;
    struct pol_mark issuer_mark;
};

enum rule_kind {
    RULE_CREATOR,
    RULE_ANY,
    RULE_NONE,
    RULE_KEY,    /* a client certificate with the key `id` */
    RULE_SIGNER, /* a signature by the key `id` over the request */
    RULE_ALL,
    RULE_AT_LEAST,
};

struct pol_rule {
    struct pol_mark mark;
    enum rule_kind kind;
    struct pol_hash id; /* SHA-256 of the SubjectPublicKeyInfo; Ed25519 signers: the raw key */
    uint8_t id_version; /* KEY_ID_VERSION_… */
    const char *text;   /* as written: PEM or key name */
    uint32_t at_least;
    size_t count; /* RULE_ALL, RULE_AT_LEAST */
    struct pol_rule *rules;
};

enum pol_right {
    RIGHT_READ,
    RIGHT_UPDATE,
    RIGHT_CREATE_SESSIONS,
    RIGHT_LIST_SESSIONS,
    RIGHT_READ_SECRETS,
    RIGHT_COUNT,
};

struct pol_right_rules {
    bool present; /* absent rights have the defaults of the language */
    size_t count; /* one of them is enough */
    struct pol_rule *rules;
};

struct pol_security {
    struct pol_mark mark;
    enum attest_mode mode;
    uint32_t tolerate; /* 1 << TOLERATE_… */
    bool ignore_all_advisories;
    struct pol_texts ignore_advisories; /* "INTEL-SA-00161" */
    size_t root_count;
    struct pol_hash *roots; /* SHA-256 of the SubjectPublicKeyInfo */
    uint64_t max_collateral_age;
    uint32_t min_tcb_evaluation;
};

struct pol_creator {
    bool present;
    uint8_t version; /* KEY_ID_VERSION_… */
    struct pol_hash id;
    const char *text;
};

struct pol_session {
    struct arena *arena;
    const char *name;
    struct pol_mark name_mark;
    unsigned version; /* 0.3.<version>; POL_VERSION_ANY for "0.3" */
    const char *version_text;
    bool has_predecessor;
    struct pol_hash predecessor;
    bool has_namespace_hash;
    struct pol_hash namespace_hash;
    bool has_salt;
    uint8_t salt[16];
    struct pol_creator creator;
    size_t service_count;
    struct pol_service *services;
    size_t image_count;
    struct pol_image *images;
    size_t volume_count;
    struct pol_volume *volumes;
    size_t secret_count;
    struct pol_secret *secrets;
    struct pol_right_rules rights[RIGHT_COUNT];
    struct pol_security security;
};

#define POL_VERSION_ANY  99u
#define POL_VERSION_LAST 12u

const struct pol_service *pol_find_service(const struct pol_session *s, const char *name);
const struct pol_image *pol_find_image(const struct pol_session *s, const char *name);
const struct pol_volume *pol_find_volume(const struct pol_session *s, const char *name);
const struct pol_secret *pol_find_secret(const struct pol_session *s, const char *name, size_t len);
/* The word of a list as written in sessions: pol_word(SCOPE_KEY_TYPE, KEY_TYPE_P256). */
const char *pol_word(unsigned list, unsigned position);
