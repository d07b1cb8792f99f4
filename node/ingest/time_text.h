/* node/ingest/time_text.h -- the time that a log states, as ms since 1970 UTC; nothing is guessed.
 * Formats: "rfc3339" (T or blank, fraction, Z or offset) · "epoch_s" (fraction allowed) · "epoch_ms" · a pattern:
 *   %Y %m %d %e %H %M %S  %f fraction of a second  %b Jan  %B January  %y 00-68: 20xx  %z Z or +08:00 or +0800
 *   %F %Y-%m-%d  %T %H:%M:%S  %a %A a day's name, ignored  %s epoch seconds  %%   a blank: any run of blanks
 * A pattern without %z needs a zone; one without a year, month and day is refused. Pure. */
#ifndef NODE_INGEST_TIME_TEXT_H
#define NODE_INGEST_TIME_TEXT_H

#include "wire/err.h"
#include "wire/slice.h"

enum time_text_kind { TIME_TEXT_RFC3339 = 1, TIME_TEXT_EPOCH_S, TIME_TEXT_EPOCH_MS, TIME_TEXT_PATTERN };

struct time_text {
    enum time_text_kind kind;
    struct slice pattern; /* borrowed */
    bool zoned;           /* a zone is configured */
    int32_t zone_min;     /* minutes east of UTC */
};

/* zone: absent, "UTC", "Z" or "+08:00". MALFORMED says what is wrong. */
enum err_code time_text_compile(struct slice format, struct slice zone, struct time_text *out,
                                struct err *e) ERR_CHECKED;
/* MALFORMED without a byte of the text in its words. */
enum err_code time_text_parse(const struct time_text *t, struct slice text, int64_t *ms, struct err *e) ERR_CHECKED;
bool time_text_zone(struct slice zone, int32_t *minutes);

#endif
