#include "check/parts.h"

#include "base/clock.h"
#include "engine/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool check_parse_version(const char *git_version, unsigned *ret_minor) {
    static const char prefix[] = "v1.";
    if (strncmp(git_version, prefix, strlen(prefix)) != 0) {
        return false;
    }
    const char *digits = git_version + strlen(prefix);
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 4) {
        return false;
    }
    *ret_minor = (unsigned)strtoul(digits, nullptr, 10);
    return true;
}

const char check_invalid_spec[] = "{\"subjectAltNames\":[\"qubesec check: not a name\"]}";
const char check_valid_spec[] = "{\"subjectAltNames\":[\"check.qubesec.io\"]}";

bool check_openssl_is_fixed(unsigned major, unsigned minor, unsigned patch) {
    bool is_later = major > 3 || (major == 3 && minor > 6);
    bool is_repaired = major == 3 && ((minor == 5 && patch >= 6) || (minor == 6 && patch >= 2));
    return is_later || is_repaired;
}

bool check_is_post_quantum(const char *tls_group) {
    return strstr(tls_group, "MLKEM") != nullptr;
}

bool check_is_rotation_overdue(yyjson_val *object, int64_t now) {
    int64_t due = clock_read(json_text(json_find(object, "status", ROTATION_FIELD, nullptr)));
    return due != 0 && now - due > ROTATION_OVERDUE_S;
}

enum check_level check_evaluate_lifetime(int64_t not_before, int64_t not_after, int64_t now) {
    if (now < not_before || now >= not_after) {
        return CHECK_FAIL;
    }
    return not_after - now < (not_after - not_before) / 10 ? CHECK_WARN : CHECK_OK;
}

// ---- refusals

// Whether the message holds before, the webhook's name in quotes, and after.
static bool says(const struct error *error, const char *before, const char *webhook, const char *after) {
    char sentence[512];
    snprintf(sentence, sizeof(sentence), "%s \"%.300s\"%s", before, webhook, after);
    return strstr(error->message, sentence) != nullptr;
}

enum check_refusal check_read_refusal(const struct error *error, const char *webhook) {
    if (says(error, "admission webhook", webhook, " denied the request")) {
        return CHECK_REFUSED;
    }
    if (says(error, "failed calling webhook", webhook, "")) {
        return CHECK_UNREACHABLE;
    }
    bool by_rights = strstr(error->message, "cannot create resource") != nullptr;
    return error->class == ERROR_FORBIDDEN && by_rights ? CHECK_NOT_PERMITTED : CHECK_OTHER_REFUSAL;
}

// ---- flags of a container

static const char *find_in_list(yyjson_val *words, const char *flag) {
    size_t length = strlen(flag);
    size_t index;
    size_t count;
    yyjson_val *word;
    yyjson_arr_foreach(words, index, count, word) {
        const char *text = json_text(word);
        if (text == nullptr || strncmp(text, flag, length) != 0) {
            continue;
        }
        if (text[length] == '=') {
            return text + length + 1;
        }
        if (text[length] == '\0') {
            return json_text(yyjson_arr_get(words, index + 1));
        }
    }
    return nullptr;
}

const char *check_find_flag(yyjson_val *container, const char *flag) {
    const char *value = find_in_list(yyjson_obj_get(container, "command"), flag);
    return value != nullptr ? value : find_in_list(yyjson_obj_get(container, "args"), flag);
}

// ---- metrics

// Copies the value of a label of a sample line. False: the line has no such label.
static bool read_label(const char *line, size_t length, const char *name, char *ret_value, size_t size) {
    char start[64];
    snprintf(start, sizeof(start), "%s=\"", name);
    const char *found = memmem(line, length, start, strlen(start));
    if (found == nullptr) {
        return false;
    }
    found += strlen(start);
    const char *end = memchr(found, '"', length - (size_t)(found - line));
    if (end == nullptr) {
        return false;
    }
    snprintf(ret_value, size, "%.*s", (int)(end - found), found);
    return true;
}

// Where a sample with that prefix counts; NULL: nowhere. "k8s:enc:aescbc:v1:" is of the provider aescbc. What
// has no prefix is stored as it is, which is called identity when it is read. Other prefixes are those of
// single keys within a provider, which count the same operation again.
static double *find_count(struct check_storage *storage, const char *prefix, bool is_write) {
    static const char encrypted[] = "k8s:enc:";
    if (strncmp(prefix, encrypted, strlen(encrypted)) == 0) {
        const char *name = prefix + strlen(encrypted);
        snprintf(storage->provider, CHECK_PROVIDER_SIZE, "%.*s", (int)strcspn(name, ":"), name);
        return is_write ? &storage->encrypted_writes : &storage->encrypted_reads;
    }
    bool is_plain = prefix[0] == '\0' || strcmp(prefix, "identity") == 0;
    double *plain = is_write ? &storage->plain_writes : &storage->plain_reads;
    return is_plain ? plain : nullptr;
}

static void count_sample(struct check_storage *storage, const char *line, size_t length) {
    char resource[64];
    char type[32];
    char prefix[128];
    char status[32];
    const char *value = memrchr(line, ' ', length);
    if (value == nullptr || !read_label(line, length, "resource", resource, sizeof(resource)) ||
        !read_label(line, length, "transformation_type", type, sizeof(type)) ||
        !read_label(line, length, "transformer_prefix", prefix, sizeof(prefix)) ||
        !read_label(line, length, "status", status, sizeof(status)) || strcmp(resource, "secrets") != 0 ||
        strcmp(status, "OK") != 0) {
        return;
    }
    double *count = find_count(storage, prefix, strcmp(type, "to_storage") == 0);
    if (count != nullptr) {
        *count += strtod(value, nullptr);
    }
}

struct check_storage check_read_storage(const char *metrics) {
    static const char name[] = "apiserver_storage_transformation_operations_total{";
    struct check_storage storage = {0};
    while (*metrics != '\0') {
        size_t length = strcspn(metrics, "\n");
        if (strncmp(metrics, name, strlen(name)) == 0) {
            count_sample(&storage, metrics, length);
        }
        metrics += length + (metrics[length] == '\n' ? 1 : 0);
    }
    return storage;
}

// ---- encryption

static const char encryption_subject[] = "Secrets";
static const char encryption_remedy[] =
    "Give kube-apiserver an --encryption-provider-config that encrypts secrets "
    "(https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/), or see to it that the disks and "
    "backups of etcd are encrypted.";

static void evaluate_storage(struct check_report *report, const struct check_storage *storage) {
    if (storage->plain_writes > 0) {
        check_note(report, CHECK_WARN, encryption_subject,
                   "the API server that answered has written %.0f to etcd unencrypted since its start",
                   storage->plain_writes);
        check_advise(report, "%s", encryption_remedy);
    } else if (storage->plain_reads > 0) {
        check_note(report, CHECK_WARN, encryption_subject,
                   "some are encrypted (%s), but the API server that answered has read %.0f that are not",
                   storage->provider, storage->plain_reads);
        check_advise(report, "Write the older ones again: kubectl get secrets --all-namespaces --output json "
                             "| kubectl replace --filename -");
    } else {
        check_note(
            report, CHECK_OK, encryption_subject,
            "since its start the API server that answered has written %.0f and read %.0f, all encrypted "
            "(%s)",
            storage->encrypted_writes, storage->encrypted_reads, storage->provider);
    }
}

static void evaluate_configuration(struct check_report *report, const struct check_encryption_facts *facts,
                                   const char *unseen) {
    if (facts->configured < facts->servers) {
        check_note(report, CHECK_WARN, encryption_subject,
                   "%zu of %zu kube-apiserver Pods have no --encryption-provider-config",
                   facts->servers - facts->configured, facts->servers);
        check_advise(report, "%s", encryption_remedy);
        return;
    }
    check_note(report, CHECK_WARN, encryption_subject,
               "every kube-apiserver Pod has --encryption-provider-config; whether it encrypts secrets could "
               "not be seen%s%s",
               unseen[0] == '\0' ? "" : ": ", unseen);
    check_advise(report, "See that the first provider for secrets in that file is not identity.");
}

void check_evaluate_encryption(struct check_report *report, const struct check_encryption_facts *facts,
                               const char *unseen) {
    const struct check_storage *storage = &facts->storage;
    if (storage->encrypted_writes + storage->encrypted_reads + storage->plain_writes > 0) {
        evaluate_storage(report, storage);
    } else if (facts->servers > 0) {
        evaluate_configuration(report, facts, unseen);
    } else {
        check_note(report, CHECK_WARN, encryption_subject, "%s%s%s",
                   facts->metrics_read ? "the API server's metrics tell of no Secret that was encrypted"
                                       : "could not be seen",
                   unseen[0] == '\0' ? "" : ": ", unseen);
        check_advise(report,
                     "Ask whoever runs the control plane; on the machine of etcd, \"etcdctl get "
                     "/registry/secrets/NAMESPACE/NAME\" shows k8s:enc: where a Secret is encrypted. %s",
                     encryption_remedy);
    }
}
