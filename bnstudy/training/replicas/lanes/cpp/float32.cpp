#include "lanes.h"

EXPORT(float, float32)
