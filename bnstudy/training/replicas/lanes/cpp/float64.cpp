#include "lanes.h"

EXPORT(double, float64)
