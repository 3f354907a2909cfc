/* One line of text: a label, perhaps a query, and values. See fastfm.h for the format. */
#ifndef FASTFM_LINE_H
#define FASTFM_LINE_H

#include "base/common.h"

/* What was expected, in faults that callers say more about: instead of an index that is too large, of a
 * value where rows begin with labels, and of several labels. */
#define EXPECTED_INDEX "an index within n_features"
#define EXPECTED_LABEL "a label"
#define EXPECTED_ONE_LABEL "one label"

/* Reads the line at p, which is in the block, and appends it to the block's rows unless it is blank or a
 * comment. Returns the place behind its '\n'. Or notes the block's first fault, and returns NULL. */
const char *line_read(const fastfm_text *text, fastfm_text_block *block, const char *p);

/* Whether rows have labels, as the first row of these lines says: 1 or 0, or -1 if there is no row. */
int text_has_labels(const char *bytes, int64_t n_bytes);

#endif
