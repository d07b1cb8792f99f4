/* tests/unit/test_quorum.c -- vote arithmetic and the rule of founding. PROTOCOL 1.2, 1.3, 1.4. */
#include "wire/quorum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* PROTOCOL 1.2 */
static void test_quorum_of_each_size_is_as_tabled(void **state) {
    static const uint32_t table[][3] = {{4, 1, 3},  {5, 1, 4},   {6, 1, 4},  {7, 2, 5},
                                        {10, 3, 7}, {15, 4, 10}, {16, 5, 11}};
    struct quorum q;
    struct err e;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(quorum_make(table[i][0], 0, &q, &e), ERR_OK);
        assert_int_equal(q.f, table[i][1]);
        assert_int_equal(q.q, table[i][2]);
        assert_true(2 * q.q - q.n >= q.f + 1); /* two quorums share an honest member */
        assert_true(q.n - q.f >= q.q);         /* the honest alone are a quorum */
    }
    assert_int_equal(quorum_make(3, 0, &q, &e), ERR_CONFIG);
    assert_int_equal(quorum_make(17, 0, &q, &e), ERR_CONFIG);
    assert_int_equal(quorum_make(4, 5, &q, &e), ERR_CONFIG);
}

/* PROTOCOL 1.4 */
static void test_audited_party_with_half_the_seats_needs_two_regulators(void **state) {
    struct quorum_seat seats[4] = {{0, 0, false}, {1, 0, false}, {2, 2, true}, {3, 3, true}};
    struct quorum_power power[LIMIT_VALIDATORS];
    struct quorum q;
    struct err e;
    (void)state;
    assert_int_equal(quorum_make(4, 1, &q, &e), ERR_OK);
    assert_int_equal(quorum_check(&q, seats, &e), ERR_NOT_ALLOWED);
    assert_int_equal(quorum_make(4, 2, &q, &e), ERR_OK);
    assert_int_equal(quorum_check(&q, seats, &e), ERR_OK);
    assert_int_equal(quorum_analyse(&q, seats, power), 3);
    assert_true(power[0].seats == 2 && power[0].can_halt && !power[0].can_fork);
    assert_true(power[1].can_halt && !power[1].can_fork);
    assert_int_equal(quorum_analyse_orgs(&q, seats, power), 4);
    assert_false(power[0].can_halt); /* one of its two nodes alone */
}

/* PROTOCOL 1.4 */
static void test_a_group_with_regulators_of_its_own_is_refused(void **state) {
    struct quorum_seat seats[4] = {{0, 0, false}, {0, 0, true}, {0, 0, true}, {3, 3, true}};
    struct quorum q;
    struct err e;
    (void)state;
    assert_int_equal(quorum_make(4, 2, &q, &e), ERR_OK);
    assert_int_equal(quorum_check(&q, seats, &e), ERR_NOT_ALLOWED);
}

/* PROTOCOL 1.3: by brute force over all liars, the formula agrees with the definition. */
static bool brute_can_fork(const struct quorum *q, uint32_t liars, uint32_t regulators) {
    uint32_t a, b, all = 1u << q->n;
    for (a = 0; a < all; a++) {
        if ((uint32_t)__builtin_popcount(a) < q->q || (uint32_t)__builtin_popcount(a & regulators) < q->k)
            continue;
        for (b = 0; b < all; b++)
            if ((uint32_t)__builtin_popcount(b) >= q->q && (a & b & ~liars) == 0)
                return true;
    }
    return false;
}

static void test_fork_analysis_agrees_with_brute_force(void **state) {
    uint32_t n, k, liars, regulators, i;
    (void)state;
    for (n = 4; n <= 5; n++)
        for (k = 0; k <= 3; k++)
            for (regulators = 0; regulators < 1u << n; regulators++)
                for (liars = 1; liars < 1u << n; liars++) {
                    struct quorum_seat seats[5];
                    struct quorum_power power[LIMIT_VALIDATORS];
                    struct quorum q;
                    uint32_t rows, r;
                    if ((uint32_t)__builtin_popcount(regulators) < k)
                        continue;
                    assert_int_equal(quorum_make(n, k, &q, NULL), ERR_OK);
                    for (i = 0; i < n; i++)
                        seats[i] = (struct quorum_seat){i, liars >> i & 1u ? 99 : i, regulators >> i & 1u};
                    rows = quorum_analyse(&q, seats, power);
                    for (r = 0; r < rows; r++)
                        if (power[r].group == 99)
                            assert_int_equal(power[r].can_fork, brute_can_fork(&q, liars, regulators));
                }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum_of_each_size_is_as_tabled),
        cmocka_unit_test(test_audited_party_with_half_the_seats_needs_two_regulators),
        cmocka_unit_test(test_a_group_with_regulators_of_its_own_is_refused),
        cmocka_unit_test(test_fork_analysis_agrees_with_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
