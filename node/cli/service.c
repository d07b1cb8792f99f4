/* node/cli/service.c -- see service.h. */
#include "node/cli/service.h"

#include "node/cli/out.h"
#include "wire/limits.h"

#include <stdlib.h>
#include <time.h>

enum err_code service_ask(struct cli *c, struct client *cl, const char *method, const struct schema *in,
                          const void *params, const struct schema *out, void *answer, struct service_call *call,
                          struct err *e) {
    enum err_code rc;
    buf_init(&call->params, LIMIT_MESSAGE);
    buf_init(&call->answer, LIMIT_MESSAGE);
    arena_init(&call->arena, 64 << 20);
    schema_write(in, params, &call->params);
    if ((rc = buf_check(&call->params, e)) == ERR_OK)
        rc = client_ask(cl, method, buf_slice(&call->params), &call->answer, e);
    if (rc == ERR_OK && c->json)
        rc = out_json(c, buf_slice(&call->answer), e);
    return rc == ERR_OK ? schema_read(out, buf_slice(&call->answer), &call->arena, answer, e) : rc;
}

enum err_code service_once(struct cli *c, const char *method, const struct schema *in, const void *params,
                           const struct schema *out, void *answer, struct service_call *call, struct err *e) {
    struct client cl = {.self = NULL};
    enum err_code rc;
    buf_init(&call->params, LIMIT_MESSAGE);
    buf_init(&call->answer, LIMIT_MESSAGE);
    arena_init(&call->arena, 64 << 20);
    if ((rc = client_open(c, &cl, e)) != ERR_OK)
        return rc;
    rc = service_ask(c, &cl, method, in, params, out, answer, call, e);
    client_close(&cl);
    return rc;
}

void service_done(struct service_call *call) {
    buf_release(&call->params);
    buf_release(&call->answer);
    arena_release(&call->arena);
}

const char *service_time(int64_t ms, char out[SERVICE_TIME]) {
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    size_t n;
    if (ms <= 0 || !gmtime_r(&s, &tm)) {
        snprintf(out, SERVICE_TIME, "-");
        return out;
    }
    n = strftime(out, SERVICE_TIME, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + n, SERVICE_TIME - n, ".%03d", (int)(ms % 1000));
    return out;
}

enum err_code service_duration(const char *text, const char *what, uint64_t *ms, struct err *e) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;
    unsigned long long v = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    for (size_t i = 0; end && v <= 36600 && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ms = v * units[i].ms;
            return ERR_OK;
        }
    for (size_t i = 0; end && i < 2; i++) /* long ones in small units */
        if (strcmp(end, units[i].unit) == 0 && v < 3000000000ULL) {
            *ms = v * units[i].ms;
            return ERR_OK;
        }
    return err_set(e, ERR_USAGE, "%s \"%s\" is no duration: 500ms, 90s, 5m, 2h, 7d", what, text);
}

static int service_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool service_hex(const char *text, uint8_t *out, size_t len) {
    size_t n = 0;
    for (; *text; text++) {
        int d = service_digit(*text);
        if (*text == '-')
            continue;
        if (d < 0 || n >= 2 * len)
            return false;
        out[n / 2] = (uint8_t)(n % 2 ? (out[n / 2] | d) : d << 4);
        n++;
    }
    return n == 2 * len;
}

void service_hex_text(const uint8_t *bytes, size_t len, char *out) {
    for (size_t i = 0; i < len; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}
