// Who is in, and who has to go: without sockets, and in a time that the test makes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 2000 };

static struct http_crowd crowd;
static int64_t now;

static int set_up(void **) {
    crowd = (struct http_crowd){.visitors_max = 6, .peer_max = 3};
    now = 1000000;
    return 0;
}

static struct http_peer peer_at(const char *address) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        return http_peer_of((const struct sockaddr *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return http_peer_of((const struct sockaddr *)&v6);
}

static void join(struct http_visitor *visitor, const char *address, enum http_phase phase) {
    const struct http_peer peer = peer_at(address);
    *visitor = (struct http_visitor){0};
    http_crowd_join(&crowd, visitor, phase, now++);
    http_crowd_meet(&crowd, visitor, &peer);
}

// Who goes when visitor comes; it is told to, as whoever uses the crowd does.
static struct http_visitor *push_out(const struct http_visitor *visitor) {
    struct http_visitor *excess = http_crowd_find_excess(&crowd, visitor, now);
    if (excess != nullptr) {
        http_crowd_dismiss(&crowd, excess);
    }
    return excess;
}

static struct http_visitor *come(struct http_visitor *visitor, const char *address, enum http_phase phase) {
    join(visitor, address, phase);
    return push_out(visitor);
}

static void while_there_is_room_nobody_goes(void **) {
    struct http_visitor visitors[6];
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    for (size_t i = 0; i < 6; i++) {
        assert_null(come(&visitors[i], addresses[i % 3], HTTP_RECEIVING));
        now += 10000;
    }
    http_crowd_leave(&crowd, &visitors[2]);
    assert_null(come(&visitors[2], "192.0.2.3", HTTP_HANDSHAKE));
}

static void the_first_to_go_is_who_is_waited_for_longest(void **) {
    struct http_visitor visitors[7];
    join(&visitors[0], "192.0.2.1", HTTP_IDLE);
    join(&visitors[1], "192.0.2.2", HTTP_RECEIVING);
    join(&visitors[2], "192.0.2.3", HTTP_ANSWERING);
    join(&visitors[3], "192.0.2.4", HTTP_HANDSHAKE);
    join(&visitors[4], "192.0.2.5", HTTP_RECEIVING);
    join(&visitors[5], "192.0.2.6", HTTP_IDLE);
    now += HTTP_CROWD_PATIENCE_MS + 10;
    assert_ptr_equal(come(&visitors[6], "192.0.2.7", HTTP_HANDSHAKE), &visitors[1]);
    struct http_visitor more[4];
    assert_ptr_equal(come(&more[0], "192.0.2.8", HTTP_HANDSHAKE), &visitors[2]);
    assert_ptr_equal(come(&more[1], "192.0.2.9", HTTP_HANDSHAKE), &visitors[3]);
    http_crowd_enter(&crowd, &visitors[4], HTTP_ANSWERING, now); // its request is whole, just now
    assert_ptr_equal(come(&more[2], "192.0.2.10", HTTP_HANDSHAKE), &visitors[0]);
}

static void use(struct http_visitor *visitor) {
    http_crowd_enter(&crowd, visitor, HTTP_RECEIVING, now);
    http_crowd_enter(&crowd, visitor, HTTP_ANSWERING, now);
    http_crowd_enter(&crowd, visitor, HTTP_IDLE, now++);
}

static void the_quick_are_spared_for_as_long_as_others_are_idle(void **) {
    struct http_visitor visitors[6];
    struct http_visitor more[4];
    join(&visitors[1], "192.0.2.2", HTTP_IDLE);
    use(&visitors[1]);
    join(&visitors[0], "192.0.2.1", HTTP_RECEIVING);
    join(&visitors[2], "192.0.2.3", HTTP_HANDSHAKE);
    join(&visitors[3], "192.0.2.4", HTTP_IDLE);
    join(&visitors[4], "192.0.2.5", HTTP_ANSWERING);
    join(&visitors[5], "192.0.2.6", HTTP_RECEIVING);
    assert_ptr_equal(come(&more[0], "192.0.2.7", HTTP_RECEIVING),
                     &visitors[3]); // it never asked for anything
    assert_ptr_equal(come(&more[1], "192.0.2.8", HTTP_RECEIVING), &visitors[2]);
    assert_ptr_equal(come(&more[2], "192.0.2.9", HTTP_RECEIVING), &visitors[1]);
    assert_ptr_equal(come(&more[3], "192.0.2.10", HTTP_RECEIVING), &visitors[0]);
}

// Three peers, each with fewer than it may have, fill the house and go on knocking: who goes is one of
// theirs, however long the API server's handshake takes and however long it is idle.
static void those_who_have_most_make_room_for_the_others(void **) {
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3"};
    struct http_visitor *idle = calloc(MANY, sizeof(*idle));
    struct http_visitor *bare = calloc(MANY, sizeof(*bare));
    struct http_visitor api[2];
    crowd = (struct http_crowd){.visitors_max = MANY, .peer_max = MANY / 2};
    join(&api[0], "198.51.100.1", HTTP_IDLE);
    use(&api[0]);
    for (size_t i = 0; i < MANY; i++) {
        (void)come(&idle[i], addresses[i % 3], HTTP_IDLE);
        use(&idle[i]);
    }
    assert_non_null(come(&api[1], "198.51.100.1", HTTP_HANDSHAKE));
    for (size_t i = 0; i < MANY; i++) {
        (void)come(&bare[i], addresses[i % 3], HTTP_HANDSHAKE);
        now += 3;
        if (i == MANY / 8) { // 750 ms later
            http_crowd_enter(&crowd, &api[1], HTTP_IDLE, now);
        }
    }
    assert_int_equal(crowd.count, MANY);
    assert_false(api[0].leaving || api[1].leaving);
    free(idle);
    free(bare);
}

static void who_sends_most_is_a_peer(void **) {
    struct http_visitor small[3];
    struct http_visitor large;
    join(&large, "198.51.100.1", HTTP_RECEIVING);
    http_crowd_receive(&crowd, &large, 300);
    for (size_t i = 0; i < 3; i++) {
        join(&small[i], "192.0.2.1", HTTP_RECEIVING);
        http_crowd_receive(&crowd, &small[i], 100 + i);
    }
    assert_ptr_equal(http_crowd_find_largest(&crowd), &small[2]);
    http_crowd_leave(&crowd, &small[0]); // the sum is of those who are left
    assert_ptr_equal(http_crowd_find_largest(&crowd), &large);
    http_crowd_receive(&crowd, &small[1], 100);
    assert_ptr_equal(http_crowd_find_largest(&crowd), &small[1]);
    http_crowd_enter(&crowd, &small[1], HTTP_IDLE, now);
    assert_ptr_equal(http_crowd_find_largest(&crowd), &large);
    assert_int_equal(crowd.received, 402);
}

// A whole backlog comes in before the first of it is met. Wherever in it the kubelet is, who goes is of those
// who have most, and those who were not met yet are nobody's.
static void a_backlog_is_not_one_peer(void **) {
    enum { BATCH = 127, HELD = 128 };
    struct http_visitor held[HELD];
    struct http_visitor batch[BATCH];
    for (size_t kubelet = 0; kubelet < BATCH; kubelet++) {
        crowd = (struct http_crowd){.visitors_max = HELD, .peer_max = HELD / 2};
        for (size_t i = 0; i < HELD; i++) {
            join(&held[i], i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", HTTP_IDLE);
            use(&held[i]);
        }
        for (size_t i = 0; i < BATCH; i++) {
            batch[i] = (struct http_visitor){0};
            http_crowd_join(&crowd, &batch[i], HTTP_IDLE, now);
        }
        for (size_t i = 0; i < BATCH; i++) {
            const struct http_peer peer = peer_at(i == kubelet ? "198.51.100.1" : "192.0.2.3");
            http_crowd_meet(&crowd, &batch[i], &peer);
            assert_ptr_not_equal(push_out(&batch[i]), &batch[kubelet]);
            assert_int_equal(crowd.count, HELD);
        }
        assert_false(batch[kubelet].leaving);
    }
}

static void who_was_not_met_counts_for_nothing(void **) {
    struct http_visitor visitors[6];
    struct http_visitor new[2] = {0};
    const struct http_peer peer = peer_at("192.0.2.9");
    for (size_t i = 0; i < 2; i++) {
        http_crowd_join(&crowd, &new[i], HTTP_RECEIVING, now++);
        http_crowd_receive(&crowd, &new[i], 100);
    }
    assert_true(crowd.count == 0 && crowd.received == 0);
    assert_null(http_crowd_find_largest(&crowd));
    for (size_t i = 0; i < 6; i++) {
        join(&visitors[i], i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", HTTP_IDLE);
    }
    assert_null(push_out(&visitors[5]));
    http_crowd_dismiss(&crowd, &new[1]); // before it is met, and after that it stays so
    http_crowd_meet(&crowd, &new[1], &peer);
    assert_true(crowd.count == 6 && crowd.received == 0);
    http_crowd_meet(&crowd, &new[0], &peer);
    assert_true(crowd.count == 7 && crowd.received == 100);
    assert_ptr_equal(http_crowd_find_largest(&crowd), &new[0]);
    assert_ptr_equal(push_out(&new[0]), &visitors[0]);
    http_crowd_leave(&crowd, &new[1]);
    http_crowd_leave(&crowd, &new[0]);
    assert_true(crowd.count == 5 && crowd.received == 0);
}

static void a_peer_with_too_many_makes_room_itself(void **) {
    struct http_visitor visitors[3];
    struct http_visitor other;
    struct http_visitor more[2];
    join(&other, "192.0.2.1", HTTP_RECEIVING); // longest of all, and not concerned
    for (size_t i = 0; i < 3; i++) {
        join(&visitors[i], "192.0.2.2", HTTP_RECEIVING);
    }
    now += 60000;
    assert_ptr_equal(come(&more[0], "192.0.2.2", HTTP_RECEIVING), &visitors[0]);
    assert_ptr_equal(come(&more[1], "192.0.2.2", HTTP_RECEIVING), &visitors[1]);
    assert_int_equal(crowd.count, 4);
}

// 2,000 half-sent requests of one client, and then of many: the API server is always served, and what it
// has open stays.
static void half_sent_requests_keep_nobody_out(void **) {
    struct http_visitor *slow = calloc(MANY, sizeof(*slow));
    struct http_visitor api[3];
    crowd = (struct http_crowd){.visitors_max = MANY, .peer_max = MANY / 2};
    assert_null(come(&api[0], "198.51.100.1", HTTP_IDLE));
    for (size_t i = 0; i < MANY; i++) {
        struct http_visitor *gone = come(&slow[i], "192.0.2.1", HTTP_RECEIVING);
        assert_ptr_equal(gone, i < MANY / 2 ? nullptr : &slow[i - MANY / 2]);
        now += 10;
    }
    assert_int_equal(crowd.count, MANY / 2 + 1);
    assert_null(come(&api[1], "198.51.100.1", HTTP_HANDSHAKE));
    http_crowd_enter(&crowd, &api[1], HTTP_IDLE, now);
    struct http_visitor *more = calloc(MANY, sizeof(*more));
    for (size_t i = 0; i < MANY; i++) {
        const struct http_visitor *gone =
            come(&more[i], i % 2 == 0 ? "192.0.2.2" : "192.0.2.3", HTTP_RECEIVING);
        assert_true(gone != &api[0] && gone != &api[1]);
        now += 10;
    }
    assert_int_equal(crowd.count, MANY);
    struct http_visitor *gone = come(&api[2], "198.51.100.1", HTTP_HANDSHAKE);
    assert_true(gone != nullptr && gone != &api[0] && gone != &api[1]);
    assert_false(api[0].leaving || api[1].leaving || api[2].leaving);
    free(slow);
    free(more);
}

static void who_was_told_to_go_counts_no_more(void **) {
    struct http_visitor visitors[7];
    for (size_t i = 0; i < 7; i++) {
        join(&visitors[i], i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", HTTP_RECEIVING);
        http_crowd_receive(&crowd, &visitors[i], i + 1);
    }
    assert_int_equal(crowd.received, 28);
    assert_ptr_equal(http_crowd_find_largest(&crowd), &visitors[6]);
    http_crowd_dismiss(&crowd, &visitors[6]);
    http_crowd_dismiss(&crowd, &visitors[6]);
    http_crowd_receive(&crowd, &visitors[6], 1000); // what was under way
    assert_int_equal(crowd.count, 6);
    assert_int_equal(crowd.received, 21);
    assert_ptr_equal(http_crowd_find_largest(&crowd), &visitors[5]);
    assert_null(push_out(&visitors[5]));
    http_crowd_leave(&crowd, &visitors[6]);
    http_crowd_leave(&crowd, &visitors[0]);
    assert_int_equal(crowd.count, 5);
    assert_int_equal(crowd.received, 20);
    for (size_t i = 1; i < 6; i++) {
        http_crowd_leave(&crowd, &visitors[i]);
    }
    assert_true(crowd.first == nullptr && crowd.last == nullptr && crowd.count == 0 && crowd.received == 0);
    assert_null(http_crowd_find_largest(&crowd));
}

static void what_was_answered_is_forgotten(void **) {
    struct http_visitor visitor;
    join(&visitor, "192.0.2.1", HTTP_IDLE);
    assert_int_equal(http_crowd_busy(&crowd), 0);
    http_crowd_enter(&crowd, &visitor, HTTP_RECEIVING, now);
    http_crowd_receive(&crowd, &visitor, 100);
    http_crowd_enter(&crowd, &visitor, HTTP_ANSWERING, now);
    assert_int_equal(crowd.received, 100);
    assert_int_equal(http_crowd_busy(&crowd), 1);
    http_crowd_enter(&crowd, &visitor, HTTP_IDLE, now);
    assert_int_equal(crowd.received, 0);
    assert_int_equal(http_crowd_busy(&crowd), 0);
}

static bool is_one_peer(const char *one, const char *other) {
    struct http_peer a = peer_at(one);
    struct http_peer b = peer_at(other);
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void a_peer_is_an_address_or_the_first_half_of_one(void **) {
    assert_true(is_one_peer("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(is_one_peer("192.0.2.1", "192.0.2.2"));
    assert_false(is_one_peer("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(is_one_peer("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"));
    assert_false(is_one_peer("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_false(is_one_peer("2001:db8:1:2::1", "192.0.2.1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(while_there_is_room_nobody_goes, set_up),
        cmocka_unit_test_setup(the_first_to_go_is_who_is_waited_for_longest, set_up),
        cmocka_unit_test_setup(the_quick_are_spared_for_as_long_as_others_are_idle, set_up),
        cmocka_unit_test_setup(those_who_have_most_make_room_for_the_others, set_up),
        cmocka_unit_test_setup(who_sends_most_is_a_peer, set_up),
        cmocka_unit_test_setup(a_backlog_is_not_one_peer, set_up),
        cmocka_unit_test_setup(who_was_not_met_counts_for_nothing, set_up),
        cmocka_unit_test_setup(a_peer_with_too_many_makes_room_itself, set_up),
        cmocka_unit_test_setup(half_sent_requests_keep_nobody_out, set_up),
        cmocka_unit_test_setup(who_was_told_to_go_counts_no_more, set_up),
        cmocka_unit_test_setup(what_was_answered_is_forgotten, set_up),
        cmocka_unit_test_setup(a_peer_is_an_address_or_the_first_half_of_one, set_up),
    };
    return cmocka_run_group_tests_name("net/http_crowd", tests, nullptr, nullptr);
}
