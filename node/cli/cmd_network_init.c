/* node/cli/cmd_network_init.c -- `assay network init`: a whole network on one machine, for demonstration only, since
 * one party makes all keys. The steps are those of the real way (found.h, genesis/enrol.h).
 * DIR/genesis.assay, DIR/orgs/<organisation>/, DIR/nodes/<node>/ (the homes). */
#include "genesis/enrol.h"
#include "genesis/genesis_show.h"
#include "node/cli/commands.h"
#include "node/cli/found.h"
#include "node/cli/out.h"
#include "node/clock.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NETWORK_NODES = 64, /* on one machine */
    NETWORK_PORTS = NETWORK_NODES * 2,
    NETWORK_PORT_FIRST = 20000,
    NETWORK_PORT_COUNT = 12000,
    NETWORK_PORT_TRIES = 1000
};

const struct cli_option cmd_network_init_options[] = {
    {"dir", "DIR", "where all homes and keys go (new)"},
    {NULL, NULL, NULL},
};

struct network_init {
    struct cli *c;
    const char *dir;
    struct enrol_plan plan;
    uint16_t ports[NETWORK_PORTS]; /* of node i: 2i for nodes, 2i+1 for HTTP */
    struct buf genesis;            /* signed by all */
};

static uint32_t network_orgs(const struct network_init *n) {
    return n->plan.body.orgs.count;
}
static struct genesis_node *network_node(const struct network_init *n, uint32_t i) {
    return (struct genesis_node *)n->plan.body.nodes.items + i;
}
static const struct genesis_org *network_org(const struct network_init *n, uint32_t i) {
    return (const struct genesis_org *)n->plan.body.orgs.items + i;
}

/* DIR/<group>/<id>[/rest] */
static enum err_code network_path(const struct network_init *n, const char *group, struct slice id, const char *rest,
                                  char out[FILES_PATH], struct err *e) {
    char tail[LIMIT_NAME * 2 + 64];
    snprintf(tail, sizeof tail, "%s/%.*s%s%s", group, SLICE_ARG(id), rest ? "/" : "", rest ? rest : "");
    return files_path(out, n->dir, tail, e);
}

/* ---- ports ---- */

/* A port that is free now. The socket stays open, so that the next call gets another. Not one of the ports that the
 * system gives to outgoing connections (from 32768 on): such a one could be taken before the node starts. */
static enum err_code network_port(int *fd, uint16_t *port, struct err *e) {
    struct sockaddr_in a;
    unsigned tries;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (tries = 0; *fd >= 0 && tries < NETWORK_PORT_TRIES; tries++) {
        *port = (uint16_t)(NETWORK_PORT_FIRST + randombytes_uniform(NETWORK_PORT_COUNT));
        a.sin_port = htons(*port);
        if (bind(*fd, (struct sockaddr *)(void *)&a, sizeof a) == 0)
            return ERR_OK;
    }
    return err_errno(e, "no free loopback port");
}

static enum err_code network_ports(struct network_init *n, struct err *e) {
    int fds[NETWORK_PORTS];
    uint32_t count = n->plan.body.nodes.count * 2, i, opened = 0;
    enum err_code rc = ERR_OK;
    for (i = 0; i < count && rc == ERR_OK; i++) {
        rc = network_port(&fds[i], &n->ports[i], e);
        opened = fds[i] >= 0 ? i + 1 : i;
    }
    for (i = 0; i < opened; i++)
        close(fds[i]);
    for (i = 0; i < n->plan.body.nodes.count && rc == ERR_OK; i++) {
        struct genesis_node *node = network_node(n, i);
        char text[32];
        if (node->address.len)
            continue;
        snprintf(text, sizeof text, "127.0.0.1:%u", n->ports[i * 2]);
        node->address = arena_copy(&n->plan.doc.arena, slice_str(text));
        if (!node->address.ptr)
            rc = err_set(e, ERR_NO_MEMORY, "no memory");
    }
    return rc;
}

/* ---- keys ---- */

static enum err_code network_make_org(struct network_init *n, uint32_t i, struct err *e) {
    char dir[FILES_PATH], id[LIMIT_NAME + 1];
    struct slice name = network_org(n, i)->id;
    enum err_code rc = network_path(n, "orgs", name, NULL, dir, e);
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(name));
    return rc == ERR_OK ? found_org(dir, id, e) : rc;
}

static enum err_code network_make_node(struct network_init *n, uint32_t i, struct err *e) {
    static const char *const roles[] = {NULL, "enterprise", "regulator", "observer"};
    const struct genesis_node *node = network_node(n, i);
    int at = genesis_check_org(&n->plan.body, node->org);
    char home[FILES_PATH], org_dir[FILES_PATH], id[LIMIT_NAME + 1], org[LIMIT_NAME + 1], listen[280], http[32],
        hash[65];
    struct found_config f = {.id = id, .listen = listen, .http = http, .http_key = hash};
    enum err_code rc = network_path(n, "nodes", node->id, NULL, home, e);
    ERR_ASSERT(at >= 0);
    f.role = roles[network_org(n, (uint32_t)at)->role];
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(node->id));
    snprintf(org, sizeof org, "%.*s", SLICE_ARG(node->org));
    snprintf(listen, sizeof listen, "%.*s", SLICE_ARG(node->address));
    snprintf(http, sizeof http, "127.0.0.1:%u", n->ports[i * 2 + 1]);
    if (rc == ERR_OK)
        rc = network_path(n, "orgs", node->org, NULL, org_dir, e);
    if (rc == ERR_OK)
        rc = files_mkdir(home, e);
    if (rc == ERR_OK)
        rc = found_node(home, id, org, org_dir, e);
    if (rc == ERR_OK)
        rc = found_http_key(home, hash, e);
    return rc == ERR_OK ? found_config(home, &f, e) : rc;
}

/* ---- genesis ---- */

static enum err_code network_request(struct network_init *n, const char *group, struct slice id, const char *name,
                                     struct slice *out, struct err *e) {
    char path[FILES_PATH];
    struct buf b;
    enum err_code rc = network_path(n, group, id, name, path, e);
    if (rc != ERR_OK)
        return rc;
    rc = files_read(path, ENROL_SIZE, &b, e);
    if (rc == ERR_OK) {
        *out = arena_copy(&n->plan.doc.arena, buf_slice(&b));
        if (!out->ptr)
            rc = err_set(e, ERR_NO_MEMORY, "no memory");
    }
    buf_release(&b);
    return rc;
}

static enum err_code network_assemble(struct network_init *n, struct err *e) {
    uint32_t orgs = network_orgs(n), nodes = n->plan.body.nodes.count, i;
    struct slice *requests = arena_alloc(&n->plan.doc.arena, (size_t)orgs + nodes, sizeof *requests);
    enum err_code rc = requests ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory");
    for (i = 0; i < orgs && rc == ERR_OK; i++)
        rc = network_request(n, "orgs", network_org(n, i)->id, "org.request", &requests[i], e);
    for (i = 0; i < nodes && rc == ERR_OK; i++)
        rc = network_request(n, "nodes", network_node(n, i)->id, "node.request", &requests[orgs + i], e);
    return rc == ERR_OK ? enrol_assemble(&n->plan, requests, (size_t)orgs + nodes, clock_wall_ms(), &n->genesis, e)
                        : rc;
}

static enum err_code network_sign(struct network_init *n, struct slice org, struct err *e) {
    char path[FILES_PATH];
    struct sign_secret *founder = NULL;
    struct sign_public pub;
    struct buf with;
    enum err_code rc = network_path(n, "orgs", org, "founder.key", path, e);
    buf_init(&with, GENESIS_SIZE);
    if (rc == ERR_OK)
        rc = keys_sign_load(path, "founder", &founder, &pub, e);
    if (rc == ERR_OK)
        rc = genesis_sign(buf_slice(&n->genesis), org, founder, &with, e);
    sign_secret_free(founder);
    if (rc != ERR_OK) {
        buf_release(&with);
        return rc;
    }
    buf_release(&n->genesis);
    n->genesis = with;
    return ERR_OK;
}

static enum err_code network_publish(struct network_init *n, struct err *e) {
    char path[FILES_PATH];
    enum err_code rc = files_path(path, n->dir, "genesis.assay", e);
    uint32_t i;
    if (rc == ERR_OK)
        rc = files_create(path, buf_slice(&n->genesis), e);
    for (i = 0; i < n->plan.body.nodes.count && rc == ERR_OK; i++) {
        rc = network_path(n, "nodes", network_node(n, i)->id, "genesis.assay", path, e);
        if (rc == ERR_OK)
            rc = files_create(path, buf_slice(&n->genesis), e);
    }
    return rc;
}

/* ---- telling ---- */

static enum err_code network_tell_json(struct network_init *n, const struct genesis *g, struct err *e) {
    char path[FILES_PATH], http[32], hex[DIGEST_HEX];
    struct buf b, shown;
    enum err_code rc = ERR_OK;
    uint32_t i;
    buf_init(&b, GENESIS_SIZE * 2);
    buf_init(&shown, GENESIS_SIZE * 2);
    genesis_show_pack(g, &shown);
    pack_map(&b, 6);
    pack_cstr(&b, "demonstration");
    pack_bool(&b, true);
    pack_cstr(&b, "dir");
    pack_cstr(&b, n->dir);
    pack_cstr(&b, "fingerprint");
    pack_cstr(&b, digest_hex(&g->id, hex));
    pack_cstr(&b, "genesis");
    buf_append(&b, buf_slice(&shown));
    pack_cstr(&b, "homes");
    pack_array(&b, genesis_node_count(g));
    for (i = 0; i < genesis_node_count(g) && rc == ERR_OK; i++) {
        rc = network_path(n, "nodes", genesis_node_at(g, i)->id, NULL, path, e);
        snprintf(http, sizeof http, "127.0.0.1:%u", n->ports[i * 2 + 1]);
        pack_map(&b, 4);
        pack_cstr(&b, "address");
        pack_str(&b, genesis_node_at(g, i)->address);
        pack_cstr(&b, "home");
        pack_cstr(&b, path);
        pack_cstr(&b, "http");
        pack_cstr(&b, http);
        pack_cstr(&b, "id");
        pack_str(&b, genesis_node_at(g, i)->id);
    }
    pack_cstr(&b, "network");
    pack_str(&b, g->body.network);
    if (rc == ERR_OK)
        rc = buf_check(&shown, e);
    if (rc == ERR_OK)
        rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(n->c, buf_slice(&b), e);
    buf_release(&b);
    buf_release(&shown);
    return rc;
}

static enum err_code network_tell_text(struct network_init *n, const struct genesis *g, struct err *e) {
    static const char *const head[] = {"node", "address", "http", "home"};
    char path[FILES_PATH], hex[DIGEST_HEX];
    struct out_table t;
    struct buf b;
    enum err_code rc = ERR_OK;
    uint32_t i;
    out_line(n->c, "%sdemonstration only: one party makes all keys here%s\n\n", out_style(n->c, OUT_WARN),
             out_style(n->c, OUT_PLAIN));
    out_table_init(&t, head, 4, 0);
    for (i = 0; i < genesis_node_count(g) && rc == ERR_OK; i++) {
        rc = network_path(n, "nodes", genesis_node_at(g, i)->id, NULL, path, e);
        out_cell(&t, genesis_node_at(g, i)->id);
        out_cell(&t, genesis_node_at(g, i)->address);
        out_cellf(&t, "127.0.0.1:%u", n->ports[i * 2 + 1]);
        out_cell(&t, slice_str(path));
    }
    if (rc == ERR_OK)
        rc = out_table_print(n->c, &t, e);
    out_table_release(&t);
    buf_init(&b, GENESIS_SIZE);
    for (i = 0; i < genesis_channel_count(g); i++) {
        buf_str(&b, "\n");
        genesis_show_powers(&g->body, genesis_channel_at(g, i), &b);
    }
    if (rc == ERR_OK)
        rc = buf_check(&b, e);
    if (rc == ERR_OK)
        out_line(n->c, "%s\nnetwork      %.*s\nfingerprint  %s\n", buf_cstr(&b), SLICE_ARG(g->body.network),
                 digest_hex(&g->id, hex));
    buf_release(&b);
    return rc;
}

/* ---- all of it ---- */

static enum err_code network_found(struct network_init *n, struct err *e) {
    char path[FILES_PATH];
    struct genesis g;
    enum err_code rc = files_path(path, n->dir, "genesis.assay", e);
    uint32_t i;
    if (rc == ERR_OK && files_exists(path))
        return err_set(e, ERR_CONFLICT, "%s is there already: a network is founded once", path);
    if (n->plan.body.nodes.count > NETWORK_NODES)
        return err_set(e, ERR_TOO_LARGE, "%u nodes; on one machine at most %d", n->plan.body.nodes.count,
                       NETWORK_NODES);
    if (rc == ERR_OK)
        rc = files_mkdir(n->dir, e);
    if (rc == ERR_OK)
        rc = network_ports(n, e);
    for (i = 0; i < network_orgs(n) && rc == ERR_OK; i++) {
        rc = network_path(n, "orgs", network_org(n, i)->id, NULL, path, e);
        if (rc == ERR_OK)
            rc = files_mkdir(path, e);
        if (rc == ERR_OK)
            rc = network_make_org(n, i, e);
    }
    for (i = 0; i < n->plan.body.nodes.count && rc == ERR_OK; i++)
        rc = network_make_node(n, i, e);
    if (rc == ERR_OK)
        rc = network_assemble(n, e);
    for (i = 0; i < network_orgs(n) && rc == ERR_OK; i++)
        rc = network_sign(n, network_org(n, i)->id, e);
    if (rc == ERR_OK)
        rc = genesis_read(buf_slice(&n->genesis), &g, e);
    if (rc != ERR_OK)
        return rc;
    rc = network_publish(n, e);
    if (rc == ERR_OK)
        rc = n->c->json ? network_tell_json(n, &g, e) : network_tell_text(n, &g, e);
    genesis_release(&g);
    return rc;
}

enum err_code cmd_network_init(struct cli *c, struct err *e) {
    struct network_init *n = mem_zalloc(1, sizeof *n);
    enum err_code rc;
    if (!n)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    n->c = c;
    buf_init(&n->genesis, GENESIS_SIZE);
    yaml_init(&n->plan.doc);
    rc = cli_need(c, "dir", &n->dir, e);
    if (rc == ERR_OK)
        rc = sign_start(e);
    if (rc == ERR_OK)
        rc = enrol_plan_read(&n->plan, c->args[0], e);
    if (rc == ERR_OK)
        rc = network_found(n, e);
    enrol_plan_release(&n->plan);
    buf_release(&n->genesis);
    mem_free(n);
    return rc;
}
