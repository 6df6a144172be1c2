/* SPDX-License-Identifier: MIT */
/* What the parts of the parser (recursive descent over lexer.h) call of each other. Each returns
 * false after lex_error(). */
#ifndef TS_TESTS_PKT_PARSE_H
#define TS_TESTS_PKT_PARSE_H

#include "tests/pkt/ast.h"
#include "tests/pkt/lexer.h"

/** parse_packet.c: what follows '<' or '>'. */
bool parse_packet(struct lexer *l, bool out, struct pkt_packet **packet);
/** parse_options.c: `<mss 1460,nop,…>`, if there is one. */
bool parse_tcp_options(struct lexer *l, struct pkt_packet *p);
/** parse_call.c: name(arguments) = result ERRNO (note). */
bool parse_call(struct lexer *l, struct call_spec *call);
/** parse_call.c: a number, or names and numbers joined by |. */
bool parse_value(struct lexer *l, int64_t *value);

#endif
