#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kube/resource.h"

static const struct kube_resource widgets = {
    .group = "qubesec.io", .version = "v1", .kind = "Widget", .plural = "widgets"};

static void check(const struct kube_resource *resource, const char *ns, const char *name,
                  const char *subresource, const char *expected) {
    struct error e;
    cleanup_buffer struct buffer path = buffer_create(1000);
    assert_true(kube_resource_path(resource, ns, name, subresource, &path, &e));
    assert_string_equal(buffer_text(&path), expected);
}

static void paths_follow_group_namespace_and_name(void **state) {
    (void)state;
    check(&kube_secrets, nullptr, nullptr, nullptr, "/api/v1/secrets");
    check(&kube_secrets, "ns", nullptr, nullptr, "/api/v1/namespaces/ns/secrets");
    check(&kube_config_maps, "ns", "name", nullptr, "/api/v1/namespaces/ns/configmaps/name");
    check(&kube_events, "ns", "a.1f", nullptr, "/apis/events.k8s.io/v1/namespaces/ns/events/a.1f");
    check(&widgets, nullptr, nullptr, nullptr, "/apis/qubesec.io/v1/widgets");
    check(&widgets, nullptr, "name", "status", "/apis/qubesec.io/v1/widgets/name/status");
    check(&widgets, "ns", "name", "status", "/apis/qubesec.io/v1/namespaces/ns/widgets/name/status");
}

static void parts_are_percent_encoded(void **state) {
    (void)state;
    check(&kube_secrets, "a/b", "../x?y=z#%", nullptr,
          "/api/v1/namespaces/a%2Fb/secrets/..%2Fx%3Fy%3Dz%23%25");
    check(&kube_secrets, "ns", "\xC3\xA9 ~_", nullptr, "/api/v1/namespaces/ns/secrets/%C3%A9%20~_");
}

static void a_path_over_the_cap_is_an_error(void **state) {
    (void)state;
    for (size_t cap = 0; cap < 38; cap++) {
        struct error e;
        cleanup_buffer struct buffer path = buffer_create(cap);
        assert_false(kube_resource_path(&kube_secrets, "ns", "a/b", "status", &path, &e));
        assert_int_equal(e.class, ERROR_INTERNAL);
    }
    cleanup_buffer struct buffer path = buffer_create(42);
    struct error e;
    assert_true(kube_resource_path(&kube_secrets, "ns", "a/b", "status", &path, &e));
    assert_int_equal(path.length, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_follow_group_namespace_and_name),
        cmocka_unit_test(parts_are_percent_encoded),
        cmocka_unit_test(a_path_over_the_cap_is_an_error),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
