"""The way in: the pages under `/auth`, and the door before everything else."""
