#include "../kube/objects.h"

#include "reconcile/secret_metadata.h"

#include <stdio.h>

// The functions under test look at no more of a kind than its name.
static const struct kind kind = {
    .group = QUBESEC_GROUP, .version = QUBESEC_API_VERSION, .kind = "QuantumToy"};

#define HOME "'qubesec.io/owner-namespace':'ns'"
#define MARKS                                                                                                \
    "'labels':{'app.kubernetes.io/managed-by':'qubesec'},"                                                   \
    "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME "}"
// Those of version 0.1.0.
#define OLD_MARKS                                                                                            \
    "'labels':{'app.kubernetes.io/managed-by':'qubesec'},"                                                   \
    "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'}"
#define OWN_REFERENCE                                                                                        \
    "{'apiVersion':'qubesec.io/v1','kind':'QuantumToy','name':'mine','uid':'uid-1','controller':true}"
#define OTHER_REFERENCE "{'apiVersion':'v1','kind':'ConfigMap','name':'other','uid':'uid-9'}"

static struct kube_object *object;

static int set_up(void **) {
    object = object_of("{'metadata':{'namespace':'ns','name':'mine','uid':'uid-1','resourceVersion':'5'}}");
    return 0;
}

static int tear_down(void **) {
    kube_object_release(object);
    return 0;
}

// ---- whose it is

static void ownership_of(const struct kube_object *of, enum ownership expected, const char *metadata) {
    cleanup_json yyjson_doc *document = parse_quoted(metadata);
    enum ownership found = secret_metadata_ownership(&kind, of, yyjson_doc_get_root(document));
    if (found != expected) {
        fail_msg("%d instead of %d: %s", (int)found, (int)expected, metadata);
    }
}

static void ownership_is(enum ownership expected, const char *metadata) {
    ownership_of(object, expected, metadata);
}

static void what_our_object_controls_is_ours(void **) {
    ownership_is(OWNERSHIP_OURS, "{'ownerReferences':[" OWN_REFERENCE "]}");
    ownership_is(OWNERSHIP_OURS, "{'ownerReferences':[" OTHER_REFERENCE "," OWN_REFERENCE "]}");
    ownership_is(OWNERSHIP_OURS, "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}");
    // Marks do not matter then: whatever became of them, they are put right.
    ownership_is(OWNERSHIP_OURS, "{'labels':null,'annotations':{'qubesec.io/owner':'QuantumToy/other'},"
                                 "'ownerReferences':[{'uid':'uid-1','controller':true}]}");
}

static void test_trap_34_what_somebody_else_controls_is_foreign(void **) {
    ownership_is(OWNERSHIP_FOREIGN, "{" MARKS ",'ownerReferences':[{'uid':'uid-2','controller':true}]}");
    ownership_is(OWNERSHIP_FOREIGN,
                 "{" MARKS ",'ownerReferences':[{'uid':'uid-1'},{'uid':'uid-2','controller':true}]}");
}

// An earlier object of our name, which the garbage collector has not caught up with.
static void test_trap_35_what_our_forerunner_controls_is_left(void **) {
    ownership_is(OWNERSHIP_ORPHANED, "{'ownerReferences':[{'apiVersion':'qubesec.io/v1','kind':'QuantumToy',"
                                     "'name':'mine','uid':'uid-0','controller':true}]}");
    ownership_is(OWNERSHIP_ORPHANED,
                 "{" MARKS ",'ownerReferences':[" OTHER_REFERENCE ",{'apiVersion':'qubesec.io/v1',"
                 "'kind':'QuantumToy','name':'mine','uid':'uid-0','controller':true}]}");
    static const char *const others[] = {
        "'apiVersion':'qubesec.io/v1','kind':'QuantumToy','name':'yours'",
        "'apiVersion':'qubesec.io/v1','kind':'QuantumOther','name':'mine'",
        "'apiVersion':'toys.example/v1','kind':'QuantumToy','name':'mine'",
        "'apiVersion':'qubesec.iot/v1','kind':'QuantumToy','name':'mine'",
        "'kind':'QuantumToy','name':'mine'",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char metadata[500];
        snprintf(metadata, sizeof(metadata),
                 "{" MARKS ",'ownerReferences':[{%s,'uid':'uid-0','controller':true}]}", others[i]);
        ownership_is(OWNERSHIP_FOREIGN, metadata);
    }
    // It does not control, so it will not take the Secret with it.
    ownership_is(OWNERSHIP_OURS,
                 "{" MARKS ",'ownerReferences':[{'apiVersion':'qubesec.io/v1','kind':'QuantumToy',"
                 "'name':'mine','uid':'uid-0'}]}");
}

static void what_carries_our_uid_is_ours(void **) {
    ownership_is(OWNERSHIP_OURS, "{" MARKS "}");
    ownership_is(OWNERSHIP_OURS, "{" MARKS ",'ownerReferences':[]}");
    ownership_is(OWNERSHIP_OURS, "{" MARKS ",'ownerReferences':null}");
    ownership_is(OWNERSHIP_OURS, "{" MARKS ",'ownerReferences':[" OTHER_REFERENCE "]}");
    ownership_is(OWNERSHIP_OURS, "{" MARKS ",'ownerReferences':[{'uid':'uid-2','controller':false}]}");
}

// Other tools write that label, too.
static void what_carries_our_uid_needs_no_label(void **) {
    ownership_is(OWNERSHIP_OURS,
                 "{'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'}}");
    ownership_is(OWNERSHIP_OURS, "{'labels':{'app.kubernetes.io/managed-by':'helm'},'annotations':{"
                                 "'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'}}");
}

static void what_names_us_without_our_uid_can_be_adopted(void **) {
    ownership_is(OWNERSHIP_ADOPTABLE,
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec','more':'x'},"
                 "'annotations':{'qubesec.io/owner':'QuantumToy/mine'," HOME ",'more':'x'}}");
    ownership_is(OWNERSHIP_ADOPTABLE,
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                 "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-0'," HOME
                 "}}");
    ownership_is(OWNERSHIP_ADOPTABLE,
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                 "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':5," HOME "}}");
    ownership_is(OWNERSHIP_ADOPTABLE,
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner':"
                 "'QuantumToy/mine'," HOME "},'ownerReferences':[{'uid':'uid-0'}]}");
}

// What the Secret's annotations say of the namespace, what is its uid, and whose it is then for an object of
// that name in the namespace ns, whose status has recorded the uid secret-1, or nothing.
static void where_the_marks_were_made_decides(void **) {
    static const char restore[] = "'qubesec.io/restore-to'";
    static const char home[] = "'qubesec.io/owner-namespace'";
    static const struct {
        const char *owner_uid; // that the marks name
        const char *field;     // of the annotation besides, and its value; NULL: there is none
        const char *value;
        const char *uid; // the Secret's
        enum ownership fresh;
        enum ownership recorded;
    } rows[] = {
        // This version's marks: they say it themselves.
        {"uid-1", home, "ns", "secret-9", OWNERSHIP_OURS, OWNERSHIP_OURS},
        {"uid-0", home, "ns", "secret-9", OWNERSHIP_ADOPTABLE, OWNERSHIP_ADOPTABLE},
        // Copied from another namespace, with all its marks: whatever else they say.
        {"uid-1", home, "other", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", home, "other", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", home, "other", "secret-1", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", home, "", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", home, "ns2", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", home, "n", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        // Marks of version 0.1.0: the object's uid proves it, or else its status.
        {"uid-1", nullptr, nullptr, "secret-9", OWNERSHIP_OURS, OWNERSHIP_OURS},
        {"uid-0", nullptr, nullptr, "secret-1", OWNERSHIP_FOREIGN, OWNERSHIP_ADOPTABLE},
        {"uid-0", nullptr, nullptr, "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", nullptr, nullptr, "", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        // An administrator wants it here.
        {"uid-0", restore, "ns", "secret-9", OWNERSHIP_ADOPTABLE, OWNERSHIP_ADOPTABLE},
        {"uid-1", restore, "ns", "secret-9", OWNERSHIP_OURS, OWNERSHIP_OURS},
        {"uid-0", restore, "other", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", restore, "", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
        {"uid-0", restore, "ns,other", "secret-9", OWNERSHIP_FOREIGN, OWNERSHIP_FOREIGN},
    };
    cleanup_object struct kube_object *recorded =
        object_of("{'metadata':{'namespace':'ns','name':'mine','uid':'uid-1','resourceVersion':'5'},"
                  "'status':{'secretRef':{'uid':'secret-1'}}}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char metadata[500];
        char more[100] = "";
        if (rows[i].field != nullptr) {
            snprintf(more, sizeof(more), ",%s:'%s'", rows[i].field, rows[i].value);
        }
        snprintf(metadata, sizeof(metadata),
                 "{'uid':'%s','labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                 "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'%s'%s}}",
                 rows[i].uid, rows[i].owner_uid, more);
        ownership_of(object, rows[i].fresh, metadata);
        ownership_of(recorded, rows[i].recorded, metadata);
    }
}

// A Secret of another namespace may be taken over in the one that the annotation names, though it says where
// it was made; by an object of its owner's kind and name only.
static void a_restored_secret_can_be_adopted(void **) {
    static const char elsewhere[] =
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner':'%s',"
        "'qubesec.io/owner-uid':'uid-0','qubesec.io/owner-namespace':'old','qubesec.io/restore-to':'%s'}%s}";
    static const struct {
        const char *owner;
        const char *to;
        const char *more;
        enum ownership expected;
    } rows[] = {
        {"QuantumToy/mine", "ns", "", OWNERSHIP_ADOPTABLE},
        {"QuantumToy/mine", "old", "", OWNERSHIP_FOREIGN},
        {"QuantumToy/mine", "third", "", OWNERSHIP_FOREIGN},
        {"QuantumToy/yours", "ns", "", OWNERSHIP_FOREIGN},
        {"QuantumOther/mine", "ns", "", OWNERSHIP_FOREIGN},
        {"QuantumToy/mine", "ns", ",'ownerReferences':[{'uid':'uid-2','controller':true}]",
         OWNERSHIP_FOREIGN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char metadata[500];
        snprintf(metadata, sizeof(metadata), elsewhere, rows[i].owner, rows[i].to, rows[i].more);
        ownership_is(rows[i].expected, metadata);
    }
    ownership_is(OWNERSHIP_FOREIGN, // without the label, as everything that is not ours yet
                 "{'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/restore-to':'ns'}}");
    ownership_is(OWNERSHIP_FOREIGN, // and without an owner
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                 "'annotations':{'qubesec.io/restore-to':'ns'}}");
}

// Whatever the annotations say.
static void what_our_object_controls_needs_no_namespace(void **) {
    ownership_is(OWNERSHIP_OURS,
                 "{'annotations':{'qubesec.io/owner':'QuantumToy/mine',"
                 "'qubesec.io/owner-namespace':'other'},'ownerReferences':[" OWN_REFERENCE "]}");
    ownership_is(OWNERSHIP_OURS, "{" OLD_MARKS ",'ownerReferences':[" OWN_REFERENCE "]}");
}

static void marks_of_this_version_name_the_namespace(void **) {
    static const struct {
        const char *metadata;
        bool is;
    } rows[] = {
        {"{" MARKS "}", true},
        {"{" OLD_MARKS "}", false},
        {"{'annotations':{'qubesec.io/owner-namespace':'other'}}", false},
        {"{'annotations':{'qubesec.io/owner-namespace':5}}", false},
        {"{'annotations':null}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_json yyjson_doc *document = parse_quoted(rows[i].metadata);
        assert_int_equal(secret_metadata_is_of_version(object, yyjson_doc_get_root(document)), rows[i].is);
    }
}

static void every_output_is_marked(void **) {
    static const struct {
        const char *metadata;
        bool marked;
    } rows[] = {
        {"{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}", true},
        {"{'annotations':{'qubesec.io/owner':'QuantumOther/another'}}", true}, // the label was taken away
        {"{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner-uid':'u'}}",
         false},
        {"{'annotations':{'qubesec.io/owner':7}}", false},
        {"{'annotations':null}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_json yyjson_doc *document = parse_quoted(rows[i].metadata);
        assert_int_equal(secret_metadata_is_marked(yyjson_doc_get_root(document)), rows[i].marked);
    }
}

static void owner_is(const char *expected, const char *metadata) {
    char owner[SECRET_OWNER_SIZE];
    cleanup_json yyjson_doc *document = parse_quoted(metadata);
    assert_int_equal(secret_metadata_name_owner(yyjson_doc_get_root(document), owner), expected[0] != '\0');
    assert_string_equal(owner, expected);
}

static void the_owner_of_another_secret_is_named(void **) {
    owner_is("", "{}");
    owner_is("", "{"
                 "'labels':{'app.kubernetes.io/managed-by':'qubesec'}}");
    owner_is("QuantumToy mine", "{" MARKS "}");
    owner_is("QuantumToy mine", "{'ownerReferences':[" OTHER_REFERENCE "," OWN_REFERENCE "]}");
    owner_is("Deployment web", "{" MARKS ",'ownerReferences':[{'kind':'Deployment','name':'web','uid':'u',"
                               "'controller':true}]}");
    owner_is("", "{'ownerReferences':[{'controller':true}]}");
    owner_is("", "{'annotations':{'qubesec.io/owner':'mine'}}");
    owner_is("", "{'annotations':{'qubesec.io/owner':'QuantumToy/'}}");
    owner_is("", "{'annotations':{'qubesec.io/owner':'QuantumToy/mine\\nnot'}}"); // anybody may write it
}

// Somebody has taken the owner's name away: the object's uid tells, or our label and what the status has
// recorded. The status alone could be written by others, to have any Secret overwritten.
static void what_has_lost_its_owners_name_is_known_by_its_uid(void **) {
    ownership_is(OWNERSHIP_OURS, "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                                 "'annotations':{'qubesec.io/owner-uid':'uid-1'," HOME "}}");
    ownership_is(OWNERSHIP_OURS, "{'annotations':{'qubesec.io/owner-uid':'uid-1'}}");
    ownership_is(OWNERSHIP_FOREIGN, "{'annotations':{'qubesec.io/owner-uid':'uid-0'}}");
    struct kube_object *recorded =
        object_of("{'metadata':{'namespace':'ns','name':'mine','uid':'uid-1','resourceVersion':'5'},"
                  "'status':{'secretRef':{'name':'s','uid':'secret-1'}}}");
    kube_object_release(object);
    object = recorded;
    ownership_is(OWNERSHIP_OURS, "{'uid':'secret-1','labels':{'app.kubernetes.io/managed-by':'qubesec'}}");
    ownership_is(OWNERSHIP_FOREIGN, "{'uid':'secret-2','labels':{'app.kubernetes.io/managed-by':'qubesec'}}");
    ownership_is(OWNERSHIP_FOREIGN, "{'uid':'secret-1'}");
    ownership_is(OWNERSHIP_FOREIGN, "{'uid':'secret-1','labels':{'app.kubernetes.io/managed-by':'helm'}}");
    ownership_is(OWNERSHIP_FOREIGN, "{'uid':'secret-1','labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                                    "'annotations':{'qubesec.io/owner':'QuantumToy/yours'," HOME "}}");
}

static void what_names_us_only_in_part_is_foreign(void **) {
    static const char *const metadata[] = {
        "{}",
        "null",
        "{'name':'mine'}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'}}",
        "{'annotations':{'qubesec.io/owner':'QuantumToy/mine'," HOME "}}",
        "{'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-0'," HOME "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'helm'},'annotations':{'qubesec.io/owner':'QuantumToy/"
        "mine'," HOME "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{" HOME "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
        "'annotations':{'qubesec.io/owner':'QuantumToy/yours','qubesec.io/owner-uid':'uid-1'," HOME "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
        "'annotations':{'qubesec.io/owner':'QuantumOther/mine','qubesec.io/owner-uid':'uid-1'," HOME "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner':'mine'," HOME
        "}}",
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner':'QuantumToy/"
        "mine '," HOME "}}",
        "{'labels':['app.kubernetes.io/managed-by'],'annotations':'qubesec.io/owner'}",
    };
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++) {
        ownership_is(OWNERSHIP_FOREIGN, metadata[i]);
    }
}

// ---- what it must become

// The patch for a Secret that has this metadata (NULL: there is none yet), under this template; "{}": nothing
// to do.
static void patch_with(const char *template, bool retain, const char *current, const char *expected) {
    struct error e;
    cleanup_json yyjson_doc *spec = parse_quoted(template);
    cleanup_json yyjson_doc *metadata = current == nullptr ? nullptr : parse_quoted(current);
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    cleanup_buffer struct buffer text = buffer_create(1 << 20);
    struct common_spec common = {
        .retain = retain,
        .labels = json_find(yyjson_doc_get_root(spec), "labels", nullptr),
        .annotations = json_find(yyjson_doc_get_root(spec), "annotations", nullptr),
    };
    must(json_create(&document, &e), e);
    bool changed = secret_metadata_patch(&kind, object, &common, yyjson_doc_get_root(metadata), document,
                                         yyjson_mut_doc_get_root(document));
    must(json_write(document, &text, &e), e);
    assert_same_json(buffer_text(&text), expected);
    assert_int_equal(changed, strcmp(expected, "{}") != 0);
}

static void patch_is(const char *current, const char *expected) {
    patch_with("{}", false, current, expected);
}

static void a_new_secret_gets_marks_and_owner(void **) {
    patch_is(nullptr, "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}");
    patch_is("{}", "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}");
    patch_with("{}", true, nullptr, "{" MARKS "}");
}

static void a_new_secret_gets_what_its_template_says(void **) {
    patch_with("{'labels':{'a':'b','x.y/z':''},'annotations':{'note':'c d'}}", false, nullptr,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'b','x.y/z':''},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
               ",'note':'c d',"
               "'qubesec.io/secret-template':'label:a label:x.y/z annotation:note'},"
               "'ownerReferences':[" OWN_REFERENCE "]}");
}

static void what_is_right_stays_untouched(void **) {
    patch_is("{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}", "{}");
    patch_with("{}", true, "{" MARKS "}", "{}");
    patch_with("{'labels':{'a':'b'},'annotations':{'c':'d'}}", false,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'b'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
               ",'c':'d',"
               "'qubesec.io/secret-template':'label:a annotation:c'},"
               "'ownerReferences':[" OWN_REFERENCE "]}",
               "{}");
}

static void changed_marks_are_put_right(void **) {
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'helm'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/yours','qubesec.io/owner-uid':'uid-1'," HOME "},"
             "'ownerReferences':[" OWN_REFERENCE "]}",
             "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine'}}");
    patch_is("{'labels':null,'annotations':null,'ownerReferences':[" OWN_REFERENCE "]}", "{" MARKS "}");
}

// What version 0.1.0 wrote gets the namespace, and what was restored from another one this one.
static void marks_get_the_namespace(void **) {
    patch_is("{" OLD_MARKS ",'ownerReferences':[" OWN_REFERENCE "]}", "{'annotations':{" HOME "}}");
    patch_with("{}", true, "{" OLD_MARKS "}", "{'annotations':{" HOME "}}");
    patch_with("{}", true,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-0',"
               "'qubesec.io/owner-namespace':'old','qubesec.io/restore-to':'ns'}}",
               "{'annotations':{'qubesec.io/owner-uid':'uid-1'," HOME "}}");
}

// An earlier object's Secret becomes ours.
static void an_adopted_secret_gets_our_uid_and_owner(void **) {
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-0'}}",
             "{'annotations':{'qubesec.io/owner-uid':'uid-1'," HOME "},'ownerReferences':[" OWN_REFERENCE
             "]}");
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-0'," HOME "}}",
             "{'annotations':{'qubesec.io/owner-uid':'uid-1'},'ownerReferences':[" OWN_REFERENCE "]}");
    patch_with("{}", true,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine'},'ownerReferences':[" OTHER_REFERENCE
               "]}",
               "{'annotations':{'qubesec.io/owner-uid':'uid-1'," HOME "}}");
}

static void what_others_put_there_stays(void **) {
    patch_with("{'labels':{'a':'b'}}", false,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','theirs':'x','a':'b'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
               ",'theirs':'y',"
               "'qubesec.io/secret-template':'label:a'},"
               "'ownerReferences':[" OTHER_REFERENCE "," OWN_REFERENCE "],'finalizers':['f'],'name':'mine'}",
               "{}");
    patch_is("{" MARKS ",'ownerReferences':[" OTHER_REFERENCE "]}",
             "{'ownerReferences':[" OTHER_REFERENCE "," OWN_REFERENCE "]}");
}

static void a_template_that_grows_adds(void **) {
    patch_with("{'labels':{'a':'b','new':'1'},'annotations':{'new':'2'}}", false,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'b'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME ","
               "'qubesec.io/secret-template':'label:a'},'ownerReferences':[" OWN_REFERENCE "]}",
               "{'labels':{'new':'1'},"
               "'annotations':{'new':'2','qubesec.io/secret-template':'label:a label:new annotation:new'}}");
}

static void what_the_template_put_there_is_put_right(void **) {
    patch_with(
        "{'labels':{'a':'b','c':'d'},'annotations':{'e':'f'}}", false,
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'changed'},"
        "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME ",'e':5,"
        "'qubesec.io/secret-template':'label:a label:c annotation:e'},'ownerReferences':[" OWN_REFERENCE "]}",
        "{'labels':{'a':'b','c':'d'},'annotations':{'e':'f'}}");
}

static void what_leaves_the_template_is_removed(void **) {
    static const char current[] =
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'b','c':'d','theirs':'x'},"
        "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/"
        "owner-uid':'uid-1'," HOME ",'a':'e','theirs':'y',"
        "'qubesec.io/secret-template':'label:a label:c annotation:a'},'ownerReferences':[" OWN_REFERENCE "]}";
    patch_with("{'labels':{'c':'d'}}", false, current,
               "{'labels':{'a':null},'annotations':{'a':null,'qubesec.io/secret-template':'label:c'}}");
    patch_with("{'annotations':{'a':'e'}}", false, current,
               "{'labels':{'a':null,'c':null},'annotations':{'qubesec.io/secret-template':'annotation:a'}}");
    patch_with("{}", false, current,
               "{'labels':{'a':null,'c':null},'annotations':{'a':null,'qubesec.io/secret-template':''}}");
}

// An empty list remains, so that there is nothing more to do.
static void what_is_removed_stays_removed(void **) {
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME ","
             "'qubesec.io/secret-template':''},'ownerReferences':[" OWN_REFERENCE "]}",
             "{}");
    // Somebody was there before us.
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME ","
             "'qubesec.io/secret-template':'label:a annotation:b'},'ownerReferences':[" OWN_REFERENCE "]}",
             "{'annotations':{'qubesec.io/secret-template':''}}");
}

// A label and an annotation of the same key are two things, and a key is not its beginning.
static void keys_are_not_mixed_up(void **) {
    patch_with("{'labels':{'ab':'1'}}", false,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'0','ab':'1','abc':'2'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
               ",'ab':'3',"
               "'qubesec.io/secret-template':'label:ab'},'ownerReferences':[" OWN_REFERENCE "]}",
               "{}");
    patch_with("{'annotations':{'ab':'3'}}", false,
               "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':'0','ab':'1','abc':'2'},"
               "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
               ",'ab':'3',"
               "'qubesec.io/secret-template':'label:ab'},'ownerReferences':[" OWN_REFERENCE "]}",
               "{'labels':{'ab':null},'annotations':{'qubesec.io/secret-template':'annotation:ab'}}");
    // Nor is the end of one a key.
    patch_with(
        "{'labels':{'abcdefgh':'1'}}", false,
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec','abcdefgh':'1','tion:note':'2'},"
        "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
        ",'fgh':'3',"
        "'qubesec.io/secret-template':'label:abcdefgh annotation:note'},'ownerReferences':[" OWN_REFERENCE
        "]}",
        "{'annotations':{'qubesec.io/secret-template':'label:abcdefgh'}}");
}

// The list of keys is an annotation that others can write, too.
static void a_forged_list_removes_nothing_of_ours(void **) {
    static const char *const lists[] = {
        "label:app.kubernetes.io/managed-by annotation:qubesec.io/owner annotation:qubesec.io/owner-uid",
        "annotation:qubesec.io/owner-namespace",
        "annotation:qubesec.io/secret-template",
        "label: annotation: label annotation",
        "    ",
        "qubesec.io/owner label:label:a",
        "annotation:qubesec.io/owner  annotation:qubesec.io/owner ",
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char current[1000];
        snprintf(current, sizeof(current),
                 "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},"
                 "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME
                 ","
                 "'qubesec.io/secret-template':'%s'},'ownerReferences':[" OWN_REFERENCE "]}",
                 lists[i]);
        patch_is(current, "{'annotations':{'qubesec.io/secret-template':''}}");
    }
    // Nor does it say anything twice, or take away what is being put right.
    patch_is("{'labels':{'app.kubernetes.io/managed-by':'helm','a':'b'},"
             "'annotations':{'qubesec.io/owner':'QuantumToy/mine','qubesec.io/owner-uid':'uid-1'," HOME ","
             "'qubesec.io/secret-template':'label:app.kubernetes.io/managed-by label:a label:a'},"
             "'ownerReferences':[" OWN_REFERENCE "]}",
             "{'labels':{'app.kubernetes.io/managed-by':'qubesec','a':null},"
             "'annotations':{'qubesec.io/secret-template':''}}");
}

static void the_policy_decides_on_the_owner(void **) {
    // From Delete to Retain.
    patch_with("{}", true, "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}", "{'ownerReferences':[]}");
    patch_with("{}", true, "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "," OTHER_REFERENCE "]}",
               "{'ownerReferences':[" OTHER_REFERENCE "]}");
    patch_with("{}", true, "{" MARKS ",'ownerReferences':[" OTHER_REFERENCE "]}", "{}");
    // And back.
    patch_is("{" MARKS "}", "{'ownerReferences':[" OWN_REFERENCE "]}");
    patch_is("{" MARKS ",'ownerReferences':[]}", "{'ownerReferences':[" OWN_REFERENCE "]}");
}

// A reference that is ours but does not control is no good; one that says more is.
static void our_reference_must_control(void **) {
    patch_is("{" MARKS ",'ownerReferences':[{'apiVersion':'qubesec.io/v1','kind':'QuantumToy','name':'mine',"
             "'uid':'uid-1'}," OTHER_REFERENCE "]}",
             "{'ownerReferences':[" OTHER_REFERENCE "," OWN_REFERENCE "]}");
    patch_is("{" MARKS ",'ownerReferences':[{'uid':'uid-1','controller':false}]}",
             "{'ownerReferences':[" OWN_REFERENCE "]}");
    patch_is("{" MARKS ",'ownerReferences':[{'apiVersion':'qubesec.io/v1','kind':'QuantumToy','name':'mine',"
             "'uid':'uid-1','controller':true,'blockOwnerDeletion':true}]}",
             "{}");
    patch_with("{}", true, "{" MARKS ",'ownerReferences':[{'uid':'uid-1','controller':false}]}",
               "{'ownerReferences':[]}");
}

static void the_largest_template_fits(void **) {
    struct error e;
    cleanup_buffer struct buffer template = buffer_create(200000);
    cleanup_buffer struct buffer expected = buffer_create(200000);
    char prefix[254] = {0};
    char name[64] = {0};
    memset(prefix, 'p', 253);
    memset(name, 'n', 60);
    for (int part = 0; part < 2; part++) {
        must(buffer_append_format(&template, &e, part == 0 ? "{'labels':{" : ",'annotations':{"), e);
        for (int i = 0; i < 64; i++) {
            must(buffer_append_format(&template, &e, "%s'%s/%s%03d':'v'", i > 0 ? "," : "", prefix, name, i),
                 e);
            must(buffer_append_format(&expected, &e, "%s%s%s/%s%03d", expected.length > 0 ? " " : "",
                                      part == 0 ? "label:" : "annotation:", prefix, name, i),
                 e);
        }
        must(buffer_append_text(&template, "}", &e), e);
    }
    must(buffer_append_text(&template, "}", &e), e);
    cleanup_json yyjson_doc *spec = parse_quoted(buffer_text(&template));
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    struct common_spec common = {
        .labels = json_find(yyjson_doc_get_root(spec), "labels", nullptr),
        .annotations = json_find(yyjson_doc_get_root(spec), "annotations", nullptr),
    };
    must(json_create(&document, &e), e);
    yyjson_mut_val *patch = yyjson_mut_doc_get_root(document);
    assert_true(secret_metadata_patch(&kind, object, &common, nullptr, document, patch));
    yyjson_mut_val *list =
        yyjson_mut_obj_get(yyjson_mut_obj_get(patch, "annotations"), "qubesec.io/secret-template");
    assert_non_null(list);
    assert_string_equal(yyjson_mut_get_str(list), buffer_text(&expected));
    assert_int_equal(yyjson_mut_obj_size(yyjson_mut_obj_get(patch, "labels")), 65);
}

// The names of kind and object are as long as can be.
static void the_longest_owner_fits(void **) {
    char text[600];
    char longest_name[254] = {0};
    static const struct kind longest = {
        .group = QUBESEC_GROUP,
        .version = QUBESEC_API_VERSION,
        .kind = "QuantumKindWithANameAsLongAsKubernetesAllowsWhichIsSixtyThreeC0"};
    memset(longest_name, 'n', 253);
    snprintf(text, sizeof(text),
             "{'metadata':{'namespace':'ns','name':'%s','uid':'u','resourceVersion':'1'}}", longest_name);
    cleanup_object struct kube_object *big = object_of(text);
    snprintf(
        text, sizeof(text),
        "{'labels':{'app.kubernetes.io/managed-by':'qubesec'},'annotations':{'qubesec.io/owner':'%s/%s'," HOME
        "}}",
        longest.kind, longest_name);
    cleanup_json yyjson_doc *document = parse_quoted(text);
    assert_int_equal(strlen(longest.kind), 63);
    assert_int_equal(secret_metadata_ownership(&longest, big, yyjson_doc_get_root(document)),
                     OWNERSHIP_ADOPTABLE);
}

// Memory that is out shows when the document is written, or else the patch is whole.
static void out_of_memory_makes_no_half_patch(void **) {
    struct error e = {0};
    static const char whole[] = "{" MARKS ",'ownerReferences':[" OWN_REFERENCE "]}";
    long rounds = 0;
    for (bool done = false; !done && rounds < 1000; rounds++) {
        cleanup_json_mut yyjson_mut_doc *document = nullptr;
        cleanup_buffer struct buffer text = buffer_create(10000);
        struct common_spec common = {0};
        must(json_create(&document, &e), e);
        memory_left = rounds;
        bool changed = secret_metadata_patch(&kind, object, &common, nullptr, document,
                                             yyjson_mut_doc_get_root(document));
        memory_left = -1;
        done = json_write(document, &text, &e);
        if (done) {
            assert_true(changed);
            assert_same_json(buffer_text(&text), whole);
        } else {
            assert_int_equal(e.class, ERROR_NO_MEMORY);
        }
    }
    assert_in_range(rounds, 2, 999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_our_object_controls_is_ours),
        cmocka_unit_test(test_trap_34_what_somebody_else_controls_is_foreign),
        cmocka_unit_test(test_trap_35_what_our_forerunner_controls_is_left),
        cmocka_unit_test(what_carries_our_uid_is_ours),
        cmocka_unit_test(what_carries_our_uid_needs_no_label),
        cmocka_unit_test(what_names_us_without_our_uid_can_be_adopted),
        cmocka_unit_test(where_the_marks_were_made_decides),
        cmocka_unit_test(a_restored_secret_can_be_adopted),
        cmocka_unit_test(what_our_object_controls_needs_no_namespace),
        cmocka_unit_test(marks_of_this_version_name_the_namespace),
        cmocka_unit_test(every_output_is_marked),
        cmocka_unit_test(the_owner_of_another_secret_is_named),
        cmocka_unit_test(what_has_lost_its_owners_name_is_known_by_its_uid),
        cmocka_unit_test(what_names_us_only_in_part_is_foreign),
        cmocka_unit_test(a_new_secret_gets_marks_and_owner),
        cmocka_unit_test(a_new_secret_gets_what_its_template_says),
        cmocka_unit_test(what_is_right_stays_untouched),
        cmocka_unit_test(changed_marks_are_put_right),
        cmocka_unit_test(marks_get_the_namespace),
        cmocka_unit_test(an_adopted_secret_gets_our_uid_and_owner),
        cmocka_unit_test(what_others_put_there_stays),
        cmocka_unit_test(a_template_that_grows_adds),
        cmocka_unit_test(what_the_template_put_there_is_put_right),
        cmocka_unit_test(what_leaves_the_template_is_removed),
        cmocka_unit_test(what_is_removed_stays_removed),
        cmocka_unit_test(keys_are_not_mixed_up),
        cmocka_unit_test(a_forged_list_removes_nothing_of_ours),
        cmocka_unit_test(the_policy_decides_on_the_owner),
        cmocka_unit_test(our_reference_must_control),
        cmocka_unit_test(the_largest_template_fits),
        cmocka_unit_test(the_longest_owner_fits),
        cmocka_unit_test(out_of_memory_makes_no_half_patch),
    };
    return cmocka_run_group_tests_name("operator/secret_metadata", tests, set_up, tear_down);
}
