/* tests/unit/test_door.c -- what the door fills in, and what it turns away; under the demonstration's standards.
 * Taking (vault, outbox) needs a running channel: tests/integration. */
#include "node/clock.h"
#include "node/door.h"
#include "node/ingest/extend.h"
#include "tests/support/audit_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;
static struct door_log door;
static struct buf entry;

static int setup(void **state) {
    static const char *const files[] = {"genesis/demo/finance-ext.yaml", "genesis/demo/operations.yaml",
                                        "genesis/demo/vocab.yaml"};
    struct err e = {0};
    (void)state;
    world_init(&world);
    for (int i = 0; i < 3; i++)
        if (world_put(&world, world_standard(&world, (const char *)world_file(&world, files[i]).ptr, WORLD_FIN),
                      WORLD_FIN, NULL, &e) != ERR_OK)
            fail_msg("%s", e.text);
    buf_init(&entry, 4 * LIMIT_ENTRY);
    memset(&door, 0, sizeof door);
    door.raw = slice_str("a raw log");
    door.record = world_record(&world);
    door.record.op = (struct record_op){.raw = slice_str("/api/user/query")};
    world_pair(&world, &door.record.actor.ext, "position", "客户服务专员");
    world_pair(&world, &door.record.actor.ext, "real_name", "张伟");
    return 0;
}
static int teardown(void **state) {
    (void)state;
    buf_release(&entry);
    world_release(&world);
    return 0;
}

static enum err_code try_it(struct err *e) {
    buf_clear(&entry);
    *e = (struct err){0};
    return door_try(world.state, GENESIS_SALTED, &door, &entry, e);
}

static void read_back(struct record *r) {
    struct entry x;
    struct err e = {0};
    assert_int_equal(entry_read(buf_slice(&entry), &x, &e), ERR_OK);
    assert_int_equal(x.kind, ENTRY_RECORD);
    assert_int_equal(record_read(x.body, &world.arena, r, &e), ERR_OK);
}

static void test_fills_class_types_citations_and_commitment(void **state) {
    struct record r;
    struct err e;
    (void)state;
    ((struct record_object *)door.record.objects.items)->type = slice_str("user_account");
    if (try_it(&e) != ERR_OK)
        fail_msg("%s", e.text);
    read_back(&r);
    assert_true(slice_eq_str(((struct record_object *)r.objects.items)->type, "userid"));
    assert_true(slice_eq_str(r.op.class_id, "user.query"));
    assert_int_equal(r.op.activity_id, 2);
    assert_int_equal(r.std.count, 3);
    assert_int_equal(r.raw_size, 9);
    assert_int_equal(r.uid[6] >> 4, 7);
}

static void test_unclassified_carries_a_note_in_words(void **state) {
    struct record r;
    struct err e;
    (void)state;
    door.record.op.raw = slice_str("/nobody/knows");
    if (try_it(&e) != ERR_OK)
        fail_msg("%s", e.text);
    read_back(&r);
    assert_true(slice_eq_str(r.op.class_id, "unclassified"));
    assert_int_equal(r.op.activity_id, 99);
    assert_true(slice_eq_str(r.op.note, "/nobody/knows"));
    world_release(&world); /* no standard at all: the same */
    world_init(&world);
    door.record = world_record(&world);
    door.record.op = (struct record_op){.raw = slice_str("x")};
    assert_int_equal(try_it(&e), ERR_OK);
}

static void test_missing_mandatory_field_is_refused_by_name(void **state) {
    struct err e;
    (void)state;
    door.record.actor.ext.count = 1;
    assert_int_equal(try_it(&e), ERR_NONCONFORMING);
    assert_non_null(strstr(e.text, "actor.ext.real_name: required, but missing"));
    assert_int_equal(entry.len, 0);
}

static void test_bad_records_are_refused(void **state) {
    struct record good = door.record;
    struct record_object *many = arena_alloc(&world.arena, 257, sizeof *many);
    struct err e;
    (void)state;
    door.record.actor.name = slice_none();
    assert_int_equal(err_class_of(try_it(&e)), ERR_CLASS_REFUSED);
    door.record = good;
    for (int i = 0; i < 257; i++)
        many[i] = *(struct record_object *)good.objects.items;
    door.record.objects = (struct schema_list){many, 257};
    assert_int_equal(err_class_of(try_it(&e)), ERR_CLASS_REFUSED);
    door.record = good;
    door.record.time = clock_wall_ms() + 3600000;
    assert_int_equal(try_it(&e), ERR_BAD_TIME);
    door.record = good;
    door.record.op.raw = slice_str("\xff");
    assert_int_equal(err_class_of(try_it(&e)), ERR_CLASS_REFUSED);
}

static void test_only_fields_that_a_standard_asks_for_leave(void **state) {
    static const char config[] =
        "ingest:\n  tables:\n    - {id: p, path: people.csv, key: account}\n"
        "  extend:\n    - {element: actor, table: p, columns: {real_name: name, id_no: staff_no, secret: account}}\n";
    struct ingest_config c;
    struct record r = door.record;
    struct err e = {0};
    (void)state;
    if (ingest_config_parse(&c, slice_str(config), "x", "genesis/demo", &e) != ERR_OK)
        fail_msg("%s", e.text);
    r.actor.name = slice_str("lina");
    r.actor.ext.count = 0;
    assert_int_equal(extend_record(&c, world.state, world.time, &world.arena, &r, &e), ERR_OK);
    assert_true(slice_eq_str(schema_pair_get(&r.actor.ext, slice_str("real_name")), "李娜"));
    assert_true(slice_eq_str(schema_pair_get(&r.actor.ext, slice_str("staff_no")), "CS10003"));
    assert_int_equal(schema_pair_get(&r.actor.ext, slice_str("id_no")).len, 0);  /* wants protection */
    assert_int_equal(schema_pair_get(&r.actor.ext, slice_str("secret")).len, 0); /* nobody asked */
    assert_int_equal(schema_pair_get(&r.actor.ext, slice_str("account")).len, 0);
    ingest_config_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fills_class_types_citations_and_commitment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unclassified_carries_a_note_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_mandatory_field_is_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_fields_that_a_standard_asks_for_leave, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
