/* SPDX-License-Identifier: MIT */
/*
 * The characters of a script, one token at a time. What a token is depends on where it stands
 * (`1:1001(1000)`, `P.`,
 * `+.1`), so the parser asks for the kind that it expects, and the first error is kept.
 */
#ifndef TS_TESTS_PKT_LEXER_H
#define TS_TESTS_PKT_LEXER_H

#include "tests/pkt/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lexer {
    const char *start, *p;
    struct arena *arena;
    const char *error; /**< the first one, with its line; NULL: none */
};

/** Note an error, if it is the first. Returns false, for the caller to return. */
bool lex_error(struct lexer *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The line (from 1) that holds `at`. */
int lex_line(const struct lexer *l, const char *at);
/** Skip white space and comments (slash-slash, slash-star, and # at the start of a line). */
void lex_space(struct lexer *l);
/** After white space: is `s` next? Then step over it. */
bool lex_accept(struct lexer *l, const char *s);
/** As lex_accept, for a whole word: no letter or digit follows. */
bool lex_keyword(struct lexer *l, const char *s);
/** As lex_accept, but an error when it is not there. */
bool lex_expect(struct lexer *l, const char *s);
/** A word of letters, digits and _; returns its length, 0: none. */
size_t lex_word(struct lexer *l, const char **word);
/** An unsigned number, decimal or 0x. */
bool lex_number(struct lexer *l, uint64_t *out);
/** As lex_number, at most `max`. */
bool lex_number_max(struct lexer *l, uint64_t max, uint64_t *out);
/** Seconds with a fraction, as microseconds. */
bool lex_seconds(struct lexer *l, int64_t *us);
/** The text up to `end`, which is stepped over. */
bool lex_until(struct lexer *l, const char *end, char **out);

#endif
