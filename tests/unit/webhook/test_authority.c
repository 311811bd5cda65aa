#include "webhook_support.h"

// What servers show and what clients trust, of an authority at one moment.
struct view {
    struct buffer chain;
    struct buffer bundle;
};

static struct view view_of(const struct webhook_authority *authority) {
    struct error e;
    struct view view = {buffer_create(TEXT_MAX), buffer_create(TEXT_MAX)};
    must(webhook_authority_append_chain(authority, &view.chain, &e), e);
    must(webhook_authority_append_bundle(authority, &view.bundle, &e), e);
    return view;
}

static void view_free(struct view *view) {
    buffer_done(&view->chain);
    buffer_done(&view->bundle);
}
#define cleanup_view [[gnu::cleanup(view_free)]]

static bool same(const struct buffer *one, const struct buffer *other) {
    return strcmp(buffer_text(one), buffer_text(other)) == 0;
}

static void all_is_made_where_nothing_is(void **) {
    cleanup_authority struct webhook_authority authority = made();
    cleanup_view struct view view = view_of(&authority);
    assert_true(is_accepted(&view.chain, &view.bundle, start));
    assert_null(authority.next_ca);
    assert_null(authority.former_ca);
    assert_int_equal(authority.overlap_since, 0);
}

static void assert_subject(const struct certificate *certificate, const char *expected) {
    struct error e;
    cleanup_buffer struct buffer subject = buffer_create(TEXT_MAX);
    must(certificate_append_subject(certificate, &subject, &e), e);
    assert_string_equal(buffer_text(&subject), expected);
}

static void certificates_are_named_after_the_webhook(void **) {
    cleanup_authority struct webhook_authority authority = made();
    assert_subject(authority.ca, "CN=QubeSec webhook CA,O=qubesec.io");
    assert_subject(authority.leaf, "CN=QubeSec webhook,O=qubesec.io");
}

static void a_leaf_is_renewed_at_two_thirds_of_its_life(void **) {
    cleanup_authority struct webhook_authority authority = made();
    cleanup_view struct view before = view_of(&authority);
    assert_int_equal(decide(&authority, plan_at(start + 59 * DAY)), WEBHOOK_NOTHING);
    expect(&authority, WEBHOOK_RENEW_LEAF, plan_at(start + 61 * DAY));
    cleanup_view struct view after = view_of(&authority);
    assert_false(same(&before.chain, &after.chain));
    assert_true(same(&before.bundle, &after.bundle));
    assert_true(is_accepted(&after.chain, &after.bundle, start + 61 * DAY));
    assert_int_equal(decide(&authority, plan_at(start + 61 * DAY)), WEBHOOK_NOTHING);
}

static void an_expired_leaf_is_renewed(void **) {
    cleanup_authority struct webhook_authority authority = made();
    expect(&authority, WEBHOOK_RENEW_LEAF, plan_at(start + 400 * DAY));
    assert_int_equal(decide(&authority, plan_at(start + 400 * DAY)), WEBHOOK_NOTHING);
}

static void a_leaf_from_the_future_is_renewed(void **) { // another replica's clock is wrong
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_RENEW_LEAF, plan_at(start + 30 * DAY));
    expect(&authority, WEBHOOK_RENEW_LEAF, plan_at(start));
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_NOTHING);
}

static void other_names_need_another_leaf(void **) {
    struct error e;
    cleanup_authority struct webhook_authority authority = made();
    struct san other[2] = {wanted_names[0]};
    must(san_parse("webhook.example.com", &other[1], &e), e);
    struct webhook_plan plan = plan_at(start);
    plan.names = other;
    expect(&authority, WEBHOOK_RENEW_LEAF, plan);
    assert_int_equal(decide(&authority, plan), WEBHOOK_NOTHING);
    plan.name_count = 1;
    assert_int_equal(decide(&authority, plan), WEBHOOK_RENEW_LEAF);
    san_done(&other[1]);
}

static void a_leaf_can_be_asked_for(void **) {
    cleanup_authority struct webhook_authority authority = made();
    authority.request = WEBHOOK_REQUEST_LEAF;
    expect(&authority, WEBHOOK_RENEW_LEAF, plan_at(start));
    assert_int_equal(authority.request, WEBHOOK_REQUEST_NONE);
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_NOTHING);
}

static void a_request_that_nobody_understands_goes(void **) {
    cleanup_authority struct webhook_authority authority = made();
    authority.request = WEBHOOK_REQUEST_UNKNOWN;
    expect(&authority, WEBHOOK_REFUSE_REQUEST, plan_at(start));
    assert_int_equal(authority.request, WEBHOOK_REQUEST_NONE);
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_NOTHING);
}

// Whoever trusts one's bundle accepts the other's leaf, and the other way round: one replica, or one API
// server, may be a step behind.
static void check_side_by_side(const struct view *one, const struct view *other, int64_t now) {
    assert_true(is_accepted(&one->chain, &other->bundle, now));
    assert_true(is_accepted(&other->chain, &one->bundle, now));
    assert_true(is_accepted(&one->chain, &one->bundle, now));
    assert_true(is_accepted(&other->chain, &other->bundle, now));
}

// The whole rotation; each of its states goes through the Secret.
static void rotate(struct webhook_authority *authority, int64_t now) {
    static const struct {
        enum webhook_step step;
        int64_t after;
        int64_t not_before; // nothing is due then
    } steps[] = {{WEBHOOK_INTRODUCE_CA, 0, 0},
                 {WEBHOOK_START_OVERLAP, 10, 0},
                 {WEBHOOK_SWITCH_LEAF, 10 + OVERLAP, 9 + OVERLAP},
                 {WEBHOOK_DROP_CA, 10 + 2 * OVERLAP, 9 + 2 * OVERLAP}};
    cleanup_view struct view first = view_of(authority);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        cleanup_view struct view before = view_of(authority);
        if (steps[i].not_before > 0) {
            assert_int_equal(decide(authority, plan_at(now + steps[i].not_before)), WEBHOOK_NOTHING);
        }
        expect(authority, steps[i].step, plan_at(now + steps[i].after));
        cleanup_view struct view after = view_of(authority);
        check_side_by_side(&before, &after, now);
        assert_int_equal(same(&before.chain, &after.chain), steps[i].step != WEBHOOK_SWITCH_LEAF);
        bool other_bundle = steps[i].step == WEBHOOK_INTRODUCE_CA || steps[i].step == WEBHOOK_DROP_CA;
        assert_int_equal(same(&before.bundle, &after.bundle), !other_bundle);
        cleanup_json yyjson_doc *secret = secret_of(authority);
        webhook_authority_done(authority);
        *authority = read_back(secret);
    }
    int64_t end = now + 10 + 2 * OVERLAP;
    cleanup_view struct view last = view_of(authority);
    assert_false(is_accepted(&first.chain, &last.bundle, end));
    assert_false(is_accepted(&last.chain, &first.bundle, end));
    assert_int_equal(authority->overlap_since, 0);
    assert_int_equal(decide(authority, plan_at(end)), WEBHOOK_NOTHING);
}

static void a_ca_can_be_asked_for(void **) {
    cleanup_authority struct webhook_authority authority = made();
    authority.request = WEBHOOK_REQUEST_CA;
    rotate(&authority, start + DAY);
    assert_int_equal(authority.request, WEBHOOK_REQUEST_NONE);
}

static void a_ca_is_replaced_long_before_its_end(void **) {
    cleanup_authority struct webhook_authority authority = made();
    int64_t end = certificate_not_after(authority.ca);
    advance(&authority, WEBHOOK_RENEW_LEAF, plan_at(end - 181 * DAY));
    assert_int_equal(decide(&authority, plan_at(end - 181 * DAY)), WEBHOOK_NOTHING);
    assert_true(certificate_not_after(authority.leaf) < end);
    advance(&authority, WEBHOOK_RENEW_LEAF, plan_at(end - 179 * DAY));
    rotate(&authority, end - 179 * DAY);
}

static void a_request_waits_for_the_rotation_that_runs(void **) {
    cleanup_authority struct webhook_authority authority = made();
    authority.request = WEBHOOK_REQUEST_CA;
    expect(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    authority.request = WEBHOOK_REQUEST_CA; // once more
    expect(&authority, WEBHOOK_START_OVERLAP, plan_at(start));
    expect(&authority, WEBHOOK_SWITCH_LEAF, plan_at(start + OVERLAP));
    assert_int_equal(authority.request, WEBHOOK_REQUEST_CA);
    expect(&authority, WEBHOOK_DROP_CA, plan_at(start + 2 * OVERLAP));
    expect(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start + 2 * OVERLAP));
    assert_int_equal(authority.request, WEBHOOK_REQUEST_NONE);
}

static void test_trap_24_nothing_goes_on_while_the_bundle_is_not_published(void **) {
    cleanup_authority struct webhook_authority authority = made();
    struct webhook_plan unpublished = plan_at(start + DAY);
    unpublished.published = false;
    authority.request = WEBHOOK_REQUEST_CA;
    expect(&authority, WEBHOOK_INTRODUCE_CA, unpublished);
    assert_int_equal(decide(&authority, unpublished), WEBHOOK_NOTHING);
    expect(&authority, WEBHOOK_START_OVERLAP, plan_at(start + DAY));
    unpublished.now += OVERLAP;
    assert_int_equal(decide(&authority, unpublished), WEBHOOK_NOTHING);
    expect(&authority, WEBHOOK_SWITCH_LEAF, plan_at(start + DAY + OVERLAP));
    unpublished.now += OVERLAP;
    assert_int_equal(decide(&authority, unpublished), WEBHOOK_NOTHING);
    assert_int_equal(decide(&authority, plan_at(unpublished.now)), WEBHOOK_DROP_CA);
}

static void a_leaf_is_renewed_while_the_bundle_is_not_published(void **) {
    cleanup_authority struct webhook_authority authority = made();
    struct webhook_plan unpublished = plan_at(start + 61 * DAY);
    unpublished.published = false;
    authority.request = WEBHOOK_REQUEST_CA;
    advance(&authority, WEBHOOK_INTRODUCE_CA, unpublished);
    expect(&authority, WEBHOOK_RENEW_LEAF, unpublished);
    assert_int_equal(decide(&authority, unpublished), WEBHOOK_NOTHING);
    assert_non_null(authority.next_ca);
}

static void the_overlap_begins_anew_when_the_bundle_was_lost(void **) {
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    expect(&authority, WEBHOOK_START_OVERLAP, plan_at(start));
    struct webhook_plan restored = plan_at(start + OVERLAP);
    restored.just_published = true;
    expect(&authority, WEBHOOK_START_OVERLAP, restored);
    assert_int_equal(decide(&authority, plan_at(start + OVERLAP)), WEBHOOK_NOTHING);
    expect(&authority, WEBHOOK_SWITCH_LEAF, plan_at(start + 2 * OVERLAP));
}

static void an_overlap_in_the_future_is_waited_for_only_so_long(void **) {
    cleanup_authority struct webhook_authority authority = made();
    advance(&authority, WEBHOOK_INTRODUCE_CA, plan_at(start));
    authority.overlap_since = start + 5; // another replica's clock
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_NOTHING);
    assert_int_equal(decide(&authority, plan_at(start + OVERLAP)), WEBHOOK_NOTHING);
    assert_int_equal(decide(&authority, plan_at(start + 5 + OVERLAP)), WEBHOOK_SWITCH_LEAF);
    authority.overlap_since = start + 400 * DAY;
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_START_OVERLAP);
}

static void an_expired_ca_takes_all_with_it(void **) {
    cleanup_authority struct webhook_authority authority = made();
    int64_t late = certificate_not_after(authority.ca) + 1;
    expect(&authority, WEBHOOK_MAKE_ALL, plan_at(late));
    cleanup_view struct view view = view_of(&authority);
    assert_true(is_accepted(&view.chain, &view.bundle, late));
    assert_int_equal(decide(&authority, plan_at(late)), WEBHOOK_NOTHING);
}

static void a_leaf_that_ends_with_its_ca_is_not_renewed_for_ever(void **) {
    cleanup_authority struct webhook_authority authority = made();
    struct webhook_plan plan = plan_at(certificate_not_after(authority.ca) - 10 * DAY);
    plan.published = false;
    expect(&authority, WEBHOOK_RENEW_LEAF, plan);
    assert_int_equal(certificate_not_after(authority.leaf), certificate_not_after(authority.ca));
    expect(&authority, WEBHOOK_INTRODUCE_CA, plan);
    plan.now = certificate_not_after(authority.ca) - DAY;
    assert_int_equal(decide(&authority, plan), WEBHOOK_NOTHING);
}

static void a_leaf_of_another_ca_is_renewed(void **) {
    cleanup_authority struct webhook_authority authority = made();
    cleanup_authority struct webhook_authority other = made();
    struct certificate *leaf = authority.leaf;
    authority.leaf = other.leaf;
    other.leaf = leaf;
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_RENEW_LEAF);
}

static void what_was_lost_stays_trusted_for_an_overlap(void **) {
    struct error e;
    cleanup_authority struct webhook_authority lost = made();
    cleanup_view struct view before = view_of(&lost);
    cleanup_authority struct webhook_authority authority = {0};
    struct webhook_plan plan = plan_at(start + DAY);
    must(webhook_authority_advance(&authority, WEBHOOK_MAKE_ALL, lost.ca, &plan, &e), e);
    cleanup_view struct view after = view_of(&authority);
    assert_true(is_accepted(&after.chain, &after.bundle, plan.now));
    assert_true(is_accepted(&before.chain, &after.bundle, plan.now)); // of a replica that does not know yet
    assert_int_equal(decide(&authority, plan_at(plan.now + OVERLAP - 1)), WEBHOOK_NOTHING);
    expect(&authority, WEBHOOK_DROP_CA, plan_at(plan.now + OVERLAP));
    cleanup_view struct view last = view_of(&authority);
    assert_false(is_accepted(&before.chain, &last.bundle, plan.now));
}

// Reads the authority anew, then decides and does a step with so many allocations.
static bool try_step(yyjson_doc *secret, enum webhook_step step, long allocations) {
    struct error e = {0};
    struct webhook_plan plan = plan_at(start);
    cleanup_authority struct webhook_authority authority = read_back(secret);
    enum webhook_step due;
    const char *why;
    memory_left = allocations;
    bool decided = webhook_authority_decide(&authority, &plan, &due, &why, &e);
    bool done = decided && webhook_authority_advance(&authority, step, nullptr, &plan, &e);
    memory_left = -1;
    assert_true(decided || e.class == ERROR_NO_MEMORY); // it is never taken for a fault of a certificate
    assert_true(!decided || due == WEBHOOK_NOTHING || due == WEBHOOK_START_OVERLAP);
    assert_true(authority.ca != nullptr && authority.leaf != nullptr);
    ERR_clear_error();
    return done;
}

static void memory_may_run_out(void **) {
    static const enum webhook_step steps[] = {WEBHOOK_RENEW_LEAF,    WEBHOOK_INTRODUCE_CA,
                                              WEBHOOK_START_OVERLAP, WEBHOOK_SWITCH_LEAF,
                                              WEBHOOK_DROP_CA,       WEBHOOK_MAKE_ALL};
    cleanup_authority struct webhook_authority authority = made();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        cleanup_json yyjson_doc *secret = secret_of(&authority);
        bool done = false;
        for (long allocations = 0; !done && allocations < 20000; allocations += 1 + allocations / 50) {
            done = try_step(secret, steps[i], allocations);
        }
        assert_true(done);
        advance(&authority, steps[i], plan_at(start));
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_made_where_nothing_is),
        cmocka_unit_test(certificates_are_named_after_the_webhook),
        cmocka_unit_test(a_leaf_is_renewed_at_two_thirds_of_its_life),
        cmocka_unit_test(an_expired_leaf_is_renewed),
        cmocka_unit_test(a_leaf_from_the_future_is_renewed),
        cmocka_unit_test(other_names_need_another_leaf),
        cmocka_unit_test(a_leaf_can_be_asked_for),
        cmocka_unit_test(a_request_that_nobody_understands_goes),
        cmocka_unit_test(a_ca_can_be_asked_for),
        cmocka_unit_test(a_ca_is_replaced_long_before_its_end),
        cmocka_unit_test(a_request_waits_for_the_rotation_that_runs),
        cmocka_unit_test(test_trap_24_nothing_goes_on_while_the_bundle_is_not_published),
        cmocka_unit_test(a_leaf_is_renewed_while_the_bundle_is_not_published),
        cmocka_unit_test(the_overlap_begins_anew_when_the_bundle_was_lost),
        cmocka_unit_test(an_overlap_in_the_future_is_waited_for_only_so_long),
        cmocka_unit_test(an_expired_ca_takes_all_with_it),
        cmocka_unit_test(a_leaf_that_ends_with_its_ca_is_not_renewed_for_ever),
        cmocka_unit_test(a_leaf_of_another_ca_is_renewed),
        cmocka_unit_test(what_was_lost_stays_trusted_for_an_overlap),
        cmocka_unit_test(memory_may_run_out),
    };
    start_webhook_tests();
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
