// What the API server can do: sends requests whose bytes lie ready in a file, so many at a time, and tells
// how long it took.
//
//   raw_writer [--token FILE | --cert FILE --key FILE] [--http2 CONNECTIONS] --ca FILE URL JOBS IN_FLIGHT
//
// JOBS holds one request a line: method, path, content type and body, with a tab between each two. An empty
// line ends a job; the requests of a job go out one after the other, and IN_FLIGHT jobs are under way at a
// time, each on a connection of its own, or with HTTP/2 evenly on so many. It prints one line of JSON: times
// are in seconds, latencies of single requests in microseconds, connections how many were opened. The status
// is 1 when a request was refused or broke off.
#include <curl/curl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { WAIT_MS = 1000, TIMEOUT_MS = 60000, LATENCY_COUNT_MAX = 1 << 20 };

struct options {
    const char *ca;
    const char *token;
    const char *certificate;
    const char *key;
    const char *url;
    long http2_connections; // 0: HTTP/1.1
};

struct request {
    char *method;
    char *path;
    char *content_type;
    char *body;
};

// One job under way.
struct slot {
    CURL *easy;
    char *rest; // what has not been sent of its job
    struct curl_slist *headers;
    char url[1024];
    char answer[512]; // the beginning of it, for a refusal
    size_t answer_length;
};

struct writer {
    struct options options;
    char *token; // a header line, or NULL
    char *next;  // the jobs that have not begun
    CURLM *multi;
    uint64_t jobs;
    uint64_t requests;
    uint64_t failed;
    uint64_t connections;
    uint32_t *latencies; // microseconds
};

static void die(const char *what, const char *detail) {
    (void)fprintf(stderr, "raw_writer: %s: %s\n", what, detail);
    exit(2);
}

static double clock_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// The whole file, with a zero byte at its end.
static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == nullptr || fseek(file, 0, SEEK_END) != 0) {
        die(path, "cannot be read");
    }
    long size = ftell(file);
    char *text = size < 0 ? nullptr : malloc((size_t)size + 1);
    rewind(file);
    if (text == nullptr || fread(text, 1, (size_t)size, file) != (size_t)size) {
        die(path, "cannot be read");
    }
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

// Cuts the text at *rest up to the character `end` off, and moves *rest behind it; NULL: there is no such
// character.
static char *cut(char **rest, char end) {
    char *text = *rest;
    char *found = strchr(text, end);
    if (found != nullptr) {
        *found = '\0';
        *rest = found + 1;
    }
    return found == nullptr ? nullptr : text;
}

// The next request of a job whose rest is given; false: the job is done.
static bool take_request(char **rest, struct request *ret_request) {
    char *line = cut(rest, '\n');
    if (line == nullptr || line[0] == '\0') {
        return false;
    }
    ret_request->method = cut(&line, '\t');
    ret_request->path = cut(&line, '\t');
    ret_request->content_type = cut(&line, '\t');
    ret_request->body = line;
    if (ret_request->method == nullptr || ret_request->path == nullptr ||
        ret_request->content_type == nullptr) {
        die("a request of fewer than four fields", line);
    }
    return true;
}

// The next job's text; false: there is none.
static bool take_job(struct writer *writer, char **ret_rest) {
    char *end = strstr(writer->next, "\n\n");
    if (end == nullptr) {
        return false;
    }
    *ret_rest = writer->next;
    writer->next = end + 2;
    writer->jobs++;
    return true;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *context) {
    struct slot *slot = context;
    size_t length = size * count;
    size_t room = sizeof(slot->answer) - 1 - slot->answer_length;
    size_t kept = length < room ? length : room;
    memcpy(slot->answer + slot->answer_length, bytes, kept);
    slot->answer_length += kept;
    slot->answer[slot->answer_length] = '\0';
    return length;
}

static void add_header(struct slot *slot, const char *line) {
    slot->headers = curl_slist_append(slot->headers, line);
    if (slot->headers == nullptr) {
        die("a header", "out of memory");
    }
}

static void prepare(struct writer *writer, struct slot *slot) {
    const struct options *options = &writer->options;
    slot->easy = curl_easy_init();
    unsigned failed = curl_easy_setopt(slot->easy, CURLOPT_CAINFO, options->ca);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_SSLCERT, options->certificate);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_SSLKEY, options->key);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, "*");
    failed |= curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, options->http2_connections > 0 ? 1L : 0L);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION,
                               options->http2_connections > 0 ? (long)CURL_HTTP_VERSION_2TLS
                                                              : (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_answer);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    if (failed != CURLE_OK) {
        die("libcurl", "an option is refused");
    }
}

static void send_request(struct writer *writer, struct slot *slot, const struct request *request) {
    char content_type[128];
    (void)snprintf(slot->url, sizeof(slot->url), "%s%s", writer->options.url, request->path);
    (void)snprintf(content_type, sizeof(content_type), "Content-Type: %s", request->content_type);
    curl_slist_free_all(slot->headers);
    slot->headers = nullptr;
    slot->answer_length = 0;
    add_header(slot, content_type);
    add_header(slot, "Accept: application/json");
    add_header(slot, "Expect:");
    if (writer->token != nullptr) {
        add_header(slot, writer->token);
    }
    unsigned failed = curl_easy_setopt(slot->easy, CURLOPT_URL, slot->url);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, request->method);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, request->body);
    failed |= curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    if (failed != CURLE_OK || curl_multi_add_handle(writer->multi, slot->easy) != CURLM_OK) {
        die("libcurl", "a request is refused");
    }
}

// Counts one that is over.
static void count(struct writer *writer, const struct slot *slot, CURLcode code) {
    long status = 0;
    long connections = 0;
    curl_off_t took = 0;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME_T, &took);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connections);
    writer->connections += (uint64_t)connections;
    if (code != CURLE_OK || status < 200 || status >= 300) {
        if (writer->failed++ == 0) {
            (void)fprintf(stderr, "raw_writer: %s: status %ld, %s, %s\n", slot->url, status,
                          curl_easy_strerror(code), slot->answer);
        }
    }
    if (writer->requests < LATENCY_COUNT_MAX) {
        writer->latencies[writer->requests] = (uint32_t)took;
    }
    writer->requests++;
}

// Goes on with slot's job, or begins the next one.
static bool advance(struct writer *writer, struct slot *slot) {
    struct request request;
    if (take_request(&slot->rest, &request) ||
        (take_job(writer, &slot->rest) && take_request(&slot->rest, &request))) {
        send_request(writer, slot, &request);
        return true;
    }
    return false;
}

// Takes what has ended; returns how many slots have nothing more to do.
static size_t take_answers(struct writer *writer) {
    size_t idle = 0;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(writer->multi, &left)) != nullptr;) {
        CURLcode code = message->data.result;
        struct slot *slot;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        (void)curl_multi_remove_handle(writer->multi, slot->easy);
        count(writer, slot, code);
        idle += advance(writer, slot) ? 0 : 1;
    }
    return idle;
}

static void run(struct writer *writer, size_t in_flight) {
    static char nothing[] = "";
    struct slot *slots = calloc(in_flight, sizeof(*slots));
    size_t busy = 0;
    int running;
    if (slots == nullptr) {
        die("starting", "out of memory");
    }
    for (size_t i = 0; i < in_flight; i++) {
        slots[i].rest = nothing;
        prepare(writer, &slots[i]);
        busy += advance(writer, &slots[i]) ? 1 : 0;
    }
    while (busy > 0) {
        if (curl_multi_perform(writer->multi, &running) != CURLM_OK) {
            die("libcurl", "the transfers broke off");
        }
        size_t idle = take_answers(writer);
        busy -= idle;
        if (idle == 0) {
            (void)curl_multi_poll(writer->multi, nullptr, 0, WAIT_MS, nullptr);
        }
    }
    for (size_t i = 0; i < in_flight; i++) {
        curl_slist_free_all(slots[i].headers);
        curl_easy_cleanup(slots[i].easy);
    }
    free(slots);
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void show(struct writer *writer, double seconds) {
    uint64_t known = writer->requests < LATENCY_COUNT_MAX ? writer->requests : LATENCY_COUNT_MAX;
    qsort(writer->latencies, known, sizeof(*writer->latencies), compare);
    (void)printf(
        "{\"jobs\": %llu, \"requests\": %llu, \"failed\": %llu, \"seconds\": %.6f, \"cpuSeconds\": %.6f, "
        "\"connections\": %llu, \"latencyP50\": %u, \"latencyP99\": %u}\n",
        (unsigned long long)writer->jobs, (unsigned long long)writer->requests,
        (unsigned long long)writer->failed, seconds, cpu_seconds(), (unsigned long long)writer->connections,
        known == 0 ? 0 : writer->latencies[known / 2], known == 0 ? 0 : writer->latencies[known * 99 / 100]);
}

static void parse(int count, char **arguments, struct options *options) {
    static const struct option names[] = {
        {"ca", required_argument, nullptr, 'a'},    {"token", required_argument, nullptr, 't'},
        {"cert", required_argument, nullptr, 'c'},  {"key", required_argument, nullptr, 'k'},
        {"http2", required_argument, nullptr, '2'}, {}};
    for (int option; (option = getopt_long(count, arguments, "", names, nullptr)) != -1;) {
        switch (option) {
        case 'a':
            options->ca = optarg;
            break;
        case 't':
            options->token = optarg;
            break;
        case 'c':
            options->certificate = optarg;
            break;
        case 'k':
            options->key = optarg;
            break;
        case '2':
            options->http2_connections = strtol(optarg, nullptr, 10);
            break;
        default:
            exit(2);
        }
    }
    if (count - optind != 3) {
        die("usage",
            "raw_writer [--token FILE | --cert FILE --key FILE] [--http2 N] --ca FILE URL JOBS IN_FLIGHT");
    }
}

static char *token_header(const char *path) {
    char *token = read_file(path);
    size_t size = strlen(token) + sizeof("Authorization: Bearer ");
    char *line = malloc(size);
    if (line == nullptr) {
        die(path, "out of memory");
    }
    (void)snprintf(line, size, "Authorization: Bearer %.*s", (int)strcspn(token, "\n"), token);
    free(token);
    return line;
}

int main(int count, char **arguments) {
    struct writer writer = {0};
    parse(count, arguments, &writer.options);
    writer.options.url = arguments[optind];
    char *jobs = read_file(arguments[optind + 1]);
    long in_flight = strtol(arguments[optind + 2], nullptr, 10);
    if (in_flight < 1 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        die("starting", "at least one job must be in flight");
    }
    writer.next = jobs;
    writer.token = writer.options.token == nullptr ? nullptr : token_header(writer.options.token);
    writer.latencies = calloc(LATENCY_COUNT_MAX, sizeof(*writer.latencies));
    writer.multi = curl_multi_init();
    if (writer.latencies == nullptr || writer.multi == nullptr) {
        die("starting", "out of memory");
    }
    long http2 = writer.options.http2_connections;
    if (http2 > 0) { // or else libcurl fills up the first connection before it opens another one
        (void)curl_multi_setopt(writer.multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
                                (in_flight + http2 - 1) / http2);
    }
    (void)curl_multi_setopt(writer.multi, CURLMOPT_MAX_HOST_CONNECTIONS, http2);
    (void)curl_multi_setopt(writer.multi, CURLMOPT_MAXCONNECTS, in_flight);
    double started = clock_seconds();
    run(&writer, (size_t)in_flight);
    show(&writer, clock_seconds() - started);
    curl_multi_cleanup(writer.multi);
    free(writer.latencies);
    free(writer.token);
    free(jobs);
    return writer.failed == 0 ? 0 : 1;
}
