/* tests/unit/test_vectors_msgpack.c -- the public msgpack suite (kawanet): each value comes in every form it can have.
 * Of a value that the data model knows, exactly one form is canonical: the one that our packer writes; it is read and
 * written back to itself, all others are refused. Of nil, fractions, times and extensions every form is refused. */
#include "tests/support/vectors.h"
#include "wire/cursor.h"
#include "wire/limits.h"
#include "wire/pack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static bool encode_number(const char *text, struct buf *out) {
    char *end;
    errno = 0;
    if (text[0] == '-') {
        long long v = strtoll(text, &end, 10);
        pack_i64(out, v);
    } else {
        unsigned long long v = strtoull(text, &end, 10);
        pack_u64(out, v);
    }
    return *end == '\0' && errno == 0;
}

/* Our bytes of a JSON value; false when the data model does not know it. */
static bool encode(yajl_val v, struct buf *out) {
    size_t i;
    if (YAJL_IS_TRUE(v) || YAJL_IS_FALSE(v)) {
        pack_bool(out, YAJL_IS_TRUE(v));
    } else if (YAJL_IS_STRING(v)) {
        pack_cstr(out, YAJL_GET_STRING(v));
    } else if (YAJL_IS_NUMBER(v)) {
        return encode_number(YAJL_GET_NUMBER(v), out);
    } else if (YAJL_IS_ARRAY(v)) {
        pack_array(out, (uint32_t)v->u.array.len);
        for (i = 0; i < v->u.array.len; i++)
            if (!encode(v->u.array.values[i], out))
                return false;
    } else if (YAJL_IS_OBJECT(v)) {
        pack_map(out, (uint32_t)v->u.object.len);
        for (i = 0; i < v->u.object.len; i++) {
            pack_cstr(out, v->u.object.keys[i]);
            if (!encode(v->u.object.values[i], out))
                return false;
        }
    } else {
        return false;
    }
    return true;
}

static void recode(struct cursor *c, struct buf *out) {
    enum cursor_type type;
    struct slice s;
    uint32_t count, i;
    uint64_t u;
    int64_t n;
    bool b;
    assert_int_equal(cursor_peek(c, &type, NULL), ERR_OK);
    switch (type) {
    case CURSOR_U64:
        assert_int_equal(cursor_u64(c, &u, NULL), ERR_OK);
        pack_u64(out, u);
        break;
    case CURSOR_NEGATIVE:
        assert_int_equal(cursor_i64(c, &n, NULL), ERR_OK);
        pack_i64(out, n);
        break;
    case CURSOR_BOOL:
        assert_int_equal(cursor_bool(c, &b, NULL), ERR_OK);
        pack_bool(out, b);
        break;
    case CURSOR_STR:
        assert_int_equal(cursor_str(c, &s, NULL), ERR_OK);
        pack_str(out, s);
        break;
    case CURSOR_BIN:
        assert_int_equal(cursor_bin(c, &s, NULL), ERR_OK);
        pack_bin(out, s);
        break;
    case CURSOR_ARRAY:
        assert_int_equal(cursor_array(c, &count, NULL), ERR_OK);
        pack_array(out, count);
        for (i = 0; i < count; i++)
            recode(c, out);
        break;
    case CURSOR_MAP:
        assert_int_equal(cursor_map(c, &count, NULL), ERR_OK);
        pack_map(out, count);
        for (i = 0; i < 2 * count; i++)
            recode(c, out);
        break;
    }
}

/* What the case holds, encoded by us into `want`; false when it is not of the data model. */
static bool encode_case(yajl_val v, struct buf *want) {
    if (vectors_get(v, "binary")) {
        struct buf bytes;
        buf_init(&bytes, 1 << 16);
        assert_true(vectors_hex(vectors_text(v, "binary"), &bytes));
        pack_bin(want, buf_slice(&bytes));
        buf_release(&bytes);
        return true;
    }
    if (vectors_get(v, "bignum"))
        return encode_number(vectors_text(v, "bignum"), want);
    if (vectors_get(v, "timestamp") || vectors_get(v, "ext") || YAJL_IS_NULL(vectors_get(v, "nil")))
        return false;
    return encode(v->u.object.values[0], want);
}

static void check_case(yajl_val v, size_t *forms, size_t *canonical) {
    yajl_val list = vectors_get(v, "msgpack");
    struct buf want, form, back;
    size_t i, accepted = 0;
    bool known;
    buf_init(&want, 1 << 16);
    buf_init(&form, 1 << 16);
    buf_init(&back, 1 << 16);
    known = encode_case(v, &want);
    for (i = 0; i < vectors_count(list); i++) {
        const char *text = YAJL_GET_STRING(vectors_item(list, i));
        struct cursor c;
        bool ours;
        buf_clear(&form);
        buf_clear(&back);
        assert_true(vectors_hex(text, &form));
        ours = known && slice_eq(buf_slice(&form), buf_slice(&want));
        if ((cursor_check(buf_slice(&form), LIMIT_DEPTH, NULL) == ERR_OK) != ours)
            fail_msg("%s: %s", text, ours ? "refused" : "accepted");
        if (ours) {
            cursor_init(&c, buf_slice(&form));
            recode(&c, &back);
            assert_true(cursor_done(&c) && slice_eq(buf_slice(&back), buf_slice(&form)));
            accepted++;
        }
        ++*forms;
    }
    assert_int_equal(accepted, known);
    *canonical += accepted;
    buf_release(&want);
    buf_release(&form);
    buf_release(&back);
}

static void test_suite_agrees(void **state) {
    const char *path = vectors_path("conformance/msgpack/msgpack-test-suite.json");
    yajl_val v;
    size_t f, i, cases = 0, forms = 0, canonical = 0;
    (void)state;
    if (!path)
        skip();
    v = vectors_json(path);
    assert_true(YAJL_IS_OBJECT(v));
    for (f = 0; f < v->u.object.len; f++)
        for (i = 0; i < vectors_count(v->u.object.values[f]); i++, cases++)
            check_case(vectors_item(v->u.object.values[f], i), &forms, &canonical);
    printf("%zu values in %zu forms, %zu of them canonical\n", cases, forms, canonical);
    assert_true(cases >= 85);
    yajl_tree_free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
