"""Replicas as lanes of the processor's vectors, by a kernel of our own in C++."""
