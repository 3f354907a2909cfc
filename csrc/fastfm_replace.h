/* Parameters that are replaced while they are read; a part of fastfm.h, which includes it at its end. */
#ifndef FASTFM_REPLACE_H
#define FASTFM_REPLACE_H

/* A gate lets parameters be replaced while other threads score with them: an int64_t that begins as 0.
 * Readers stand between begin and end, and any number of them at once. fastfm_replace_rows takes the gate
 * for a fraction of a millisecond at a time, when no reader is inside; after a while it keeps new
 * readers out. It waits for other threads, so it must hold no lock that a reader needs to end. In a child
 * of fork() nobody is inside; a row that was being written then may be torn there. */
void fastfm_read_begin(int64_t *gate);
void fastfm_read_end(int64_t *gate);

/* New parameters of some features, each stored as the model's are. */
typedef struct {
    int64_t n_rows;
    const int64_t *features; /* (n_rows,), checked */
    const void *w0;          /* (C,) or NULL */
    const void *w, *V;  /* (n_rows, C) and (n_rows, C, k), the last (n_rows, C, F, k) in an FFM */
    const float *scale; /* (n_rows,) if the model has one for each feature, else NULL */
} fastfm_rows;

/* Replaces them. A reader sees all parameters of a feature as they were or as they are. */
void fastfm_replace_rows(const fastfm_model *model, int64_t *gate, const fastfm_rows *rows);

#endif
