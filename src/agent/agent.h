/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The agent: the first program inside. It proves the enclave to a CAS, takes what the CAS grants
 * and becomes the application (docs/provisioning.md). One thread, no name resolution, no loaded
 * modules, no files but the device. What differs between kinds of TEE is behind two tables: where
 * evidence comes from, and who applies the answer.
 */

#include "base/error.h"

/* <sysexits.h>, as docs/formats/provisioning.md names them. */
enum agent_exit {
    AGENT_EXIT_CONFIG = 64,    /* the host's configuration is wrong or missing */
    AGENT_EXIT_UNREACHED = 69, /* the CAS cannot be reached, or stays busy */
    AGENT_EXIT_INTERNAL = 70,  /* this side's own trouble */
    AGENT_EXIT_PROTOCOL = 76,  /* not the pinned CAS, or not its protocol */
    AGENT_EXIT_DENIED = 77,
    AGENT_EXIT_UNUSABLE = 78, /* what was granted cannot be applied */
};

/* Inside a function: the failure may pass, try again (never an exit code). */
#define AGENT_RETRY 1

#define AGENT_HASH_SIZE        32u
#define AGENT_REPORT_DATA_SIZE 64u
#define AGENT_ADDRESSES_MAX    16u
#define AGENT_HOST_ENV_MAX     512u
#define AGENT_TIMEOUT_DEFAULT  120u
#define AGENT_TIMEOUT_MAX      86400u

/* What is measured: nobody outside can change it. */
struct agent_facts {
    uint8_t cas_key[AGENT_HASH_SIZE]; /* SHA-256 of the CAS's SubjectPublicKeyInfo */
    bool have_session;
    uint8_t session[AGENT_HASH_SIZE]; /* SHA-256 of the session's name */
    bool have_root;
    uint8_t root[AGENT_HASH_SIZE]; /* of the sealed image */
};

/* What the host says. Wrong hints can make the start fail and do nothing else. */
struct agent_hints {
    char *text; /* the strings below point into it */
    size_t size;
    size_t address_count;
    const char *addresses[AGENT_ADDRESSES_MAX]; /* "ADDRESS:PORT" */
    const char *config_id;                      /* or NULL */
    const char *note;                           /* why there is no address, or NULL */
    uint64_t timeout;                           /* seconds */
    size_t env_count;
    const char *env[AGENT_HOST_ENV_MAX]; /* "NAME=VALUE", names the manifest lets through */
};

/* Evidence over report data. */
struct agent_evidence {
    const char *type; /* as the request names it */
    /* *ret is malloc'd. -ENODEV: there is none to be had on this machine. */
    int (*get)(void *context, const uint8_t report_data[static AGENT_REPORT_DATA_SIZE],
               uint8_t **ret, size_t *ret_size, struct error **err);
    void *context;
};

/* The system underneath: the library OS today, a kernel in a confidential virtual machine. */
struct agent_platform {
    int (*facts)(void *context, struct agent_facts *ret, struct error **err);
    /* ret->text is malloc'd and filled; the rest is agent_parse_hints' business. */
    int (*hints)(void *context, struct agent_hints *ret, struct error **err);
    /* Applies a record (abi/agent_device.h) and becomes the application. Returns on failure only.
     */
    int (*start)(void *context, const uint8_t *record, size_t size, struct error **err);
    void *context;
};

/* The whole life of the agent; an exit code when it does not become the application. */
int agent_run(const struct agent_platform *platform, const struct agent_evidence *evidence);

/* --- inside agent/ --- */

/* Cuts ret->text into its strings. -EINVAL with words. */
[[nodiscard]] int agent_parse_hints(struct agent_hints *ret, struct error **err);

/* "SESSION/SERVICE", cut at the last slash. */
struct agent_wish {
    const char *session;
    size_t session_size;
    const char *service;
    size_t service_size;
};
[[nodiscard]] int agent_parse_config_id(const char *text, struct agent_wish *ret);

#define AGENT_EXPORTER_SIZE 32u

/* docs/formats/provisioning.md, "The channel". */
void agent_report_data(const uint8_t exporter[static AGENT_EXPORTER_SIZE],
                       const struct agent_wish *wish, uint8_t ret[static AGENT_REPORT_DATA_SIZE]);

#define AGENT_REQUEST_MAX ((size_t)64 << 10)
#define AGENT_ANSWER_MAX  ((size_t)16 << 20)

/* The request's body, malloc'd. `quote` NULL: no evidence. -E2BIG. */
[[nodiscard]] int agent_make_request(const struct agent_wish *wish, const char *type,
                                     const uint8_t *quote, size_t quote_size, char **ret,
                                     size_t *ret_size);

/* Turns the answer's document into a record; `host_env` stands where the answer names nothing else,
 * and the measured root (NULL: none) where the answer says a part of it or nothing.
 * *ret is malloc'd, secret and of *ret_size bytes: free with agent_wipe_free. -EBADMSG with words
 * that name the key and no value; -EKEYREJECTED: the measured root is another one. */
[[nodiscard]] int agent_answer_to_record(const char *text, size_t size, const char *const *host_env,
                                         size_t host_env_count, const uint8_t *measured_root,
                                         uint8_t **ret, size_t *ret_size, struct error **err);

/* "reference" of a refusal, printable characters alone; empty when there is none. */
void agent_answer_reference(const char *text, size_t size, char *ret, size_t ret_size);

void agent_wipe_free(void *p, size_t size);
