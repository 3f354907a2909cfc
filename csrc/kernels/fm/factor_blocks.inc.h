/* Includes PANEL_FILE once for each shape of FM_PANELS. */
#define PANEL_WIDTH 16
#define PANEL_VECTORS 4
#include PANEL_FILE
#define PANEL_WIDTH 16
#define PANEL_VECTORS 2
#include PANEL_FILE
#define PANEL_WIDTH 16
#define PANEL_VECTORS 1
#include PANEL_FILE
#define PANEL_WIDTH 8
#define PANEL_VECTORS 1
#include PANEL_FILE
#define PANEL_WIDTH 4
#define PANEL_VECTORS 1
#include PANEL_FILE
#define PANEL_WIDTH 1
#define PANEL_VECTORS 1
#include PANEL_FILE
#undef PANEL_FILE
