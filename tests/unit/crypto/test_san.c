#include "../base/short_memory.h"
#include "support.h"

#include "crypto/hostname.h"
#include "crypto/san.h"

static void reads(const char *text, enum san_type type, const char *canonical) {
    struct error e;
    struct san san;
    must(san_parse(text, &san, &e), e);
    assert_int_equal(san.type, type);
    assert_string_equal(san.text, canonical);
    san_done(&san);
}

static void refuses(const char *text, const char *part) {
    struct error e;
    struct san san = {.type = SAN_URI};
    must_fail(san_parse(text, &san, &e), e, ERROR_INVALID_SPEC, part);
    assert_null(san.text);
}

static void host_names(void **) {
    reads("example.com", SAN_DNS, "example.com");
    reads("EXAMPLE.Com", SAN_DNS, "example.com");
    reads("localhost", SAN_DNS, "localhost");
    reads("*.example.com", SAN_DNS, "*.example.com");
    reads("a-b.c-1.example", SAN_DNS, "a-b.c-1.example");
    reads("3com.example", SAN_DNS, "3com.example");
    reads("b\xc3\xbc"
          "cher.example",
          SAN_DNS, "xn--bcher-kva.example");
    reads("B\xc3\x9c"
          "CHER.example",
          SAN_DNS, "xn--bcher-kva.example");
    reads("xn--bcher-kva.example", SAN_DNS, "xn--bcher-kva.example");
    reads("*.b\xc3\xbc"
          "cher.example",
          SAN_DNS, "*.xn--bcher-kva.example");
    reads("stra\xc3\x9f"
          "e.example",
          SAN_DNS, "xn--strae-oqa.example"); // IDNA 2008, nontransitional
}

static void what_is_no_host_name(void **) {
    refuses("", "it is empty");
    refuses("*", "wildcard");
    refuses("*.com", "wildcard");
    refuses("*.*.example.com", "wildcard");
    refuses("a.*.example.com", "wildcard");
    refuses("f*.example.com", "wildcard");
    refuses("example.com.", "empty label");
    refuses(".example.com", "empty label");
    refuses("a..b", "empty label");
    refuses("-a.example", "hyphen");
    refuses("a-.example", "hyphen");
    refuses("a_b.example", "underscore");
    refuses("a b.example", "space");
    refuses("example.com:443", "port");
    refuses("10.0.0.0/8", "prefix length");
    refuses("192.0.2.300", "as if it were an address");
    refuses("1.2.3", "as if it were an address");
    refuses("127.0x1", "as if it were an address"); // some clients' 127.0.0.1
    refuses("a.0XFF", "as if it were an address");
    refuses("a.0x", "as if it were an address");
    reads("a.0xg", SAN_DNS, "a.0xg");
    refuses("a!.example", "letters, digits and '-'");
    refuses("xn--a.example", "not a host name");            // no valid A-label
    refuses("\xf0\x9f\x92\xa9.example", "not a host name"); // emoji are not of IDNA 2008
    refuses("\xff.example", "not a host name");             // no UTF-8
    char label[80] = {0};
    memset(label, 'a', 64);
    refuses(label, "longer than 63");
    char name[300] = {0};
    for (size_t i = 0; i < 254; i++) {
        name[i] = i % 2 == 0 ? 'a' : '.';
    }
    name[254] = 'a';
    refuses(name, "longer than");
}

static void the_longest_host_name(void **) {
    char name[300] = {0};
    for (size_t i = 0; i < 253; i++) {
        name[i] = i % 2 == 0 ? 'a' : '.';
    }
    reads(name, SAN_DNS, name);
}

static void addresses(void **) {
    struct error e;
    struct san san;
    reads("192.0.2.1", SAN_IP, "192.0.2.1");
    reads("2001:DB8:0:0::1", SAN_IP, "2001:db8::1");
    reads("::1", SAN_IP, "::1");
    must(san_parse("192.0.2.1", &san, &e), e);
    assert_int_equal(san.bytes_length, 4);
    assert_memory_equal(san.bytes, "\xc0\x00\x02\x01", 4);
    san_done(&san);
    reads("::192.0.2.1", SAN_IP, "::192.0.2.1");
    refuses("IP:example.com", "not an IP address");
    refuses("IP:10.0.0.0/8", "not an IP address");
    refuses("IP:fe80::1%eth0", "zone");
    // Go refuses a whole certificate with such an address.
    refuses("::ffff:192.0.2.1", "an IPv4 address in an IPv6 address, which clients refuse; write 192.0.2.1");
    refuses("IP:::FFFF:c000:201", "write 192.0.2.1");
}

// They would be URIs by their form.
static void what_looks_like_an_address_is_none_of_the_others(void **) {
    static const char *const texts[] = {"fe80::1%eth0", "fe80::1%ee", "fd00::/8",
                                        "fd00:1:2:3",   "dead:beef:", "aa:bb:cc:dd:ee:ff"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuses(texts[i], "not an IP address");
    }
    reads("feed://example.com/a", SAN_URI, "feed://example.com/a");
    reads("dead:beef", SAN_URI, "dead:beef");
    reads("a:/b:c", SAN_URI, "a:/b:c");
    reads("URI:dead:beef:", SAN_URI, "dead:beef:");
}

static void a_host_and_a_port_are_no_uri(void **) {
    static const char *const texts[] = {"web:8443",        "web:8443/healthz",  "web:0?a",  "web-1:443#a",
                                        "example.com:443", "cafe:8443",         "DNS:a:80", "192.0.2.1:80",
                                        "DNS:[::1]:80",    "localhost:00000001"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuses(texts[i], "a host name has no port");
    }
    refuses("web:8443",
            "not a host name: a host name has no port; if it is meant as a URI, write URI:web:8443");
    refuses("web:", "not an absolute URI");
    reads("URI:tel:112", SAN_URI, "tel:112"); // said in so many words
    reads("tel:+49-30-1", SAN_URI, "tel:+49-30-1");
    reads("urn:8443:a", SAN_URI, "urn:8443:a");
    reads("web://a:8443", SAN_URI, "web://a:8443");
}

static void e_mail_addresses(void **) {
    reads("me@example.com", SAN_EMAIL, "me@example.com");
    reads("First.Last+tag@EXAMPLE.com", SAN_EMAIL, "First.Last+tag@example.com");
    reads("me@b\xc3\xbc"
          "cher.example",
          SAN_EMAIL, "me@xn--bcher-kva.example");
    refuses("@example.com", "before");
    refuses("a..b@example.com", "before");
    refuses("\xc3\xbc@example.com", "before");
    refuses("a@b@example.com", "before");
    refuses("me@", "the part after the @");
    refuses("me@*.example.com", "the part after the @");
    refuses("\"a b\"@example.com", "before");
    refuses("me@under_score.example", "underscore");
}

static void uris(void **) {
    reads("spiffe://example.com/workload", SAN_URI, "spiffe://example.com/workload");
    reads("https://EXAMPLE.com:8443/Path?q=1#f", SAN_URI, "https://example.com:8443/Path?q=1#f");
    reads("https://user@b\xc3\xbc"
          "cher.example/a",
          SAN_URI, "https://user@xn--bcher-kva.example/a");
    reads("https://[2001:db8::1]:8443/", SAN_URI, "https://[2001:db8::1]:8443/");
    reads("https://192.0.2.1/", SAN_URI, "https://192.0.2.1/");
    reads("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", SAN_URI,
          "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    refuses("https://", "the URI's host");
    refuses("https:///path", "the URI's host");
    reads("https://example.com:/", SAN_URI, "https://example.com:/");
    reads("https://192.0.2.1:80", SAN_URI, "https://192.0.2.1:80");
    refuses("https://example.com:http/", "no port");
    refuses("https://[2001:db8::1]:http/", "the URI's host");
    refuses("https://[2001:db8::1/", "the URI's host");
    refuses("https://[2001:db8::1]x/", "the URI's host");
    refuses("https://[example.com]/", "the URI's host");
    refuses("https://[192.0.2.1]/", "the URI's host");
    refuses("https://2001:db8::1/", "the URI's host");
    refuses("https://a@b@example.com/", "the URI's host");
    refuses("https://[a]@example.com/", "characters that a URI cannot have");
    refuses("https://example.com/[a]", "characters that a URI cannot have");
    refuses("https://example.com/#a#b", "characters that a URI cannot have");
    refuses("https://a_b.example/", "underscore");
    refuses("https://example.com/a b", "characters that a URI cannot have");
    refuses("https://example.com/\xc3\xbc", "characters that a URI cannot have");
    refuses("https://example.com/%4", "characters that a URI cannot have");
    refuses("urn:", "not an absolute URI");
    refuses("URI:no-scheme", "not an absolute URI");
}

static void prefixes(void **) {
    reads("DNS:example.com", SAN_DNS, "example.com");
    reads("dns:example.com", SAN_DNS, "example.com");
    reads("IP:192.0.2.1", SAN_IP, "192.0.2.1");
    reads("IP Address:::1", SAN_IP, "::1");
    reads("email:me@example.com", SAN_EMAIL, "me@example.com");
    reads("URI:urn:a:b", SAN_URI, "urn:a:b");
    refuses("email:example.com", "not an e-mail address");
    refuses("DNS:me@example.com", "letters, digits");
}

static void a_text_that_is_too_long(void **) {
    char text[SAN_TEXT_MAX + 2];
    memset(text, 'a', sizeof(text));
    memcpy(text, "urn:", 4);
    text[SAN_TEXT_MAX + 1] = '\0';
    refuses(text, "at most 2048");
}

static void names_are_compared(void **) {
    static const struct {
        const char *one;
        const char *other;
        bool same;
    } pairs[] = {
        {"Example.com", "example.COM", true},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", true},
        {"2001:db8::1", "2001:DB8:0::1", true},
        {"example.com", "www.example.com", false},
        {"192.0.2.1", "::192.0.2.1", false},
        {"urn:example.com:a", "DNS:example.com", false},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct error e;
        struct san one;
        struct san other;
        must(san_parse(pairs[i].one, &one, &e), e);
        must(san_parse(pairs[i].other, &other, &e), e);
        assert_int_equal(san_equals(&one, &other), pairs[i].same);
        san_done(&one);
        san_done(&other);
    }
}

static void memory_may_be_out(void **) {
    static const char *const texts[] = {"example.com", "192.0.2.1", "me@example.com", "urn:a:b"};
    for (size_t i = 0; i < 4; i++) {
        struct error e;
        struct san san = {0};
        memory_left = 0;
        must_fail(san_parse(texts[i], &san, &e), e, ERROR_NO_MEMORY, "");
        memory_left = -1;
        assert_null(san.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_names),
        cmocka_unit_test(what_is_no_host_name),
        cmocka_unit_test(the_longest_host_name),
        cmocka_unit_test(addresses),
        cmocka_unit_test(what_looks_like_an_address_is_none_of_the_others),
        cmocka_unit_test(a_host_and_a_port_are_no_uri),
        cmocka_unit_test(e_mail_addresses),
        cmocka_unit_test(uris),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(a_text_that_is_too_long),
        cmocka_unit_test(names_are_compared),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests_name("crypto/san", tests, nullptr, nullptr);
}
