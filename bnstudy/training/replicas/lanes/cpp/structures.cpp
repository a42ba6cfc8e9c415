// How large the structures are that both sides have to lay out alike.
#include "types.h"

extern "C" int64_t size_of_block() { return sizeof(Block); }
extern "C" int64_t size_of_norm() { return sizeof(Norm); }
extern "C" int64_t size_of_linear() { return sizeof(Linear); }
extern "C" int64_t size_of_descent() { return sizeof(Descent); }
