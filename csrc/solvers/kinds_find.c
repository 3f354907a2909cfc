/* Equal groups of rows, by hashing; and the columns of kinds. */
#include <stdlib.h>
#include <string.h>

#include "solvers/kinds.h"

/* A value of a row; no two bytes are padding, so equal groups have equal bytes. */
typedef struct {
    int32_t field, column;
    double value;
} row_value;

typedef struct {
    int64_t begin; /* of its values, in those of the first row that has it */
    int32_t length, number;
    uint64_t hash;
} kind;

/* All values of the rows of the plan, by rows and in these by fields; and the kinds that were found. */
typedef struct {
    int64_t *begins; /* (n_rows + 1,) */
    row_value *values;
    kind *kinds; /* (room,) */
    int64_t n_kinds, room;
    int64_t *table; /* (n_slots,) 1 + a kind, or 0 */
    int64_t n_slots;
} search;

static void search_close(search *s)
{
    free(s->begins);
    free(s->values);
    free(s->kinds);
    free(s->table);
}

static int compare_values(const void *a, const void *b)
{
    const row_value *p = (const row_value *)a, *q = (const row_value *)b;
    if (p->field != q->field)
        return p->field < q->field ? -1 : 1;
    return p->column < q->column ? -1 : p->column > q->column;
}

/* Copies the values of a row, without zeros, and sorts them. Returns how many. */
static int64_t copy_row(const kind_plan *plan, const fastfm_csr *X, const int32_t *field_of,
                        int64_t row, row_value *values)
{
    const int64_t end = index_at(X->indptr, X->index_type, row + 1);
    int64_t n = 0;
    int is_sorted = 1;
    for (int64_t p = index_at(X->indptr, X->index_type, row); p < end; p++) {
        const int32_t column = (int32_t)index_at(X->indices, X->index_type, p);
        double x = real_at(X->data, X->data_type, p);
        x = plan->rows.real == FASTFM_F32 ? (double)(float)x : x;
        if (x == 0)
            continue;
        values[n] = (row_value){field_of[column], column, x};
        is_sorted &= n == 0 || compare_values(values + n - 1, values + n) < 0;
        n++;
    }
    if (!is_sorted)
        qsort(values, (size_t)n, sizeof(row_value), compare_values);
    return n;
}

static fastfm_status copy_rows(kind_plan *plan, search *s, const fastfm_csr *X,
                               const int32_t *field_of)
{
    const int64_t n = plan->rows.n_rows;
    int64_t room = 0;
    for (int64_t i = 0; i < n; i++)
        room += index_at(X->indptr, X->index_type, row_in_X(&plan->rows, i) + 1) -
                index_at(X->indptr, X->index_type, row_in_X(&plan->rows, i));
    s->begins = (int64_t *)malloc((size_t)(n + 1) * sizeof(int64_t));
    s->values = (row_value *)malloc((size_t)(room + 1) * sizeof(row_value));
    if (!s->begins || !s->values)
        return FASTFM_NO_MEMORY;
    s->begins[0] = 0;
    for (int64_t i = 0; i < n; i++)
        s->begins[i + 1] = s->begins[i] + copy_row(plan, X, field_of, row_in_X(&plan->rows, i),
                                                   s->values + s->begins[i]);
    plan->nnz = s->begins[n];
    return FASTFM_OK;
}

static uint64_t hash_values(const row_value *values, int64_t n)
{
    uint64_t hash = (uint64_t)n;
    for (int64_t p = 0; p < n; p++) {
        uint64_t bits;
        memcpy(&bits, &values[p].value, sizeof bits);
        hash = hash_i64((int64_t)(hash ^ (hash >> 32) ^ (uint64_t)values[p].column));
        hash = hash_i64((int64_t)(hash ^ (hash >> 32) ^ bits));
    }
    return hash ^ (hash >> 32);
}

/* Makes room for one more kind, and keeps half of the table's slots free. */
static fastfm_status grow(search *s)
{
    const uint64_t mask = 2 * (uint64_t)s->n_slots - 1;
    kind *kinds;
    int64_t *table;
    if (s->n_kinds < s->room)
        return FASTFM_OK;
    kinds = (kind *)malloc(2 * (size_t)s->room * sizeof(kind));
    table = (int64_t *)calloc((size_t)mask + 1, sizeof(int64_t));
    if (!kinds || !table) {
        free(kinds);
        free(table);
        return FASTFM_NO_MEMORY;
    }
    memcpy(kinds, s->kinds, (size_t)s->n_kinds * sizeof(kind));
    for (int64_t q = 0; q < s->n_kinds; q++) {
        uint64_t slot = kinds[q].hash & mask;
        while (table[slot])
            slot = (slot + 1) & mask;
        table[slot] = q + 1;
    }
    free(s->kinds);
    free(s->table);
    s->kinds = kinds;
    s->table = table;
    s->n_slots *= 2;
    s->room *= 2;
    return FASTFM_OK;
}

/* The slot of the kind of n values from `begin` on, or the empty one where it belongs. */
static uint64_t slot_of(const search *s, int64_t begin, int64_t n, uint64_t hash)
{
    const uint64_t mask = (uint64_t)s->n_slots - 1;
    uint64_t slot = hash & mask;
    for (; s->table[slot]; slot = (slot + 1) & mask) {
        const kind *known = s->kinds + s->table[slot] - 1;
        if (known->hash == hash && known->length == n &&
            memcmp(s->values + known->begin, s->values + begin, (size_t)n * sizeof(row_value)) == 0)
            break;
    }
    return slot;
}

/* The kind of row i for the field of values [begin, end). */
static fastfm_status add_group(kind_plan *plan, search *s, int64_t i, int64_t begin, int64_t end)
{
    field_kinds *field = plan->fields + s->values[begin].field;
    const uint64_t hash = hash_values(s->values + begin, end - begin);
    uint64_t slot = slot_of(s, begin, end - begin, hash);
    if (!field->kind_of)
        field->kind_of = (int32_t *)calloc((size_t)plan->rows.n_rows, sizeof(int32_t));
    if (!field->kind_of)
        return FASTFM_NO_MEMORY;
    if (!s->table[slot]) {
        if (grow(s) != FASTFM_OK)
            return FASTFM_NO_MEMORY;
        slot = slot_of(s, begin, end - begin, hash);
        s->kinds[s->n_kinds++] =
            (kind){begin, (int32_t)(end - begin), (int32_t)field->n_kinds++, hash};
        s->table[slot] = s->n_kinds;
        field->has_groups |= end - begin > 1;
    }
    field->kind_of[i] = s->kinds[s->table[slot] - 1].number;
    field->n_held++;
    return FASTFM_OK;
}

/* The values of kinds by columns, each in the order of kinds. */
static fastfm_status make_columns(kind_plan *plan, const search *s)
{
    const int64_t n = plan->n_columns;
    plan->begins = (int64_t *)calloc((size_t)n + 2, sizeof(int64_t));
    if (!plan->begins)
        return FASTFM_NO_MEMORY;
    for (int64_t q = 0; q < s->n_kinds; q++)
        for (int64_t p = 0; p < s->kinds[q].length; p++)
            plan->begins[s->values[s->kinds[q].begin + p].column + 1]++;
    for (int64_t j = 0; j < n; j++)
        plan->begins[j + 1] += plan->begins[j];
    plan->n_values = plan->begins[n];
    plan->kinds = (int32_t *)malloc((size_t)(plan->n_values + 1) * sizeof(int32_t));
    plan->values = (double *)malloc((size_t)(plan->n_values + 1) * sizeof(double));
    if (!plan->kinds || !plan->values)
        return FASTFM_NO_MEMORY;
    for (int64_t q = 0; q < s->n_kinds; q++)
        for (int64_t p = 0; p < s->kinds[q].length; p++) {
            const row_value *value = s->values + s->kinds[q].begin + p;
            const int64_t at = plan->begins[value->column]++;
            plan->kinds[at] = s->kinds[q].number;
            plan->values[at] = value->value;
        }
    memmove(plan->begins + 1, plan->begins, (size_t)n * sizeof(int64_t));
    plan->begins[0] = 0;
    return FASTFM_OK;
}

fastfm_status find_kinds(kind_plan *plan, const fastfm_csr *X, const int32_t *field_of)
{
    search s = {.room = 64, .n_slots = 128};
    fastfm_status status;
    s.kinds = (kind *)malloc((size_t)s.room * sizeof(kind));
    s.table = (int64_t *)calloc((size_t)s.n_slots, sizeof(int64_t));
    status = s.kinds && s.table ? copy_rows(plan, &s, X, field_of) : FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < plan->rows.n_rows && status == FASTFM_OK; i++)
        for (int64_t p = s.begins[i], end; p < s.begins[i + 1] && status == FASTFM_OK; p = end) {
            for (end = p + 1; end < s.begins[i + 1]; end++)
                if (s.values[end].field != s.values[p].field)
                    break;
            status = add_group(plan, &s, i, p, end);
        }
    if (status == FASTFM_OK)
        status = make_columns(plan, &s);
    search_close(&s);
    return status;
}
