/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "convert/user.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

/* The sealing key is a secret of its own, so that reading the session does not show it. */
const char session_template[] = "name: $NAME\n"
                                "version: \"0.3\"\n"
                                "\n"
                                "services:\n"
                                "  - name: $SERVICE\n"
                                "    image_name: ${SERVICE}_image\n"
                                "    mrenclaves: [$MRENCLAVE]\n"
                                "    command:\n"
                                "      $COMMAND\n"
                                "    environment:\n"
                                "      $ENVVARS\n"
                                "    pwd: $PWD\n"
                                "    $RUN_AS\n"
                                "    fspf_key: $$SCONE::nacre_sealing_key$$\n"
                                "    sealed_root: $SEALED_ROOT\n"
                                "\n"
                                "images:\n"
                                "  - name: ${SERVICE}_image\n"
                                "    $INJECTED_FILES\n"
                                "\n"
                                "secrets:\n"
                                "  - name: nacre_sealing_key\n"
                                "    kind: binary\n"
                                "    size: 32\n"
                                "    value: $SEALING_KEY\n"
                                "  $SECRETS\n"
                                "\n"
                                "access_policy:\n"
                                "  read: [CREATOR]\n"
                                "  update: [CREATOR]\n"
                                "\n"
                                "$SECURITY\n";

int session_full_name(const char *namespace, const char *name, char *dst, size_t size,
                      struct error **err)
{
    const bool has = namespace != NULL && namespace[0] != '\0';
    const int n = snprintf(dst, size, "%s%s%s", has ? namespace : "", has ? "/" : "", name);

    if (n < 0 || (size_t)n >= size || !name_session_valid(dst)) {
        return error_set(err, EINVAL,
                         "'%.300s' is no session name: words of letters, digits and _ . ~ -, "
                         "joined by '/', at most %d characters",
                         dst, POL_NAME_MAX);
    }
    return 0;
}

/* ---- text under construction ---------------------------------------------------------------- */

struct text {
    char *p;
    size_t size;
    bool failed;
};

static void text_add(struct text *t, const char *s, size_t n)
{
    char *grown = t->failed ? NULL : realloc(t->p, t->size + n + 1);

    if (grown == NULL) {
        t->failed = true;
        return;
    }
    memcpy(grown + t->size, s, n);
    grown[t->size + n] = '\0';
    t->p = grown;
    t->size += n;
}

static void text_put(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

/* Bytes of a character that YAML would not take as it is, and what it is; 0: take it. */
static size_t unprintable(const uint8_t *s, unsigned *ret)
{
    if (s[0] < 0x20 || s[0] == 0x7f || s[0] == '"' || s[0] == '\\') {
        *ret = s[0];
        return 1;
    }
    if (s[0] == 0xc2 && s[1] < 0xa0) { /* the second control set, with its line end */
        *ret = s[1];
        return 2;
    }
    if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9)) { /* line ends, too */
        *ret = 0x2000u | (s[2] & 0x3fu);
        return 3;
    }
    if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf) {
        *ret = 0xfeff;
        return 3;
    }
    return 0;
}

/* A YAML double-quoted scalar. */
static void text_quote(struct text *t, const char *value)
{
    text_put(t, "\"");
    for (const char *s = value; *s != '\0';) {
        unsigned c;
        const size_t n = unprintable((const uint8_t *)s, &c);
        char escape[8];

        if (n == 0) {
            text_add(t, s++, 1);
            continue;
        }
        (void)snprintf(escape, sizeof(escape), "\\u%04x", c & 0xffffu);
        text_put(t, escape);
        s += n;
    }
    text_put(t, "\"");
}

/* ---- the variables -------------------------------------------------------------------------- */

enum variable {
    VAR_NAME,
    VAR_NAMESPACE,
    VAR_SESSION,
    VAR_SERVICE,
    VAR_MRENCLAVE,
    VAR_MRSIGNER,
    VAR_SEALED_ROOT,
    VAR_SEALING_KEY,
    VAR_FSPF_TAG,
    VAR_COMMAND,
    VAR_CMD,
    VAR_ENVVARS,
    VAR_PWD,
    VAR_RUN_AS,
    VAR_SECRETS,
    VAR_INJECTED_FILES,
    VAR_SECURITY,
    VAR_COUNT,
};

static const struct {
    const char *name;
    enum variable variable;
} names[] = {
    {"NAME", VAR_NAME},
    {"NAMESPACE", VAR_NAMESPACE},
    {"SESSION", VAR_SESSION},
    {"SERVICE", VAR_SERVICE},
    {"MRENCLAVE", VAR_MRENCLAVE},
    {"MRSIGNER", VAR_MRSIGNER},
    {"SEALED_ROOT", VAR_SEALED_ROOT},
    {"SEALING_KEY", VAR_SEALING_KEY},
    {"SCONE_FSPF_KEY", VAR_SEALING_KEY},
    {"SCONE_FSPF_TAG", VAR_FSPF_TAG},
    {"COMMAND", VAR_COMMAND},
    {"CMD", VAR_CMD},
    {"ENVVARS", VAR_ENVVARS},
    {"PWD", VAR_PWD},
    {"RUN_AS", VAR_RUN_AS},
    {"SECRETS", VAR_SECRETS},
    {"INJECTED_FILES", VAR_INJECTED_FILES},
    {"SECURITY", VAR_SECURITY},
};

struct variables {
    char *values[VAR_COUNT];
    const struct convert_options *o;
};

static void variables_done(struct variables *v)
{
    for (size_t i = 0; i < VAR_COUNT; i++) {
        if (v->values[i] != NULL) {
            ct_wipe(v->values[i], strlen(v->values[i]));
            free(v->values[i]);
        }
    }
}
#define _cleanup_variables_ _cleanup_(variables_done)

static const char *get_variable(void *ctx, const char *name, size_t len)
{
    const struct variables *v = ctx;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strncmp(names[i].name, name, len) == 0 && names[i].name[len] == '\0') {
            return v->values[names[i].variable];
        }
    }
    return v->o->get_variable != NULL ? v->o->get_variable(v->o->variable_ctx, name, len) : NULL;
}

static int set_text(struct variables *v, enum variable which, const char *value, struct error **err)
{
    v->values[which] = strdup(value);
    return v->values[which] == NULL ? error_set_errno(err, ENOMEM, "filling in the session") : 0;
}

static int set_hex(struct variables *v, enum variable which, const uint8_t *bytes, size_t size,
                   struct error **err)
{
    char hex[65];
    int r;

    hex_encode(hex, bytes, size);
    r = set_text(v, which, hex, err);
    ct_wipe(hex, sizeof(hex));
    return r;
}

static int set_built(struct variables *v, enum variable which, struct text *t, struct error **err)
{
    if (t->failed || (t->p == NULL && (t->p = strdup("")) == NULL)) {
        if (t->p != NULL) {
            ct_wipe(t->p, t->size);
        }
        free(t->p);
        return error_set_errno(err, ENOMEM, "filling in the session");
    }
    v->values[which] = t->p;
    return 0;
}

/* True when `$NAME` stands alone at the very beginning of a line, as SCONE's templates have it. */
static bool at_margin(const char *template, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = template; (p = strstr(p, name)) != NULL; p += n) {
        if ((p == template || p[-1] == '\n') && (p[n] == '\n' || p[n] == '\0' || p[n] == '\r')) {
            return true;
        }
    }
    return false;
}

/* Both lists, later values of a name winning, in the order of first mention. */
static int merge_env(const struct session_facts *f, json_t *ret, struct error **err)
{
    const size_t own = json_array_size(f->env);

    for (size_t i = 0; i < own + f->more_env.count; i++) {
        const char *s =
            i < own ? json_string_value(json_array_get(f->env, i)) : f->more_env.items[i - own];
        const char *equals = strchr(s, '=');
        _cleanup_free_ char *name = NULL;

        if (equals == NULL || equals == s) {
            return error_set(err, EINVAL, "--env wants NAME=VALUE, not '%.100s'", s);
        }
        name = strndup(s, (size_t)(equals - s));
        if (name == NULL) {
            return error_set_errno(err, ENOMEM, "filling in the session");
        }
        if (json_object_set_new(ret, name, json_string(equals + 1)) < 0) {
            return error_set(err, EINVAL, "--env %.100s: not UTF-8", name);
        }
    }
    return 0;
}

/* user: "UID:GID", or nothing for root. */
static void put_user(struct text *t, const struct pol_user *user)
{
    char text[24 + 12 * POL_GROUPS_MAX];

    if (user->present) {
        user_print(user, text, sizeof(text));
        text_put(t, "user: ");
        text_quote(t, text);
    }
}

static int set_user(struct variables *v, const struct pol_user *user, struct error **err)
{
    struct text t = {0};

    put_user(&t, user);
    return set_built(v, VAR_RUN_AS, &t, err);
}

/*
 * NAME: "VALUE" lines. A template that has $ENVVARS at the margin was written for SCONE's tool:
 * there the lines bring their own indentation, and the working directory with them.
 */
static int set_env(struct variables *v, const struct session_facts *f, const char *template,
                   struct error **err)
{
    const bool margin = at_margin(template, "$ENVVARS");
    json_t *env = json_object();
    struct text t = {0};
    const char *name;
    json_t *value;
    int r = env == NULL ? error_set_errno(err, ENOMEM, "filling in the session")
                        : merge_env(f, env, err);

    if (r < 0) {
        json_decref(env);
        return r;
    }
    json_object_foreach(env, name, value)
    {
        if (margin && strcmp(name, "PWD") == 0) {
            continue;
        }
        text_put(&t, margin ? "        " : "");
        text_quote(&t, name);
        text_put(&t, ": ");
        text_quote(&t, json_string_value(value));
        text_put(&t, "\n");
    }
    if (margin) {
        text_put(&t, "     pwd: ");
        text_quote(&t, f->pwd);
        text_put(&t, "\n     ");
        put_user(&t, f->user);
        text_put(&t, "\n");
    }
    json_decref(env);
    return set_built(v, VAR_ENVVARS, &t, err);
}

static int set_command(struct variables *v, const struct command *c, struct error **err)
{
    struct text t = {0};

    for (size_t i = 0; i < c->count; i++) {
        text_put(&t, "- ");
        text_quote(&t, c->words[i]);
        text_put(&t, "\n");
    }
    v->values[VAR_CMD] = command_join(c);
    return set_built(v, VAR_COMMAND, &t, err);
}

/* ---- the pieces that come from the environment ---------------------------------------------- */

/* Blanks that every line with content begins with. */
static size_t common_indent(const char *s)
{
    size_t least = SIZE_MAX;

    while (*s != '\0') {
        const size_t len = strcspn(s, "\n");
        const size_t blank = strspn(s, " ");

        if (blank < len && s[blank] != '\r') {
            least = MIN(least, blank);
        }
        s += len + (s[len] == '\n');
    }
    return least == SIZE_MAX ? 0 : least;
}

static void add_dedented(struct text *t, const char *s)
{
    const size_t cut = common_indent(s);

    while (*s != '\0') {
        const size_t len = strcspn(s, "\n");
        const size_t skip = MIN(strspn(s, " "), MIN(cut, len));

        text_add(t, s + skip, len - skip);
        text_put(t, "\n");
        s += len + (s[len] == '\n');
    }
}

/* Behind "secrets:" comes the list; a value may also be the list alone. */
static const char *list_of(const char *s, const char *header)
{
    const size_t n = strlen(header);
    const char *p = s + strspn(s, " \n\r");

    if (strncmp(p, header, n) == 0 && p[n] == ':') {
        p += n + 1;
        p += strspn(p, " \r");
        return *p == '\n' ? p + 1 : *p == '\0' ? p : NULL;
    }
    return *p == '-' || *p == '\0' ? s : NULL;
}

/* In the built-in template the hook stands inside the section, which has an entry already. */
static int set_secrets(struct variables *v, const char *value, bool built_in, struct error **err)
{
    const char *list = built_in ? list_of(value, "secrets") : value;
    struct text t = {0};

    if (list == NULL) {
        return error_set(err, EINVAL,
                         "SECRETS must be 'secrets:' with a list below, one '- ' a secret; or give "
                         "a --template");
    }
    if (built_in) {
        add_dedented(&t, list);
    } else {
        text_put(&t, list);
    }
    return set_built(v, VAR_SECRETS, &t, err);
}

static int set_injected(struct variables *v, const char *value, bool built_in, struct error **err)
{
    const char *list = built_in ? list_of(value, "injection_files") : value;
    struct text t = {0};

    if (list == NULL) {
        return error_set(err, EINVAL,
                         "INJECTED_FILES must be 'injection_files:' with a list below, one '- ' a "
                         "file; or give a --template");
    }
    if (built_in && list[strspn(list, " \n\r")] != '\0') {
        text_put(&t, "injection_files:\n");
        add_dedented(&t, list);
    } else if (!built_in) {
        text_put(&t, list);
    }
    return set_built(v, VAR_INJECTED_FILES, &t, err);
}

static const char *outside(const struct convert_options *o, const char *name)
{
    const char *s =
        o->get_variable != NULL ? o->get_variable(o->variable_ctx, name, strlen(name)) : NULL;

    return s != NULL ? s : "";
}

static int fill(struct variables *v, const struct session_facts *f, const char *template,
                bool built_in, struct error **err)
{
    char full[POL_NAME_MAX + 1];
    int r = session_full_name(f->namespace, f->name, full, sizeof(full), err);

    r = r < 0 ? r : set_text(v, VAR_NAME, full, err);
    r = r < 0 ? r : set_text(v, VAR_NAMESPACE, f->namespace != NULL ? f->namespace : "", err);
    r = r < 0 ? r : set_text(v, VAR_SESSION, f->name, err);
    r = r < 0 ? r : set_text(v, VAR_SERVICE, f->service, err);
    r = r < 0 ? r : set_hex(v, VAR_MRENCLAVE, f->mrenclave, 32, err);
    r = r < 0 ? r : set_hex(v, VAR_MRSIGNER, f->mrsigner, 32, err);
    r = r < 0 ? r : set_hex(v, VAR_SEALED_ROOT, f->sealed_root, 32, err);
    r = r < 0 ? r : set_hex(v, VAR_SEALING_KEY, f->sealing_key, 32, err);
    r = r < 0 ? r : set_hex(v, VAR_FSPF_TAG, f->sealed_root, 16, err);
    r = r < 0 ? r : set_command(v, f->command, err);
    r = r < 0 ? r : set_env(v, f, template, err);
    r = r < 0 ? r : set_text(v, VAR_PWD, f->pwd, err);
    r = r < 0 ? r : set_user(v, f->user, err);
    r = r < 0 ? r : set_secrets(v, outside(v->o, "SECRETS"), built_in, err);
    r = r < 0 ? r : set_injected(v, outside(v->o, "INJECTED_FILES"), built_in, err);
    return r < 0 ? r : set_text(v, VAR_SECURITY, v->o->security != NULL ? v->o->security : "", err);
}

int session_make(const struct convert_options *o, const struct session_facts *f,
                 struct pol_session **ret, struct error **err)
{
    const char *name = o->template_path != NULL ? o->template_path : "the built-in template";
    _cleanup_variables_ struct variables v = {.o = o};
    const struct pol_variables vars = {.get = get_variable, .ctx = &v};
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ uint8_t *file = NULL;
    const char *text = session_template;
    size_t size = sizeof(session_template) - 1;
    int r = 0;

    if (o->template_path != NULL) {
        r = fs_read_file(o->template_path, POL_TEXT_MAX, &file, &size, err);
        text = (const char *)file;
    }
    r = r < 0 ? r : fill(&v, f, text, o->template_path == NULL, err);
    if (r < 0) {
        return r;
    }
    r = pol_parse(text, size, &vars, &d, ret);
    pol_diags_print(&d, name, stderr);
    if (r == -ENOMEM) {
        return error_set_errno(err, ENOMEM, "making the session");
    }
    if (r < 0) {
        return error_set(err, EINVAL, "%s: %zu error%s in the session (above)", name, d.errors,
                         d.errors == 1 ? "" : "s");
    }
    return 0;
}
