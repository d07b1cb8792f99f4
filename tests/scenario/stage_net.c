/* tests/scenario/stage_net.c -- messages in flight: named, held, lost, cut short, delivered one network delay at a
 * time. */
#include "tests/scenario/stage.h"

#include <stdio.h>
#include <stdlib.h>

void stage_block_name(const struct stage *st, int block, char out[16]) {
    if (block < 0 || block >= st->block_count)
        snprintf(out, 16, "b?");
    else
        snprintf(out, 16, "b%d", block + 1);
}

void stage_prop_note(struct stage *st, const struct cert_prop *prop) {
    struct stage_prop p = {.pid = cert_pid(prop), .view = prop->view, .block = stage_block_find(st, &prop->block_hash)};
    size_t i;
    for (i = 0; i < st->prop_count; i++)
        if (digest_eq(&st->props[i].pid, &p.pid))
            return;
    if (st->prop_count == STAGE_PROPS)
        abort();
    st->props[st->prop_count++] = p;
}

static int stage_pid_block(const struct stage *st, const struct digest *pid) {
    size_t i;
    for (i = 0; i < st->prop_count; i++)
        if (digest_eq(&st->props[i].pid, pid))
            return st->props[i].block;
    return -1;
}

/* What a message is about. */
struct stage_about {
    int type;
    uint64_t view;
    enum cert_type kind;
    int block; /* -1: none */
    uint32_t signer;
    bool again, bare; /* a re-proposal; a PROPOSE that lost its body */
};

static struct stage_about stage_about(struct stage *st, struct slice bytes) {
    struct stage_about a = {.type = bytes.ptr[0], .block = -1};
    struct message m;
    if (a.type == STAGE_GET_BLOCK || a.type == STAGE_BLOCK || a.type == STAGE_RANGE)
        memcpy(&a.block, bytes.ptr + 1, 4);
    if (a.type >= STAGE_GET_BLOCK || message_read(bytes, &m, NULL) != ERR_OK)
        return a;
    a.view = m.view;
    if (m.type == MESSAGE_PROPOSE) {
        stage_prop_note(st, &m.prop);
        a.view = m.prop.view;
        a.block = stage_block_find(st, &m.prop.block_hash);
        a.again = !m.has_header;
        a.bare = m.has_header && m.body.len == 0;
        a.signer = set_leader(&st->set, a.view);
    } else if (m.type == MESSAGE_CERT) {
        if (m.cert.type != CERT_NULLIFY)
            stage_prop_note(st, &m.cert.prop);
        a.view = m.cert.view;
        a.kind = m.cert.type;
        a.block = m.cert.type == CERT_NULLIFY ? -1 : stage_block_find(st, &m.cert.prop.block_hash);
    } else if (m.type == MESSAGE_GET_CERT) {
        a.kind = m.kind;
    } else if (m.type != MESSAGE_STATUS) {
        a.view = m.vote.view;
        a.signer = m.vote.signer;
        a.block = m.vote.type == CERT_NULLIFY ? -1 : stage_pid_block(st, &m.vote.pid);
    }
    return a;
}

void stage_name(struct stage *st, struct slice bytes, char out[80]) {
    static const char *const core[] = {"?", "propose", "notarize", "finalize", "nullify", "cert", "status", "get_cert"};
    static const char *const host[] = {"get_block", "block", "get_range", "range", "batch"};
    static const char *const kinds[] = {"", " notarize", " finalize", " nullify"};
    struct stage_about a = stage_about(st, bytes);
    char block[16] = "", view[24] = "";
    if (a.block >= 0)
        stage_block_name(st, a.block, block);
    if (a.view)
        snprintf(view, sizeof view, " v%llu", (unsigned long long)a.view);
    snprintf(out, 80, "%s%s%s%s%s%s",
             a.type >= STAGE_GET_BLOCK ? host[a.type - STAGE_GET_BLOCK] : core[a.type <= MESSAGE_GET_CERT ? a.type : 0],
             kinds[a.kind], view, *block ? " " : "", block,
             a.again  ? " again"
             : a.bare ? " without body"
                      : "");
}

bool stage_match(struct stage *st, const struct stage_filter *f, const struct stage_flight *m) {
    struct stage_about a = stage_about(st, slice_of(m->bytes.ptr, m->bytes.len));
    return (!f->type || f->type == a.type) && (!f->from || (f->from >> m->from & 1u)) &&
           (!f->to || (f->to >> m->to & 1u)) && (!f->view || f->view == a.view) && (!f->kind || f->kind == a.kind) &&
           (f->block < 0 || f->block == a.block);
}

/* Own votes are told when they leave, and compared: durable first, and always the same bytes. */
static void stage_check_sent(struct stage *st, uint32_t from, struct slice bytes) {
    static const enum core_record_type record[] = {0, CORE_RECORD_PROPOSAL, CORE_RECORD_OWN_NOTARIZE,
                                                   CORE_RECORD_OWN_FINALIZE, CORE_RECORD_OWN_NULLIFY};
    struct stage_node *node = st->nodes[from];
    struct stage_about a = stage_about(st, bytes);
    struct digest d = digest_of(bytes);
    bool durable = node->up && a.view <= core_final_view(node->core);
    char name[80];
    size_t i;
    if (a.type > MESSAGE_NULLIFY || a.signer != from)
        return;
    stage_name(st, bytes, name);
    for (i = 0; i < node->disk.count; i++) {
        const struct stage_record *r = &node->disk.records[i];
        if (r->view == a.view && r->type == record[a.type])
            durable |= a.type == MESSAGE_PROPOSE || slice_eq(bytes, slice_of(r->bytes.ptr, r->bytes.len));
    }
    if (!durable)
        stage_say(st, "BROKEN %u: %s leaves before it is durable", from, name);
    for (i = 0; i < st->sent_count; i++) {
        const struct stage_sent *s = &st->sent[i];
        if (s->node != from || s->view != a.view || s->type != (enum message_type)a.type)
            continue;
        if (a.type != MESSAGE_PROPOSE && !digest_eq(&s->bytes, &d))
            stage_say(st, "BROKEN %u: another %s than before", from, name);
        stage_say(st, "%u repeats %s", from, name);
        return;
    }
    if (st->sent_count == STAGE_SENT)
        abort();
    st->sent[st->sent_count++] = (struct stage_sent){from, d, a.view, (enum message_type)a.type};
    stage_say(st, "%u %s", from, name);
}

/* False: the message is lost. */
static bool stage_rules(struct stage *st, struct stage_flight *m) {
    size_t i;
    for (i = 0; i < st->rule_count; i++) {
        if (!stage_match(st, &st->rules[i].filter, m))
            continue;
        if (st->rules[i].what == STAGE_RULE_LOSE)
            return false;
        if (st->rules[i].what == STAGE_RULE_HOLD)
            m->held = true;
        else if (m->bytes.ptr[0] == MESSAGE_PROPOSE && m->bytes.len > 4)
            m->bytes.len -= 4;
    }
    return true;
}

static void stage_put(struct stage *st, struct stage_flight m, bool first) {
    if (!stage_rules(st, &m)) {
        free(m.bytes.ptr);
        return;
    }
    if (st->flight_count == STAGE_FLIGHT)
        abort();
    if (first)
        memmove(st->flight + 1, st->flight, st->flight_count * sizeof m);
    st->flight[first ? 0 : st->flight_count] = m;
    st->flight_count++;
}

void stage_send(struct stage *st, uint32_t from, int to, struct slice bytes, bool first) {
    uint32_t i;
    stage_check_sent(st, from, bytes);
    for (i = 0; i < st->set.n; i++)
        if (i != from && (to == CORE_TO_ALL || to == (int)i))
            stage_put(st, (struct stage_flight){from, i, stage_copy(bytes), false}, first);
}

void stage_rule(struct stage *st, int what, const struct stage_filter *f) {
    size_t i;
    if (st->rule_count == STAGE_RULES)
        abort();
    st->rules[st->rule_count] = (struct stage_rule){.filter = *f};
    st->rules[st->rule_count].what = what;
    st->rule_count++;
    for (i = 0; i < st->flight_count; i++) /* what is under way already is meant too */
        if (what == STAGE_RULE_HOLD && stage_match(st, f, &st->flight[i]))
            st->flight[i].held = true;
    if (what == STAGE_RULE_LOSE)
        (void)stage_drop(st, f);
}

void stage_heal(struct stage *st) {
    size_t i;
    st->rule_count = 0;
    for (i = 0; i < st->flight_count; i++)
        st->flight[i].held = false;
}

bool stage_deliver(struct stage *st, const struct stage_filter *f) {
    struct stage_flight *now = calloc(st->flight_count + 1, sizeof *now);
    size_t i, count = 0, kept = 0;
    if (!now)
        abort();
    for (i = 0; i < st->flight_count; i++)
        if (!st->flight[i].held && stage_match(st, f, &st->flight[i]))
            now[count++] = st->flight[i];
        else
            st->flight[kept++] = st->flight[i];
    st->flight_count = kept;
    for (i = 0; i < count; i++) {
        stage_recv(st, &now[i]);
        stage_settle(st);
        free(now[i].bytes.ptr);
    }
    free(now);
    return count > 0 && st->steps < STAGE_STEPS;
}

size_t stage_drop(struct stage *st, const struct stage_filter *f) {
    size_t i, kept = 0, count = st->flight_count;
    for (i = 0; i < count; i++)
        if (stage_match(st, f, &st->flight[i]))
            free(st->flight[i].bytes.ptr);
        else
            st->flight[kept++] = st->flight[i];
    st->flight_count = kept;
    return count - kept;
}

void stage_relay(struct stage *st, const struct stage_filter *f, uint32_t by, uint32_t to, bool strip) {
    size_t i;
    for (i = 0; i < st->flight_count; i++) {
        struct stage_flight m = st->flight[i];
        if (!stage_match(st, f, &m))
            continue;
        m = (struct stage_flight){by, to, stage_copy(slice_of(m.bytes.ptr, m.bytes.len - (strip ? 4 : 0))), false};
        stage_put(st, m, true);
        return;
    }
    stage_say(st, "nothing to relay");
}

void stage_flight_show(struct stage *st) {
    bool *told = calloc(st->flight_count + 1, sizeof *told);
    size_t i, k;
    for (i = 0; i < st->flight_count && told; i++) {
        char name[80], other[80], links[300] = "";
        size_t at = 0;
        if (told[i])
            continue;
        stage_name(st, slice_of(st->flight[i].bytes.ptr, st->flight[i].bytes.len), name);
        for (k = i; k < st->flight_count; k++) {
            const struct stage_flight *m = &st->flight[k];
            stage_name(st, slice_of(m->bytes.ptr, m->bytes.len), other);
            if (told[k] || strcmp(name, other) != 0 || at + 12 > sizeof links)
                continue;
            told[k] = true;
            at += (size_t)snprintf(links + at, sizeof links - at, " %u>%u%s", m->from, m->to, m->held ? " held" : "");
        }
        stage_say(st, "%s:%s", name, links);
    }
    if (st->flight_count == 0)
        stage_say(st, "nothing in flight");
    free(told);
}
