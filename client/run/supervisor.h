/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: a process beside the program that serves its socket calls (seccomp user
 * notification), for programs into which nothing can be loaded.
 *
 * It is nobody's child that could be waited for, has no terminal and none of the program's
 * descriptors, and ends when the last process under the filter has ended.
 */
#ifndef TS_CLIENT_RUN_SUPERVISOR_H
#define TS_CLIENT_RUN_SUPERVISOR_H

/**
 * Put this process, and all that it will start, under supervision. Returns 0 (also when it was
 * before), or a negative errno value, having said why on stderr.
 */
int supervisor_start(void);

#endif
