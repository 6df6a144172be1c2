/* SPDX-License-Identifier: MIT */
/*
 * `tapstack run`: start an unmodified program on our TCP.
 */
#ifndef TS_CLIENT_RUN_RUN_H
#define TS_CLIENT_RUN_RUN_H

/** argv[0] is "run". Returns an exit status only when the program was not started: 125 our own
 * failure, 126 it cannot be executed, 127 it was not found (as env(1)). */
int run_main(int argc, char **argv);

#endif
