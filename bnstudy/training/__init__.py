"""The first tower: from a study to the curves of its runs. The only part that needs torch."""
