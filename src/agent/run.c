/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The agent's life: one attempt after the other until one ends it. */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/channel.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "core/ct.h"
#include "core/sha256.h"

#define PATH        "/v1/provision"
#define ATTEMPT_MS  30000 /* one attempt, from connecting to the last byte */
#define PAUSE_FIRST 250
#define PAUSE_LAST  10000

struct agent {
    const struct agent_platform *platform;
    const struct agent_evidence *evidence;
    struct agent_facts facts;
    struct agent_hints hints;
    struct agent_wish wish;
    bool without_evidence; /* this machine has none, and that was said */
};

static void say(const char *text)
{
    (void)dprintf(STDERR_FILENO, "nacre-agent: %s\n", text);
}

static int fail(struct error **err, int code, const char *words)
{
    (void)error_set(err, EINVAL, "%s", words);
    return code;
}

/* ---- one attempt ---- */

static int make_request(struct agent *a, struct channel *c, char **ret, size_t *ret_size,
                        struct error **err)
{
    _cleanup_free_ uint8_t *quote = NULL;
    uint8_t exporter[AGENT_EXPORTER_SIZE];
    uint8_t report_data[AGENT_REPORT_DATA_SIZE];
    size_t quote_size = 0;
    int r = channel_exporter(c, exporter, err);

    if (r != 0) {
        return r;
    }
    agent_report_data(exporter, &a->wish, report_data);
    r = a->evidence->get(a->evidence->context, report_data, &quote, &quote_size, err);
    if (r == -ENODEV) { /* a session of mode none takes that, every other denies */
        if (!a->without_evidence) {
            say("this machine has nothing to quote with: asking without evidence");
        }
        a->without_evidence = true;
    } else if (r < 0) {
        error_wrap(err, "evidence");
        return AGENT_RETRY; /* the service that quotes may be restarting */
    }
    r = agent_make_request(&a->wish, quote == NULL ? "none" : a->evidence->type, quote, quote_size,
                           ret, ret_size);
    return r < 0 ? fail(err, AGENT_EXIT_INTERNAL, "the request cannot be made") : 0;
}

/* The answer is in hand: becomes the application, or says why not. */
static int apply(struct agent *a, const struct channel_answer *answer, struct error **err)
{
    uint8_t *record = NULL;
    size_t size = 0;
    int r = agent_answer_to_record(answer->body, answer->size, a->hints.env, a->hints.env_count,
                                   a->facts.have_root ? a->facts.root : NULL, &record, &size, err);

    if (r < 0) {
        return r == -ENOMEM                        ? AGENT_EXIT_INTERNAL
               : r == -E2BIG || r == -EKEYREJECTED ? AGENT_EXIT_UNUSABLE
                                                   : AGENT_EXIT_PROTOCOL;
    }
    r = a->platform->start(a->platform->context, record, size, err);
    agent_wipe_free(record, size);
    return r == -ENOMEM ? AGENT_EXIT_INTERNAL : AGENT_EXIT_UNUSABLE;
}

static int refusal(const struct channel_answer *answer, unsigned *ret_pause, struct error **err)
{
    char reference[80];
    char text[200];

    agent_answer_reference(answer->body, answer->size, reference, sizeof(reference));
    switch (answer->status) {
    case 403:
    case 404:
        (void)snprintf(text, sizeof(text),
                       "the CAS denies this session%s%s; its audit log says why",
                       *reference == '\0' ? "" : ", reference ", reference);
        return fail(err, AGENT_EXIT_DENIED, text);
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        (void)snprintf(text, sizeof(text), "the CAS answers %u", answer->status);
        *ret_pause = answer->retry_after;
        return fail(err, AGENT_RETRY, text);
    case 400:
        return fail(err, AGENT_EXIT_PROTOCOL,
                    "the CAS calls the request malformed: another version of the protocol?");
    default:
        (void)snprintf(text, sizeof(text), "the CAS answers %u, which provisioning does not know",
                       answer->status);
        return fail(err, AGENT_EXIT_PROTOCOL, text);
    }
}

static int attempt(struct agent *a, const char *address, int64_t deadline, unsigned *ret_pause,
                   struct error **err)
{
    struct channel_answer answer = {};
    struct channel *c = NULL;
    char *request = NULL;
    size_t size = 0;
    int r = channel_open(address, a->facts.cas_key, deadline, &c, err);

    if (r == 0) {
        r = make_request(a, c, &request, &size, err);
    }
    if (r == 0) {
        r = channel_post(c, PATH, request, size, deadline, &answer, err);
    }
    c = channel_free(c);
    free(request);
    if (r == 0) {
        r = answer.status == 200 ? apply(a, &answer, err) : refusal(&answer, ret_pause, err);
    }
    agent_wipe_free(answer.body, answer.room);
    return r;
}

/* Each address once. Denials and what follows a grant end it; a wrong CAS behind one address does
 * not, as long as another may be the right one. */
static int round_of_attempts(struct agent *a, int64_t until, unsigned *ret_pause,
                             struct error **err)
{
    int worst = 0;

    for (size_t i = 0; i < a->hints.address_count; i++) {
        struct error *why = NULL;
        int r =
            attempt(a, a->hints.addresses[i], MIN(clock_ms() + ATTEMPT_MS, until), ret_pause, &why);

        if (worst == 0 || r != AGENT_EXIT_PROTOCOL) {
            *err = error_free(*err);
            *err = TAKE_PTR(why);
        }
        why = error_free(why);
        if (r != AGENT_RETRY && r != AGENT_EXIT_PROTOCOL) {
            return r;
        }
        worst = worst == 0 || r == AGENT_RETRY ? r : worst;
    }
    return worst;
}

/* Half to one and a half times `ms`: those that started together do not come back together. */
static int64_t jitter(int64_t ms)
{
    uint16_t x = 0;

    if (getrandom(&x, sizeof(x), 0) != (ssize_t)sizeof(x)) {
        x = 32768;
    }
    return ms / 2 + ms * x / 65536;
}

static int ask_until_answered(struct agent *a, struct error **err)
{
    const int64_t until = clock_ms() + (int64_t)a->hints.timeout * 1000;
    bool told = false;

    for (int64_t pause = PAUSE_FIRST;; pause = MIN(pause * 2, (int64_t)PAUSE_LAST)) {
        unsigned wish = 0;
        int r = round_of_attempts(a, until, &wish, err);
        const int64_t wait = MAX(jitter(pause), (int64_t)wish * 1000);
        const struct timespec ts = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
        char text[300];

        if (r != AGENT_RETRY) {
            return r;
        }
        if (clock_ms() + wait >= until) {
            error_wrap(err, "no answer from the CAS in %llu seconds, the last time",
                       (unsigned long long)a->hints.timeout);
            return AGENT_EXIT_UNREACHED;
        }
        if (!told) {
            (void)snprintf(text, sizeof(text), "%s; trying again for %llu seconds",
                           error_text(*err), (unsigned long long)a->hints.timeout);
            say(text);
            told = true;
        }
        *err = error_free(*err);
        (void)nanosleep(&ts, NULL);
    }
}

/* ---- before ---- */

static int check_wish(struct agent *a, struct error **err)
{
    uint8_t hash[SHA256_SIZE];

    if (a->hints.config_id == NULL) {
        return fail(err, AGENT_EXIT_CONFIG,
                    "no configuration is named: set NACRE_CONFIG_ID=SESSION/SERVICE");
    }
    if (agent_parse_config_id(a->hints.config_id, &a->wish) < 0) {
        return fail(err, AGENT_EXIT_CONFIG, "NACRE_CONFIG_ID is not SESSION/SERVICE");
    }
    if (a->facts.have_session) {
        sha256(a->wish.session, a->wish.session_size, hash);
        if (!ct_equal(hash, a->facts.session, sizeof(hash))) {
            return fail(err, AGENT_EXIT_CONFIG,
                        "NACRE_CONFIG_ID names another session than this enclave is measured with");
        }
    }
    if (a->hints.address_count == 0) {
        return a->hints.note != NULL
                   ? fail(err, AGENT_EXIT_UNREACHED, a->hints.note)
                   : fail(err, AGENT_EXIT_CONFIG, "no CAS is named: set NACRE_CAS=HOST[:PORT]");
    }
    return 0;
}

static int live(struct agent *a, struct error **err)
{
    int r = a->platform->facts(a->platform->context, &a->facts, err);

    if (r < 0) {
        return AGENT_EXIT_INTERNAL;
    }
    r = a->platform->hints(a->platform->context, &a->hints, err);
    if (r < 0) {
        return AGENT_EXIT_INTERNAL;
    }
    if (agent_parse_hints(&a->hints, err) < 0) {
        return AGENT_EXIT_CONFIG;
    }
    r = check_wish(a, err);
    return r != 0 ? r : ask_until_answered(a, err);
}

int agent_run(const struct agent_platform *platform, const struct agent_evidence *evidence)
{
    struct agent a = {.platform = platform, .evidence = evidence};
    _cleanup_error_ struct error *err = NULL;
    int r = live(&a, &err);

    say(error_text(err));
    free(a.hints.text);
    return r;
}
