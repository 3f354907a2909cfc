/* The text of statuses, from FASTFM_STATUS_LIST. */
#include "fastfm.h"

#define FASTFM_STATUS_TEXT(name, message) message,
static const char *const messages[] = {FASTFM_STATUS_LIST(FASTFM_STATUS_TEXT)};
const char *fastfm_status_message(fastfm_status status) { return messages[status]; }
