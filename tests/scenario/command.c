/* tests/scenario/command.c -- the words of a scenario file:
 *
 *   cluster n=4 k=2 regulators=2 delta=100   begins; member v-1 mod n leads view v; the last members are regulators
 *   entry NODES ID             the entry arrives there; it goes to the leader at once, to all after delta, and again
 *   pool NODES ID...           the entry is in these pools, nothing is forwarded
 *   deliver [FILTER]           one network delay: what is in flight, and not held, arrives
 *   settle                     deliver until nothing is in flight; no time passes
 *   tick MS                    time passes, timers fire, nothing arrives
 *   run MS                     time passes, timers fire, everything arrives without delay
 *   drop FILTER                takes messages away; says how many
 *   hold | lose | strip FILTER from now on such messages stay in flight, vanish, or lose their body (PROPOSE)
 *   heal                       ends all of these
 *   relay FILTER by=NODE for=NODE [strip]     the first such message once more, from another sender, arriving next
 *   crash | restart NODES      what was not synced is lost; START with what was
 *   sync off|on|now NODES      by hand or at once; now: one transaction is synced
 *   judge ok|bad|later|now NODES   the answers to validations; now: the late ones, ok
 *   build off|now NODES        builds are answered by hand
 *   peer up|down NODE NODES    the first sees the others' connections come or go
 *   break RULE NODES           a broken rule of struct core_mutation: these are liars, as from their next restart
 *   forge TYPE by=NODES to=NODES view=V [block=B|entries=ID,..] [on=VIEW] [kind=K] [epoch=E]
 * [other=channel|set|root|sig] a message made with the real keys (cert: `by` are its signers) arrives there show
 * [NODES] | flight | disk NODES
 *
 * NODES: all, or numbers with commas. FILTER: a type, from=NODES, to=NODES, view=V, kind=K, block=B, in any order.
 * Events are told as they happen; `#` begins a comment. */
#include "tests/scenario/command.h"

#include <stdio.h>
#include <stdlib.h>

enum { COMMAND_WORDS = 24 };

struct command {
    struct stage *st;
    char *word[COMMAND_WORDS];
    int count;
    const char *wrong;
};

static const char *const command_types[] = {"",        "propose", "notarize", "finalize",
                                            "nullify", "cert",    "status",   "get_cert"};
static const char *const command_host[] = {"get_block", "block", "get_range", "range", "batch"};

static int command_type(const char *word) {
    int i;
    for (i = 1; i <= MESSAGE_GET_CERT; i++)
        if (strcmp(word, command_types[i]) == 0)
            return i;
    for (i = STAGE_GET_BLOCK; i < STAGE_TYPES; i++)
        if (strcmp(word, command_host[i - STAGE_GET_BLOCK]) == 0)
            return i;
    return 0;
}

static enum cert_type command_kind(struct command *c, const char *word) {
    int t = command_type(word);
    if (t == MESSAGE_NOTARIZE)
        return CERT_NOTARIZE;
    if (t == MESSAGE_FINALIZE)
        return CERT_FINALIZE;
    if (t != MESSAGE_NULLIFY)
        c->wrong = "unknown kind of certificate";
    return CERT_NULLIFY;
}

static uint64_t command_number(struct command *c, const char *word) {
    char *end;
    uint64_t n = strtoull(word, &end, 10);
    if (end == word || *end)
        c->wrong = "not a number";
    return n;
}

static uint32_t command_nodes(struct command *c, const char *word) {
    uint32_t all = (1u << c->st->set.n) - 1u, bits = 0;
    char *end;
    if (strcmp(word, "all") == 0)
        return all;
    for (;; word = end + 1) {
        unsigned long n = strtoul(word, &end, 10);
        if (end == word || n >= c->st->set.n) {
            c->wrong = "no such node";
            return 0;
        }
        bits |= 1u << n;
        if (*end != ',')
            return bits;
    }
}

/* Value of KEY=VALUE, or NULL. */
static const char *command_value(const char *word, const char *key) {
    size_t len = strlen(key);
    return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static int command_block(struct command *c, const char *word) {
    uint64_t n = *word == 'b' ? command_number(c, word + 1) : 0;
    if (n < 1 || n > (uint64_t)c->st->block_count) {
        c->wrong = "no such block";
        return 0;
    }
    return (int)n - 1;
}

static uint64_t command_entry(struct command *c, const char *word) {
    uint64_t n = command_number(c, word);
    if (n > 63)
        c->wrong = "entries are 0 to 63";
    return 1ULL << (n & 63);
}

static struct stage_filter command_filter(struct command *c, int first) {
    struct stage_filter f = {.block = -1};
    const char *v;
    int i;
    for (i = first; i < c->count; i++) {
        if ((v = command_value(c->word[i], "from")))
            f.from = command_nodes(c, v);
        else if ((v = command_value(c->word[i], "to")))
            f.to = command_nodes(c, v);
        else if ((v = command_value(c->word[i], "view")))
            f.view = command_number(c, v);
        else if ((v = command_value(c->word[i], "kind")))
            f.kind = command_kind(c, v);
        else if ((v = command_value(c->word[i], "block")))
            f.block = command_block(c, v);
        else if (!command_value(c->word[i], "by") && !command_value(c->word[i], "for") &&
                 strcmp(c->word[i], "strip") != 0 && !(f.type = command_type(c->word[i])))
            c->wrong = "unknown word of a filter";
    }
    return f;
}

static void command_cluster(struct command *c) {
    uint32_t n = 4, k = 0, regulators = 0, delta = 100;
    const char *v;
    int i;
    for (i = 1; i < c->count; i++) {
        uint32_t *out = (v = command_value(c->word[i], "n"))            ? &n
                        : (v = command_value(c->word[i], "k"))          ? &k
                        : (v = command_value(c->word[i], "regulators")) ? &regulators
                        : (v = command_value(c->word[i], "delta"))      ? &delta
                                                                        : NULL;
        if (out)
            *out = (uint32_t)command_number(c, v);
        else
            c->wrong = "unknown word of cluster";
    }
    if (c->wrong || n < 4 || n > LIMIT_VALIDATORS || regulators > n || k > regulators) {
        c->wrong = "cluster: n 4 to 16, k <= regulators <= n";
        return;
    }
    stage_free(c->st);
    c->st = stage_new(n, k, regulators, delta);
    buf_clear(&c->st->out); /* that all start in view 1 is no news */
}

static void command_pool(struct command *c, bool forward) {
    uint32_t nodes = command_nodes(c, c->word[1]), i;
    uint64_t entries = 0;
    int k;
    for (k = 2; k < c->count; k++)
        entries |= command_entry(c, c->word[k]);
    for (i = 0; i < c->st->set.n; i++)
        if (nodes >> i & 1u)
            stage_pool(c->st, i, entries, forward);
    stage_settle(c->st);
}

static void command_time(struct command *c, bool deliver) {
    const struct stage_filter any = {.block = -1};
    struct stage *st = c->st;
    uint64_t end = st->now + command_number(c, c->word[1]), at;
    while (st->steps < STAGE_STEPS) {
        while (deliver && stage_deliver(st, &any)) {
        }
        if (!stage_due(st, &at) || at > end)
            break;
        st->now = at > st->now ? at : st->now;
        stage_tick(st);
    }
    st->now = end;
}

static void command_sync(struct command *c, uint32_t i) {
    struct stage_node *node = c->st->nodes[i];
    if (strcmp(c->word[1], "now") == 0) {
        if (node->up)
            stage_sync(c->st, i);
    } else if (strcmp(c->word[1], "off") == 0 || strcmp(c->word[1], "on") == 0) {
        node->manual_sync = strcmp(c->word[1], "off") == 0;
    } else {
        c->wrong = "sync off, on or now";
    }
}

static void command_judge(struct command *c, uint32_t i) {
    struct stage_node *node = c->st->nodes[i];
    int b;
    if (strcmp(c->word[1], "now") == 0) {
        for (b = 0; b < c->st->block_count; b++)
            if (node->judged[b]) {
                node->judged[b] = false;
                node->has[b] = node->valid[b] = true;
                node->ops[node->op_count++] = (struct stage_op){.kind = STAGE_OP_BLOCK, .block = b};
                stage_later(c->st,
                            (struct stage_todo){.node = i, .type = CORE_EVENT_VALIDATED, .block = b, .ok = true});
            }
    } else if (strcmp(c->word[1], "ok") == 0) {
        node->judge = STAGE_JUDGE_OK;
    } else if (strcmp(c->word[1], "bad") == 0) {
        node->judge = STAGE_JUDGE_BAD;
    } else if (strcmp(c->word[1], "later") == 0) {
        node->judge = STAGE_JUDGE_LATER;
    } else {
        c->wrong = "judge ok, bad, later or now";
    }
}

static void command_build(struct command *c, uint32_t i) {
    struct stage_node *node = c->st->nodes[i];
    node->manual_build = strcmp(c->word[1], "off") == 0;
    if (!node->manual_build && node->up && node->build.wanted)
        stage_later(c->st, (struct stage_todo){.node = i, .type = CORE_EVENT_PAYLOAD, .build = node->build});
    node->build.wanted = false;
}

static void command_break(struct command *c, uint32_t i) {
    struct core_mutation *m = &c->st->nodes[i]->mutation;
    bool *rule = strcmp(c->word[1], "no_null_check") == 0            ? &m->no_null_check
                 : strcmp(c->word[1], "notarize_after_nullify") == 0 ? &m->notarize_after_nullify
                 : strcmp(c->word[1], "finalize_after_nullify") == 0 ? &m->finalize_after_nullify
                 : strcmp(c->word[1], "propose_low") == 0            ? &m->propose_low
                                                                     : NULL;
    if (rule)
        *rule = true;
    else
        c->wrong = "unknown rule";
}

static void command_crash(struct command *c, uint32_t i) {
    if (c->st->nodes[i]->up)
        stage_crash(c->st, i);
}

static void command_restart(struct command *c, uint32_t i) {
    if (!c->st->nodes[i]->up)
        stage_start(c->st, i);
}

static void command_peer(struct command *c) {
    uint32_t at = (uint32_t)command_number(c, c->word[2]), nodes = command_nodes(c, c->word[3]), i;
    for (i = 0; i < c->st->set.n && at < c->st->set.n; i++)
        if ((nodes >> i & 1u) && c->st->nodes[at]->up) {
            struct core_event ev = {.type = CORE_EVENT_PEER, .u.peer = {i, strcmp(c->word[1], "up") == 0}};
            stage_step(c->st, at, &ev, CORE_TO_ALL);
            stage_settle(c->st);
        }
}

static void command_relay(struct command *c) {
    struct stage_filter f = command_filter(c, 1);
    uint32_t by = 0, to = 0;
    bool strip = false;
    const char *v;
    int i;
    for (i = 1; i < c->count; i++) {
        if ((v = command_value(c->word[i], "by")))
            by = (uint32_t)command_number(c, v);
        if ((v = command_value(c->word[i], "for")))
            to = (uint32_t)command_number(c, v);
        strip |= strcmp(c->word[i], "strip") == 0;
    }
    if (!c->wrong)
        stage_relay(c->st, &f, by % c->st->set.n, to % c->st->set.n, strip);
}

static void command_forge(struct command *c) {
    struct stage_forge f = {.type = command_type(c->word[1]), .block = -1};
    uint64_t entries = 0;
    const char *v;
    char *end;
    int i;
    for (i = 2; i < c->count && !c->wrong; i++) {
        if ((v = command_value(c->word[i], "by")))
            f.by = command_nodes(c, v);
        else if ((v = command_value(c->word[i], "to")))
            f.to = command_nodes(c, v);
        else if ((v = command_value(c->word[i], "view")))
            f.view = command_number(c, v);
        else if ((v = command_value(c->word[i], "on")))
            f.parent_view = command_number(c, v);
        else if ((v = command_value(c->word[i], "epoch")))
            f.epoch = command_number(c, v);
        else if ((v = command_value(c->word[i], "kind")))
            f.kind = command_kind(c, v);
        else if ((v = command_value(c->word[i], "block")))
            f.block = command_block(c, v);
        else if ((v = command_value(c->word[i], "entries")))
            for (end = NULL; !end || *end == ','; v = end + 1)
                entries |= 1ULL << (strtoul(v, &end, 10) & 63);
        else if ((v = command_value(c->word[i], "other"))) {
            f.other_channel |= strcmp(v, "channel") == 0;
            f.other_set |= strcmp(v, "set") == 0;
            f.other_root |= strcmp(v, "root") == 0;
            f.bad_sig |= strcmp(v, "sig") == 0;
        } else if (strcmp(c->word[i], "strip") == 0)
            f.strip = true;
        else
            c->wrong = "unknown word of forge";
    }
    if (entries)
        f.block = stage_block_make(c->st, f.block, entries);
    if (!f.type || f.type > MESSAGE_GET_CERT || !f.by || !f.to ||
        (f.block < 0 && (f.type < MESSAGE_NULLIFY || (f.type == MESSAGE_CERT && f.kind != CERT_NULLIFY))))
        c->wrong = "forge: a type, by=, to=, and what it is about";
    if (!c->wrong)
        stage_forge(c->st, &f);
}

static void command_show(struct command *c) {
    uint32_t nodes = command_nodes(c, c->count > 1 ? c->word[1] : "all"), i;
    struct stage *st = c->st;
    for (i = 0; i < st->set.n; i++) {
        const struct stage_node *node = st->nodes[i];
        char block[16] = "genesis", timer[40] = "silent";
        if (!(nodes >> i & 1u))
            continue;
        if (!node->up) {
            stage_say(st, "%u: down", i);
            continue;
        }
        if (node->final >= 0)
            stage_block_name(st, node->final, block);
        if (node->deadline != UINT64_MAX)
            snprintf(timer, sizeof timer, "timer in %llu",
                     (unsigned long long)(node->deadline > st->now ? node->deadline - st->now : 0));
        stage_say(st, "%u: view %llu, leader %u, final %s, tip height %llu, %s%s", i,
                  (unsigned long long)core_view(node->core), core_leader(node->core), block,
                  (unsigned long long)core_tip_height(node->core), timer, node->halted ? ", halted" : "");
    }
}

static void command_disk(struct command *c, uint32_t i) {
    static const char *const names[] = {"",        "proposal",      "notarize",     "finalize",
                                        "nullify", "CERT notarize", "CERT nullify", "CERT finalize"};
    const struct stage_disk *d = &c->st->nodes[i]->disk;
    char block[16] = "genesis";
    int type;
    uint64_t v;
    size_t k;
    if (d->final >= 0)
        stage_block_name(c->st, d->final, block);
    stage_say(c->st, "%u: final %s", i, block);
    for (v = 1; v < 64; v++) {
        char line[200] = "";
        size_t at = 0;
        for (type = 1; type <= CORE_RECORD_CERT_FINALIZE; type++)
            for (k = 0; k < d->count; k++)
                if (d->records[k].view == v && (int)d->records[k].type == type)
                    at += (size_t)snprintf(line + at, sizeof line - at, "%s%s", at ? ", " : "", names[type]);
        if (at)
            stage_say(c->st, "   v%llu: %s", (unsigned long long)v, line);
    }
}

/* Commands of the form NAME [WORD] NODES, one node after another. */
static bool command_each(struct command *c) {
    static const struct {
        const char *name;
        int words;
        void (*run)(struct command *, uint32_t);
    } each[] = {{"crash", 2, command_crash}, {"restart", 2, command_restart}, {"sync", 3, command_sync},
                {"judge", 3, command_judge}, {"build", 3, command_build},     {"break", 3, command_break},
                {"disk", 2, command_disk}};
    size_t k;
    uint32_t i, nodes;
    for (k = 0; k < sizeof each / sizeof each[0]; k++) {
        if (strcmp(c->word[0], each[k].name) != 0)
            continue;
        if (c->count != each[k].words) {
            c->wrong = "too few or too many words";
            return true;
        }
        nodes = command_nodes(c, c->word[c->count - 1]);
        for (i = 0; i < c->st->set.n; i++)
            if (nodes >> i & 1u)
                each[k].run(c, i);
        stage_settle(c->st);
        return true;
    }
    return false;
}

static void command_dispatch(struct command *c) {
    const struct stage_filter any = {.block = -1};
    const char *name = c->word[0];
    struct stage_filter f;
    bool rule = strcmp(name, "hold") == 0 || strcmp(name, "lose") == 0 || strcmp(name, "strip") == 0;
    if (strcmp(name, "cluster") == 0) {
        command_cluster(c);
    } else if (!c->st) {
        c->wrong = "cluster comes first";
    } else if (command_each(c)) {
        return;
    } else if ((strcmp(name, "entry") == 0 || strcmp(name, "pool") == 0) && c->count >= 3) {
        command_pool(c, *name == 'e');
    } else if ((strcmp(name, "tick") == 0 || strcmp(name, "run") == 0) && c->count == 2) {
        command_time(c, *name == 'r');
    } else if (strcmp(name, "settle") == 0) {
        while (stage_deliver(c->st, &any)) {
        }
    } else if (strcmp(name, "deliver") == 0 || strcmp(name, "drop") == 0 || rule) {
        f = command_filter(c, 1);
        if (c->wrong)
            return;
        if (rule)
            stage_rule(c->st, *name == 'h' ? STAGE_RULE_HOLD : *name == 'l' ? STAGE_RULE_LOSE : STAGE_RULE_STRIP, &f);
        else if (strcmp(name, "drop") == 0)
            stage_say(c->st, "dropped %zu", stage_drop(c->st, &f));
        else if (!stage_deliver(c->st, &f))
            stage_say(c->st, "nothing to deliver");
    } else if (strcmp(name, "heal") == 0) {
        stage_heal(c->st);
    } else if (strcmp(name, "relay") == 0) {
        command_relay(c);
    } else if (strcmp(name, "peer") == 0 && c->count == 4) {
        command_peer(c);
    } else if (strcmp(name, "forge") == 0 && c->count >= 3) {
        command_forge(c);
    } else if (strcmp(name, "show") == 0) {
        command_show(c);
    } else if (strcmp(name, "flight") == 0) {
        stage_flight_show(c->st);
    } else {
        c->wrong = "unknown command, or too few words";
    }
}

bool command_run(struct stage **st, char *line, const char **wrong) {
    struct command c = {.st = *st};
    char *word;
    for (word = strtok(line, " \t"); word && c.count < COMMAND_WORDS; word = strtok(NULL, " \t"))
        c.word[c.count++] = word;
    if (c.st)
        c.st->steps = 0;
    if (c.count)
        command_dispatch(&c);
    *st = c.st;
    *wrong = c.wrong;
    return c.wrong == NULL;
}
