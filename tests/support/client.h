/* tests/support/client.h -- for short-lived programs that speak to a node under test and then exit: what they hold at
 * exit is the system's to take back, so the sanitizer looks for leaks in nodes and unit tests only, not in them. */
#ifndef TESTS_SUPPORT_CLIENT_H
#define TESTS_SUPPORT_CLIENT_H

const char *__asan_default_options(void); /* named by the sanitizer */
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

#endif
