/* tests/support/make_logs.c -- program `make_logs DIR COUNT SEED`: logs of two HTTP systems, as the demonstration reads
 * them (genesis/demo/ingest-acme.yaml). Writes DIR/crm.jsonl, DIR/trade.jsonl and DIR/expected.json, COUNT lines in
 * all. The same seed gives the same bytes (of one build): arithmetic of its own, no clock, no locale. One line in 2000
 * is cut in the middle: a dead letter. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096, USERS = 400, HOSTS = 24, FUNDS = 8, RANGE = 10, HOT = 86 };
#define START_MS 1741000000000LL /* 2025-03-03 */

struct made {
    uint64_t random;
    int64_t now;
    uint64_t broken, crm, trade, hot_crm, hot_trade, range, deploys, configs, frozen;
    char line[LINE];
    size_t len;
    int hot; /* this line touches the hot user */
};

static uint64_t next(struct made *m) {
    uint64_t z = (m->random += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
static unsigned below(struct made *m, unsigned n) {
    return (unsigned)(next(m) % n);
}

static void put(struct made *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct made *m, const char *fmt, ...) {
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(m->line + m->len, LINE - m->len, fmt, ap);
    va_end(ap);
    m->len += n > 0 && (size_t)n < LINE - m->len ? (size_t)n : 0;
}

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "黄", "赵",
                                       "吴", "周", "徐", "孙", "马", "朱", "胡", "欧阳"};
static const char *const given[] = {"伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军",
                                    "洋", "勇", "艳", "杰",   "娟", "涛", "明", "超", "霞", "平"};
static const char *const cities[] = {"上海", "北京", "深圳", "杭州", "成都", "武汉", "西安", "乌鲁木齐"};
static const char *const service_staff[] = {"zhangwei", "wangfang", "lina", "aierken", "zhuyun"};
static const char *const analysts[] = {"hupeng", "ouyangxue", "xujie"};
static const char *const managers[] = {"liuyang", "chenjing"};
static const char *const risk_staff[] = {"yanglei", "zhaomin"};
static const char *const ops_staff[] = {"huangqiang", "zhoutao", "wuxia"};
static const char *const traders[] = {"sunhao", "mali", "situyan"};
static const char *const services[] = {"order-gateway", "risk-engine", "nav-calculator", "crm-web", "settlement"};
static const char *const reasons[] = {"客户来电核实", "司法协助", "反洗钱核查", "客户申请", "例行检查"};
#define PICK(m, list) (list)[below((m), (unsigned)(sizeof(list) / sizeof *(list)))]

static unsigned pick_user(struct made *m) {
    unsigned u = below(m, 25) == 0 ? HOT : below(m, USERS);
    m->hot |= u == HOT;
    return 100000 + u;
}
static void put_ip(struct made *m, unsigned host) {
    put(m, "10.8.%u.%u", 1 + host / 8, 11 + host % 8);
}
static void put_name(struct made *m) {
    put(m, "%s%s", PICK(m, surnames), PICK(m, given));
}

/* 2025-03-03T19:06:40.123+08:00; all days of the generator lie in one March and April. */
static void put_time(struct made *m) {
    int64_t local = m->now + 8 * 3600000LL, day = local / 86400000LL, ms = local % 86400000LL;
    int64_t since = day - 20148; /* days since 2025-03-01 */
    int month = 3;
    if (since >= 31) {
        since -= 31;
        month = 4;
    }
    put(m, "2025-%02d-%02dT%02d:%02d:%02d.%03d+08:00", month, (int)since + 1, (int)(ms / 3600000),
        (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
}

/* ---- the first system: it says userid ---- */

static void crm_head(struct made *m, const char *module, const char *api, const char *who) {
    put(m, "{\"ts\":\"");
    put_time(m);
    put(m, "\",\"trace\":\"%016llx\",\"module\":\"%s\",\"api\":\"%s\",\"method\":\"POST\",",
        (unsigned long long)next(m), module, api);
    put(m, "\"operator\":{\"account\":\"%s\",\"kind\":\"%s\",\"from\":\"%s\"},", who,
        below(m, 3) ? "admin" : "employee", PICK(m, cities));
}

static void crm_users(struct made *m, unsigned count) {
    unsigned i, from = below(m, USERS - count);
    put(m, "\"response\":{\"code\":\"0\",\"total\":%u,\"users\":[", count);
    for (i = 0; i < count; i++) {
        m->hot |= from + i == HOT;
        put(m, "%s{\"userid\":\"U%u\",\"name\":\"", i ? "," : "", 100000 + from + i);
        put_name(m);
        put(m, "\",\"city\":\"%s\"}", PICK(m, cities));
    }
    put(m, "]}}");
}

static void crm_one_user(struct made *m) {
    unsigned u;
    crm_head(m, "user-service", "/api/user/query", PICK(m, service_staff));
    u = pick_user(m);
    put(m,
        "\"request\":{\"userid\":\"U%u\",\"fields\":[\"name\",\"mobile\"]},\"response\":{\"code\":\"%s\",\"name\":\"",
        u, below(m, 40) ? "0" : "403");
    put_name(m);
    put(m, "\",\"mobile\":\"139%08u\"}}", below(m, 100000000));
}

static void crm_profile(struct made *m) {
    unsigned u = pick_user(m);
    char api[64];
    snprintf(api, sizeof api, "/api/user/U%u/profile", u);
    crm_head(m, "user-service", api, PICK(m, service_staff));
    put(m,
        "\"request\":{\"userid\":\"U%u\",\"change\":{\"address\":\"%s市人民路%u号\"},\"why\":\"%s\"},\"response\":{"
        "\"code\":\"0\"}}",
        u, PICK(m, cities), 1 + below(m, 999), PICK(m, reasons));
}

static void crm_range(struct made *m) {
    unsigned export = below(m, 6) == 0;
    m->range++;
    crm_head(m, "user-service", export ? "/api/users/export" : "/api/users",
             export ? PICK(m, analysts) : PICK(m, service_staff));
    put(m, "\"request\":{\"city\":\"%s\",\"limit\":%d},", PICK(m, cities), RANGE);
    crm_users(m, RANGE);
}

static void crm_login(struct made *m) {
    crm_head(m, "bastion", below(m, 4) ? "/api/host/login" : "/api/host/logout", PICK(m, ops_staff));
    put(m, "\"request\":{\"server_ip\":\"");
    put_ip(m, below(m, HOSTS));
    put(m, "\",\"tty\":\"pts/%u\"},\"response\":{\"code\":\"%s\"}}", below(m, 9), below(m, 30) ? "0" : "403");
}

static void crm_cache(struct made *m) { /* nothing classifies it: it says in words what it is */
    crm_head(m, "admin-console", "/internal/cache/flush", PICK(m, ops_staff));
    put(m, "\"remark\":\"清理%s的会话缓存\",\"request\":{\"service\":\"%s\"},\"response\":{\"code\":\"0\"}}",
        PICK(m, cities), PICK(m, services));
}

static void crm_line(struct made *m) {
    unsigned p = below(m, 100);
    if (p < 52)
        crm_one_user(m);
    else if (p < 68)
        crm_range(m);
    else if (p < 82)
        crm_profile(m);
    else if (p < 98)
        crm_login(m);
    else
        crm_cache(m);
    m->crm++;
    m->hot_crm += (uint64_t)m->hot;
}

/* ---- the second system: it says user_account, and looks different ---- */

static void trade_head(struct made *m, const char *module, const char *interface, const char *who) {
    put(m,
        "{\"app\":\"trade\",\"module\":\"%s\",\"time_ms\":%lld,\"who\":\"%s\",\"whoType\":\"operator\",\"interface\":"
        "\"%s\",\"seqNo\":%llu,",
        module, (long long)m->now, who, interface, (unsigned long long)(9007199254740993ULL + next(m) % 1000000000ULL));
}

static void trade_tail(struct made *m) {
    put(m, ",\"result\":{\"status\":\"%s\"}}", below(m, 50) ? "OK" : "DENIED");
}

static void trade_account(struct made *m) {
    unsigned u, i, rows = below(m, 3) == 0 ? 3 : 0;
    trade_head(m, "account", "/api/account/query", PICK(m, traders));
    u = pick_user(m);
    put(m, "\"params\":{\"user_account\":\"U%u\"},\"result\":{\"status\":\"OK\",\"rows\":[", u);
    for (i = 0; i < rows; i++)
        put(m, "%s{\"user_account\":\"U%u\",\"balance\":\"%u.%02u\"}", i ? "," : "", pick_user(m), below(m, 9000000),
            below(m, 100));
    put(m, "]}}");
}

static void trade_fund(struct made *m, int change) {
    unsigned fund = 101 + below(m, FUNDS);
    char interface[64];
    snprintf(interface, sizeof interface, change ? "/api/fund/F%06u/config" : "/api/fund/F%06u", fund);
    trade_head(m, "product", interface, change ? PICK(m, managers) : PICK(m, analysts));
    put(m, "\"params\":{\"fund\":\"F%06u\"", fund);
    if (change)
        put(m, ",\"change\":{\"申购费率\":\"0.%02u%%\",\"单日限额\":\"%u0000.00\"},\"reason\":\"%s\"", below(m, 100),
            1 + below(m, 500), PICK(m, reasons));
    put(m, "}");
    trade_tail(m);
    m->configs += (uint64_t)change;
}

static void trade_freeze(struct made *m) {
    int release = below(m, 3) == 0;
    trade_head(m, "risk", release ? "/api/fk_unfrozen" : "/api/fk_frozen", PICK(m, risk_staff));
    put(m, "\"params\":{\"user_account\":\"U%u\",", pick_user(m));
    put(m, "\"amount\":\"%u.%02u\",\"currency\":\"CNY\",\"basis\":\"%s\"}", 1 + below(m, 5000000), below(m, 100),
        PICK(m, reasons));
    trade_tail(m);
    m->frozen += (uint64_t)!release;
}

static void trade_deploy(struct made *m) {
    unsigned first = below(m, HOSTS - 3), i;
    trade_head(m, "release", "/api/service/deploy", "wuxia");
    put(m, "\"params\":{\"application\":\"%s\",\"version\":\"%u.%u.%u\",\"targets\":[", PICK(m, services),
        1 + below(m, 4), below(m, 20), below(m, 10));
    for (i = 0; i < 3; i++) {
        put(m, "%s{\"ip\":\"", i ? "," : "");
        put_ip(m, first + i);
        put(m, "\",\"slot\":%u}", i);
    }
    put(m, "]}");
    trade_tail(m);
    m->deploys++;
}

static void trade_line(struct made *m) {
    unsigned p = below(m, 100);
    if (p < 45)
        trade_account(m);
    else if (p < 65)
        trade_fund(m, 0);
    else if (p < 78)
        trade_fund(m, 1);
    else if (p < 92)
        trade_freeze(m);
    else
        trade_deploy(m);
    m->trade++;
    m->hot_trade += (uint64_t)m->hot;
}

/* ---- the files ---- */

static FILE *make_file(const char *dir, const char *name) {
    char path[4096];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f)
        fprintf(stderr, "make_logs: %s: %s\n", path, strerror(errno));
    return f;
}

static int make_all(struct made *m, FILE *crm, FILE *trade, unsigned long long count) {
    unsigned long long i;
    for (i = 0; i < count; i++) {
        int first = below(m, 5) < 3, cut;
        m->len = 0;
        m->hot = 0;
        m->now = START_MS + (int64_t)(i * 40) + below(m, 40);
        (first ? crm_line : trade_line)(m);
        cut = i % 2000 == 1234;
        if (cut) { /* in the middle of the JSON, at a character's start */
            m->len /= 2;
            while (((unsigned char)m->line[m->len] & 0xC0) == 0x80)
                m->len--;
            m->broken++;
            m->hot_crm -= (uint64_t)(m->hot && first);
            m->hot_trade -= (uint64_t)(m->hot && !first);
        }
        m->line[m->len++] = '\n';
        if (fwrite(m->line, 1, m->len, first ? crm : trade) != m->len)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct made m = {0};
    FILE *crm, *trade, *expected;
    int rc;
    if (argc != 4) {
        fprintf(stderr, "usage: make_logs DIR COUNT SEED\n");
        return 2;
    }
    m.random = strtoull(argv[3], NULL, 10);
    crm = make_file(argv[1], "crm.jsonl");
    trade = make_file(argv[1], "trade.jsonl");
    expected = make_file(argv[1], "expected.json");
    if (!crm || !trade || !expected)
        return 1;
    rc = make_all(&m, crm, trade, strtoull(argv[2], NULL, 10));
    fprintf(expected,
            "{\"broken\":%llu,\"configs\":%llu,\"crm\":%llu,\"deploys\":%llu,\"frozen\":%llu,\"hot_crm\":%llu,\"hot_"
            "trade\":%llu,"
            "\"hot_user\":\"U%u\",\"range\":%llu,\"trade\":%llu}\n",
            (unsigned long long)m.broken, (unsigned long long)m.configs, (unsigned long long)m.crm,
            (unsigned long long)m.deploys, (unsigned long long)m.frozen, (unsigned long long)m.hot_crm,
            (unsigned long long)m.hot_trade, 100000 + HOT, (unsigned long long)m.range, (unsigned long long)m.trade);
    rc |= fclose(crm) | fclose(trade) | fclose(expected);
    if (rc)
        fprintf(stderr, "make_logs: %s\n", strerror(errno));
    return rc ? 1 : 0;
}
