/* Text: examples, and files with random changes, each of which is parsed as sound rows or refused
 * at a place inside; sound rows are written and read again with the same bits. FASTFM_C_MUTATIONS
 * sets the number of changed files. */
#include <math.h>
#include <stdlib.h>

#include "hashes.h"
#include "tests.h"

#define MUTATIONS 10000
#define N_FEATURES 1000000

/* Parsed rows, in arrays of exactly the size that was counted. */
typedef struct {
    fastfm_text c;
    fastfm_status status;
} parsed;

static parsed parse(const char *bytes, int64_t n_bytes, int has_fields, fastfm_type index_type,
                    fastfm_type data_type, int num_threads)
{
    parsed text = {0};
    fastfm_text *c = &text.c;
    c->bytes = bytes, c->n_bytes = n_bytes, c->has_fields = has_fields, c->has_labels = -1;
    c->n_features = index_type == FASTFM_I32 ? N_FEATURES : (int64_t)1 << 59;
    c->index_type = index_type, c->data_type = data_type, c->first_value = 7;
    c->blocks = (fastfm_text_block *)exactly(fastfm_text_blocks(n_bytes), sizeof *c->blocks);
    CHECK(fastfm_text_count(c, num_threads) == FASTFM_OK);
    c->y = (double *)exactly(c->all.n_rows, 8);
    c->row_ends = (int64_t *)exactly(c->all.n_rows, 8);
    c->lines = (int64_t *)exactly(c->all.n_rows, 8);
    c->indices = exactly(c->all.nnz, type_size(index_type));
    c->data = exactly(c->all.nnz, type_size(data_type));
    c->fields = (int32_t *)exactly(has_fields ? c->all.nnz : 0, 4);
    text.status = fastfm_text_parse(c, num_threads);
    return text;
}

static void parsed_free(parsed *text)
{
    free(text->c.blocks), free(text->c.y), free(text->c.row_ends), free(text->c.lines);
    free(text->c.indices), free(text->c.data), free(text->c.fields);
}

static void check_sound(const fastfm_text *c)
{
    int64_t before = c->first_value, line = -1;
    int sound = 1;
    for (int64_t i = 0; i < c->all.n_rows; i++) {
        sound &= c->row_ends[i] >= before && c->lines[i] > line;
        sound &= c->has_labels ? isfinite(c->y[i]) != 0 : isnan(c->y[i]) != 0;
        before = c->row_ends[i], line = c->lines[i];
    }
    sound &= before == c->first_value + c->all.nnz && line < c->all.n_lines;
    for (int64_t p = 0; p < c->all.nnz; p++) {
        const int64_t j = get_index(c->indices, c->index_type, p);
        sound &= j >= 0 && j < c->n_features && j >= c->all.least && j <= c->all.largest;
        sound &= isfinite(get_real(c->data, c->data_type, p)) != 0;
        sound &= !c->has_fields || c->fields[p] >= 0;
    }
    CHECK(sound);
}

/* Fields per feature do not fit rows in which a feature has several, so fields are left out. Labels that are
 * absent are written as 0. */
static void check_written(const fastfm_text *c)
{
    const int64_t n_rows = c->all.n_rows, nnz = c->all.nnz;
    for (int64_t i = 0; i < n_rows; i++)
        c->y[i] = c->has_labels ? c->y[i] : 0;
    int64_t *indptr = (int64_t *)exactly(n_rows + 1, 8);
    int64_t *indices = (int64_t *)exactly(nnz, 8);
    indptr[0] = 0;
    for (int64_t i = 0; i < n_rows; i++)
        indptr[i + 1] = c->row_ends[i] - c->first_value;
    for (int64_t p = 0; p < nnz; p++)
        indices[p] = get_index(c->indices, c->index_type, p);
    const fastfm_csr X = {n_rows, nnz, indptr, indices, c->data, FASTFM_I64, c->data_type};
    char *out = (char *)exactly(32 * n_rows + 64 * nnz, 1);
    const int64_t n_bytes = fastfm_text_write(&X, 0, n_rows, c->y, NULL, 0, out);
    CHECK(n_bytes <= 32 * n_rows + 64 * nnz);
    hash_text(out, n_bytes);
    char *tight = (char *)exactly(n_bytes, 1);
    memcpy(tight, out, (size_t)n_bytes);
    parsed again = parse(tight, n_bytes, 0, FASTFM_I64, c->data_type, 1);
    CHECK(again.status == FASTFM_OK && again.c.all.n_rows == n_rows && again.c.all.nnz == nnz);
    CHECK(same_bytes(again.c.y, c->y, 8 * n_rows));
    CHECK(same_bytes(again.c.row_ends, c->row_ends, 8 * n_rows));
    CHECK(same_bytes(again.c.indices, indices, 8 * nnz));
    CHECK(same_bytes(again.c.data, c->data, type_size(c->data_type) * nnz));
    parsed_free(&again);
    free(indptr), free(indices), free(out), free(tight);
}

/* bytes is an array of exactly its size, which ends a line. */
static int check_bytes(const char *bytes, int64_t n_bytes)
{
    const int has_fields = (int)random_below(2);
    const fastfm_type index_type = random_below(2) ? FASTFM_I32 : FASTFM_I64;
    const fastfm_type data_type = random_below(2) ? FASTFM_F32 : FASTFM_F64;
    parsed text = parse(bytes, n_bytes, has_fields, index_type, data_type, 1);
    if (text.status == FASTFM_OK) {
        check_sound(&text.c);
        check_written(&text.c);
    } else {
        const int64_t at = text.c.all.fault_at;
        CHECK(text.status == FASTFM_BAD_TEXT && text.c.all.expected != NULL);
        CHECK(at >= 0 && at < n_bytes);
    }
    const int is_sound = text.status == FASTFM_OK;
    parsed_free(&text);
    return is_sound;
}

static int64_t add_number(char *at)
{
    static const char *const some[] = {"1",
                                       "-1",
                                       "0.5",
                                       "1e-3",
                                       "123456.789",
                                       ".5",
                                       "5e-324",
                                       "1.7976931348623157e308",
                                       "0.1234567890123456789",
                                       "-0",
                                       "9007199254740993",
                                       "+3.",
                                       "2.4703282292062328e-324"};
    const char *text = some[random_below(COUNT(some))];
    memcpy(at, text, strlen(text));
    return (int64_t)strlen(text);
}

static int64_t make_file(char *text, int has_fields)
{
    static const char *const separators[] = {" ", "\t  ", ",", ", "};
    char *p = text;
    const int has_labels = random_below(4) > 0;
    for (int64_t i = random_below(6); i >= 0; i--) {
        if (has_labels)
            p += add_number(p);
        if (!random_below(9))
            p += sprintf(p, " qid:%d", (int)random_below(30) - 3);
        for (int64_t z = random_below(5); z > 0; z--) {
            p +=
                sprintf(p, "%s", separators[random_below(9) ? 0 : random_below(COUNT(separators))]);
            if (has_fields)
                p += sprintf(p, "%d:", (int)random_below(3));
            p += sprintf(p, "%d:", (int)random_below(30));
            p += add_number(p);
        }
        p += sprintf(p, "%s", random_below(9) ? "\n" : random_below(2) ? " # 1:2:3\r\n" : "\n \n");
    }
    return p - text;
}

static int64_t mutate(char *text, int64_t n)
{
    static const char bytes[] = "0123456789:::  \n\n\t\r#.eE+-naif,,qd\0\x80\xff";
    for (int64_t changes = random_below(4); changes > 0 && n > 1; changes--) {
        const int64_t at = random_below(n);
        const char byte = random_below(8) ? bytes[random_below((int64_t)sizeof bytes - 1)]
                                          : (char)random_below(256);
        switch (random_below(4)) {
        case 0:
            text[at] = byte;
            break;
        case 1: /* in between */
            memmove(text + at + 1, text + at, (size_t)(n++ - at));
            text[at] = byte;
            break;
        case 2: /* out */
            memmove(text + at, text + at + 1, (size_t)(--n - at));
            break;
        default: /* the same again, many times */
            for (int64_t i = random_below(40); i > 0; i--, n++)
                memmove(text + at + 1, text + at, (size_t)(n - at));
        }
    }
    text[n] = '\n';
    return n + 1;
}

static void test_mutations(void)
{
    static char text[8192];
    const char *wanted = getenv("FASTFM_C_MUTATIONS");
    const int64_t n = wanted != NULL ? atoll(wanted) : MUTATIONS;
    int64_t n_sound = 0;
    random_state = 2;
    for (int64_t i = 0; i < n; i++) {
        CASE("changed text %lld", (long long)i);
        const int64_t size = mutate(text, make_file(text, (int)random_below(2)));
        char *bytes = (char *)exactly(size, 1);
        memcpy(bytes, text, (size_t)size);
        n_sound += check_bytes(bytes, size);
        free(bytes);
    }
    CHECK(n_sound > n / 20 && n_sound < n - n / 20);
}

/* Several blocks, with comments that hold more colons than the rows: they are moved together. */
static void test_blocks(void)
{
    const int64_t n_lines = 60000;
    char *text = (char *)exactly(n_lines * 40, 1), *p = text;
    for (int64_t i = 0; i < n_lines; i++)
        p += sprintf(p, i % 3 ? "%d %d:1 %d:2.5\n" : "# %d:%d::::%d\n", (int)i, (int)i, (int)i + 1);
    for (int threads = 1; threads <= 3; threads += 2) {
        CASE("blocks of text, %d threads", threads);
        parsed a = parse(text, p - text, 0, FASTFM_I32, FASTFM_F32, threads);
        CHECK(a.status == FASTFM_OK && a.c.all.n_rows == 40000 && a.c.all.nnz == 80000);
        check_sound(&a.c);
        int right = a.c.all.n_lines == n_lines && a.c.all.least == 1 && a.c.all.largest == n_lines;
        for (int64_t i = 0; i < a.c.all.n_rows; i++) {
            const int64_t line = i / 2 * 3 + 1 + i % 2;
            right &= a.c.lines[i] == line && same_value(a.c.y[i], (double)line);
            right &= get_index(a.c.indices, FASTFM_I32, 2 * i + 1) == line + 1;
            right &= same_value(get_real(a.c.data, FASTFM_F32, 2 * i + 1), 2.5);
        }
        CHECK(right);
        parsed_free(&a);
    }
    free(text);
}

/* Between two doubles, in more digits than 64 bits hold. */
static void test_roundings(void)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"1.00000000000000011102230246251565404236316680908203125\n", 1},
                 {"1.00000000000000011102230246251565404236316680908203126\n", 1 + 0x1p-52},
                 {"1.00000000000000033306690738754696212708950042724609375\n", 1 + 0x1p-51},
                 {"1.00000000000000033306690738754696212708950042724609374\n", 1 + 0x1p-52},
                 {"9007199254740993\n", 0x1p53},
                 {"2.4703282292062328e-324\n", 0x1p-1074},
                 {"2.4703282292062327e-324\n", 0}};
    for (int64_t i = 0; i < COUNT(cases); i++) {
        CASE("the number %s", cases[i].text);
        parsed a =
            parse(cases[i].text, (int64_t)strlen(cases[i].text), 0, FASTFM_I32, FASTFM_F32, 1);
        CHECK(a.status == FASTFM_OK && same_bytes(a.c.y, &cases[i].value, 8));
        parsed_free(&a);
    }
}

/* What stands between values, and rows without labels: the same rows as in plain text. */
static void test_variants(void)
{
    static const struct {
        const char *plain, *text;
        int has_labels;
    } cases[] = {{"1 3:2 4:5\n0 1:1\n", "1,3:2,4:5,\r\n ,0, 1:1 # 9:9, 1\n\n", 1},
                 {"1 3:2\n0\n", "1 qid:7 3:2\n0 qid:-12345678901234567890\n", 1},
                 {"0 3:2\n0 4:1\n", "#\n\n,3:2\n4:1\n", 0},
                 {"0 3:2\n0\n", "qid:7 3:2\nqid:8 # 1:1\n", 0},
                 {"", " # 1\n\n,\n", -1}};
    for (int64_t i = 0; i < COUNT(cases); i++) {
        CASE("the text %s", cases[i].text);
        const char *plain = cases[i].plain, *text = cases[i].text;
        parsed a = parse(plain, (int64_t)strlen(plain), 0, FASTFM_I32, FASTFM_F32, 1);
        parsed b = parse(text, (int64_t)strlen(text), 0, FASTFM_I32, FASTFM_F32, 1);
        CHECK(b.status == FASTFM_OK && b.c.has_labels == cases[i].has_labels);
        check_sound(&b.c);
        CHECK(a.c.all.n_rows == b.c.all.n_rows && a.c.all.nnz == b.c.all.nnz);
        CHECK(same_bytes(a.c.row_ends, b.c.row_ends, 8 * a.c.all.n_rows));
        CHECK(same_bytes(a.c.indices, b.c.indices, 4 * a.c.all.nnz));
        CHECK(same_bytes(a.c.data, b.c.data, 4 * a.c.all.nnz));
        CHECK(!b.c.has_labels || same_bytes(a.c.y, b.c.y, 8 * a.c.all.n_rows));
        parsed_free(&a), parsed_free(&b);
    }
}

static void test_faults(void)
{
    static const struct {
        const char *text;
        int64_t fault_at;
    } cases[] = {
        {"x\n", 0},       {"1 1\n", 2},         {"1 1:\n", 4},        {"1 1:2:3\n", 4},
        {"1 1:nan\n", 4}, {"1 1:1e999\n", 4},   {"1\n\n2 a\n", 5},    {"1 1000000:1\n", 2},
        {"1 -1:1\n", 2},  {"1 1:1 qid:3\n", 6}, {"1 1:1x\n2 y\n", 4}, {"1 1:1e39\n", 4},
        {"1,2 1:1\n", 0}, {"1 qid:\n", 2},      {"1 qid:-\n", 2},     {"1 qid:1:1\n", 2},
        {"1 1:1,5\n", 6}, {"1\n1:1\n", 2},      {"1:1\n1\n", 4},      {"#1\n\n1:1\n1\n", 8},
        {"1 q\n", 2},     {"1 qid\n", 2},       {"q\n", 0},           {"1,\n,x\n", 4}};
    for (int64_t i = 0; i < COUNT(cases); i++) {
        CASE("malformed text %s", cases[i].text);
        parsed a =
            parse(cases[i].text, (int64_t)strlen(cases[i].text), 0, FASTFM_I32, FASTFM_F32, 1);
        CHECK(a.status == FASTFM_BAD_TEXT && a.c.all.fault_at == cases[i].fault_at);
        parsed_free(&a);
    }
}

void test_text(void)
{
    test_variants();
    test_faults();
    test_roundings();
    test_blocks();
    test_mutations();
}
