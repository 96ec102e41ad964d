"""Measures how large and how fast Runs is, side by side with the limits of the machine it runs on."""
