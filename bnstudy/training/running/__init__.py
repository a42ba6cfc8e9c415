"""Who trains the ensembles of a study: this machine, its processes, a cluster."""
