#include "../kinds/support.h"

#include "engine/unknown_field.h"

static void assert_unknown(const struct kind *kind, const char *spec, const char *path) {
    char found[UNKNOWN_FIELD_SIZE] = "";
    cleanup_json yyjson_doc *document = parse_quoted(spec);
    bool is_unknown = unknown_field_find(kind, yyjson_doc_get_root(document), found);
    assert_int_equal(is_unknown, path != nullptr);
    assert_string_equal(found, path == nullptr ? "" : path);
}

static void what_the_tables_have_is_known(void **) {
    assert_unknown(&kind_random_number, "{}", nullptr);
    assert_unknown(&kind_random_number,
                   "{'numBytes':1,'bytes':1,'secretName':'a','deletionPolicy':'Retain','onKeyLoss':'Fail',"
                   "'secretTemplate':{'labels':{'any':'x'},'annotations':{'other':'y'}}}",
                   nullptr);
    assert_unknown(&kind_certificate,
                   "{'days':1,'domain':'a','privateKey':{'rotationPolicy':'Never'},'serviceAccountName':'s',"
                   "'parentCARef':{'name':'a','namespace':'b','kind':'c','key':'d'}}",
                   nullptr);
    assert_unknown(&kind_random_number,
                   "{'rotation':{'every':'1h','keep':1,'keepFor':'1h','publishAhead':'1h',"
                   "'window':{'schedule':'@daily','timeZone':'UTC','duration':'1h'}}}",
                   nullptr);
    // Known, so that the decoder can say what to write in their place.
    assert_unknown(&kind_certificate, "{'dnsNames':[],'issuerRef':{'any':1},'privateKey':{'size':1}}",
                   nullptr);
    char found[UNKNOWN_FIELD_SIZE];
    assert_false(unknown_field_find(&kind_random_number, nullptr, found));
}

static void a_typing_error_is_named(void **) {
    assert_unknown(&kind_certificate, "{'durationDays':1,'durationDay':5}", "spec.durationDay");
    assert_unknown(&kind_certificate, "{'privateKey':{'rotationpolicy':'Never'}}",
                   "spec.privateKey.rotationpolicy");
    assert_unknown(&kind_certificate, "{'parentCARef':{'nam':'a'}}", "spec.parentCARef.nam");
    assert_unknown(&kind_random_number, "{'secretTemplate':{'lables':{}}}", "spec.secretTemplate.lables");
    assert_unknown(&kind_random_number, "{'rotation':{'Every':'1h'}}", "spec.rotation.Every");
    assert_unknown(&kind_random_number, "{'rotation':{'window':{'shedule':'@daily'}}}",
                   "spec.rotation.window.shedule");
    assert_unknown(&kind_random_number, "{'rotation':{'window.schedule':'@daily'}}",
                   "spec.rotation.window.schedule");
    assert_unknown(&kind_random_number, "{'rotation':{'window':{'schedule\\u0000':1}}}",
                   "spec.rotation.window.schedule\\u0000");
    assert_unknown(&kind_random_number, "{'window':{}}", "spec.window");
    assert_unknown(&kind_sign_message, "{'rotation':{'every':'1h'}}", "spec.rotation");
    assert_unknown(&kind_random_number, "{'Numbytes':1}", "spec.Numbytes");
    // What only other kinds have.
    assert_unknown(&kind_random_number, "{'algorithm':'x'}", "spec.algorithm");
    assert_unknown(&kind_random_number, "{'serviceAccountName':'x'}", "spec.serviceAccountName");
    assert_unknown(&kind_random_number, "{'dnsNames':[]}", "spec.dnsNames");
    assert_unknown(&kind_sign_message, "{'onKeyLoss':'Fail'}", "spec.onKeyLoss");
    assert_unknown(&kind_verify_signature, "{'outputSecretName':'x'}", "spec.outputSecretName");
    // A name that is a part of one, and one that only looks like a path.
    assert_unknown(&kind_certificate, "{'private':{}}", "spec.private");
    assert_unknown(&kind_certificate, "{'privateKey.rotationPolicy':'Never'}",
                   "spec.privateKey.rotationPolicy");
    // One that a C string would take for a name.
    assert_unknown(&kind_random_number, "{'numBytes\\u0000x':1}", "spec.numBytes\\u0000x");
    assert_unknown(&kind_certificate, "{'privateKey\\u0000':{}}", "spec.privateKey\\u0000");
    assert_unknown(&kind_certificate, "{'privateKey':{'rotationPolicy\\u0000':1}}",
                   "spec.privateKey.rotationPolicy\\u0000");
    assert_unknown(&kind_certificate, "{'parentCARef':{'name\\u0000':'a'}}", "spec.parentCARef.name\\u0000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_tables_have_is_known),
        cmocka_unit_test(a_typing_error_is_named),
    };
    return cmocka_run_group_tests_name("engine/unknown_field", tests, nullptr, nullptr);
}
