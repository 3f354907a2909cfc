/* Level 0, the instruction set that every processor of the platform has: SSE2 on x86-64, NEON on
 * aarch64, and plain C elsewhere. The other levels give the same bits, only sooner. */
#include "kernels/table.h"
#if defined(FASTFM_X86_64)
#include "simd/sse2.h"
#elif defined(FASTFM_AARCH64)
#include "simd/neon.h"
#else
#include "simd/scalar.h"
#endif

#define LEVEL baseline
#include "kernels/instantiate.inc.h"
