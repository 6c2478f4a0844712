/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdarg.h>

#include "libos/lib/kvprintf.h"
#include "libos/libos.h"

/* Where the text goes: counts everything, stores what fits before the last byte. */
struct out {
    char *dst;
    size_t size;
    size_t len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size) {
        o->dst[o->len] = c;
    }
    o->len++;
}

struct spec {
    bool zero;
    bool left;
    int width;
    int precision; /* -1: none */
};

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    const size_t width = s->width > 0 ? (size_t)s->width : 0;

    for (size_t i = len; !s->left && i < width; i++) {
        put(o, ' ');
    }
    for (size_t i = 0; i < len; i++) {
        put(o, text[i]);
    }
    for (size_t i = len; s->left && i < width; i++) {
        put(o, ' ');
    }
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool minus,
                       const char *prefix)
{
    char text[72];
    size_t at = sizeof(text);
    size_t digits = 0;

    do {
        text[--at] = "0123456789abcdef"[v % base];
        v /= base;
        digits++;
    } while (v != 0);
    if (s->zero && !s->left) {
        const size_t used = (minus ? 1u : 0u) + __builtin_strlen(prefix);

        while (digits + used < (size_t)s->width && digits < 64) {
            text[--at] = '0';
            digits++;
        }
    }
    for (size_t i = __builtin_strlen(prefix); i > 0; i--) {
        text[--at] = prefix[i - 1];
    }
    if (minus) {
        text[--at] = '-';
    }
    put_padded(o, s, text + at, sizeof(text) - at);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    size_t len = 0;

    if (text == NULL) {
        text = "(null)";
    }
    while ((s->precision < 0 || len < (size_t)s->precision) && text[len] != '\0') {
        len++;
    }
    put_padded(o, s, text, len);
}

/* Flags, width and precision; returns the text behind them. */
static const char *read_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '0') {
            s->zero = true;
        } else if (*f == '-') {
            s->left = true;
        } else {
            break;
        }
    }
    for (; *f >= '0' && *f <= '9' && s->width < 1000; f++) {
        s->width = s->width * 10 + (*f - '0');
    }
    if (*f == '.') {
        f++;
        s->precision = 0;
        if (*f == '*') {
            s->precision = va_arg(*ap, int);
            return f + 1;
        }
        for (; *f >= '0' && *f <= '9' && s->precision < 100000; f++) {
            s->precision = s->precision * 10 + (*f - '0');
        }
    }
    return f;
}

/* One directive; returns the text behind it. */
static const char *directive(struct out *o, const char *f, va_list *ap)
{
    struct spec s;
    bool wide = false;

    f = read_spec(f, &s, ap);
    while (*f == 'l' || *f == 'z' || *f == 'j') {
        wide = true;
        f++;
    }
    switch (*f) {
    case 'd':
    case 'i': {
        const int64_t v = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);

        put_number(o, &s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0, "");
        break;
    }
    case 'u':
    case 'x':
    case 'o': {
        const uint64_t v = wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);

        put_number(o, &s, v, *f == 'u' ? 10 : *f == 'x' ? 16 : 8, false, "");
        break;
    }
    case 'p': put_number(o, &s, (uint64_t)va_arg(*ap, void *), 16, false, "0x"); break;
    case 's': put_string(o, &s, va_arg(*ap, const char *)); break;
    case 'c': put(o, (char)va_arg(*ap, int)); break;
    case '%': put(o, '%'); break;
    case '\0': return f;
    default:
        put(o, '%');
        put(o, *f);
        break;
    }
    return f + 1;
}

int kvprintf(char *dst, size_t size, const char *fmt, va_list ap)
{
    struct out o = {.dst = dst, .size = size};
    va_list copy;

    va_copy(copy, ap);
    while (*fmt != '\0') {
        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt = directive(&o, fmt + 1, &copy);
    }
    va_end(copy);
    if (size > 0) {
        dst[MIN(o.len, size - 1)] = '\0';
    }
    return (int)o.len;
}

int kprintf(char *dst, size_t size, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = kvprintf(dst, size, fmt, ap);
    va_end(ap);
    return r;
}
